"""A stream of bytes is the same events wherever it was cut."""

from __future__ import annotations

import pytest

from homeostasis_llm.http.events import Decoder, NDJSONDecoder, ServerEvent, SSEDecoder

STREAM = (
    "\ufeff: a comment\n"
    "event: zorb\ndata: Grüße 🌍\u2028 and more\n\n"
    "data: two\r\ndata:lines\r\n\r\n"
    "id: 7\nretry: 10\ndata\n\n"
    "data: mac\r\r"
    "\n\n"
    "event: nothing\n\n"
    "data: last"
)
EVENTS = [
    ServerEvent("Grüße 🌍\u2028 and more", "zorb"),
    ServerEvent("two\nlines"),
    ServerEvent(""),
    ServerEvent("mac"),
    ServerEvent("last"),
]


def _decoded(decoder: Decoder, pieces: list[bytes]) -> list[ServerEvent]:
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.end()]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_server_sent_events_may_be_cut_anywhere(size: int) -> None:
    raw = STREAM.encode()

    assert _decoded(SSEDecoder(), [raw[place : place + size] for place in range(0, len(raw), size)]) == EVENTS


def test_server_sent_events_may_be_cut_once_at_every_byte() -> None:
    raw = STREAM.encode()

    for place in range(len(raw)):
        assert _decoded(SSEDecoder(), [raw[:place], raw[place:]]) == EVENTS, place


def test_an_event_is_there_as_soon_as_its_empty_line_is() -> None:
    decoder = SSEDecoder()

    assert decoder.feed(b"data: one\n") == []
    assert decoder.feed(b"\n") == [ServerEvent("one")]


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_json_lines_may_be_cut_anywhere_and_the_last_needs_no_end(size: int) -> None:
    raw = '{"a": "ü\u2028"}\n\n  \r\n{"b": 2}\r\n{"c": 3}'.encode()

    events = _decoded(NDJSONDecoder(), [raw[place : place + size] for place in range(0, len(raw), size)])

    assert [event.json for event in events] == [{"a": "ü\u2028"}, {"b": 2}, {"c": 3}]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert _decoded(SSEDecoder(), [b"data: \xff\xfe!\n\n"]) == [ServerEvent("\ufffd\ufffd!")]


def test_nothing_is_no_event() -> None:
    assert _decoded(SSEDecoder(), [b""]) == []
    assert _decoded(NDJSONDecoder(), [b"\n"]) == []
