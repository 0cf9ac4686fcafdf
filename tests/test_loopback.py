"""The server that the other tests trust, asked by a real client."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from .loopback import NOTHING_SCRIPTED, Loopback, Scripted


def test_answers_come_in_the_order_they_were_queued_and_then_the_standing_one(loopback: Loopback) -> None:
    loopback.always(json={"answer": "standing"})
    loopback.reply(json={"answer": "first"})
    loopback.reply(status=429, headers={"Retry-After": "7"}, body="slower")

    answers = [httpx.get(loopback.url) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 429, 200, 200]
    assert answers[0].json() == {"answer": "first"}
    assert answers[1].text == "slower"
    assert answers[1].headers["retry-after"] == "7"
    assert answers[3].json() == {"answer": "standing"}


def test_a_request_is_recorded_as_it_was_sent(loopback: Loopback) -> None:
    loopback.reply(body=b"\x00\xff")

    answer = httpx.post(f"{loopback.url}/v1/chat?a=1&a=2&b=", json={"temperature": 0.0}, headers={"X-Api-Key": "k"})

    assert answer.content == b"\x00\xff"
    (request,) = loopback.requests
    assert (request.method, request.path, request.query) == ("POST", "/v1/chat", {"a": ["1", "2"], "b": [""]})
    assert request.headers["x-api-key"] == request.headers["X-API-KEY"] == "k"
    assert request.headers["authorization"] is None
    assert request.json == {"temperature": 0.0}


def test_a_body_sent_in_chunks_is_recorded_whole(loopback: Loopback) -> None:
    loopback.always(body="ok")

    with httpx.Client() as client:
        client.post(loopback.url, content=iter([b'{"a"', b": 1}"]))
        client.post(loopback.url, json={"b": 2})

    assert [request.json for request in loopback.requests] == [{"a": 1}, {"b": 2}]
    assert loopback.connections == 1


def test_an_answer_nobody_scripted_is_loud(loopback: Loopback) -> None:
    answer = httpx.delete(f"{loopback.url}/forgotten")

    assert answer.status_code == NOTHING_SCRIPTED
    assert "DELETE /forgotten" in answer.text


def test_a_stream_arrives_piece_by_piece(loopback: Loopback) -> None:
    loopback.reply(chunks=["data: one\n\n", 60.0, "data: two\n\n"])

    with httpx.stream("GET", loopback.url) as answer:
        first = next(answer.iter_raw())  # would take a minute if the pieces came together

    assert first == b"data: one\n\n"
    assert answer.headers["content-type"] == "text/event-stream"


def test_a_whole_stream_is_all_its_pieces(loopback: Loopback) -> None:
    loopback.always(chunks=[b"a", b"", b"b"])

    with httpx.Client() as client:
        assert [client.get(loopback.url).text for _ in range(2)] == ["ab", "ab"]

    assert loopback.connections == 1


@pytest.mark.parametrize("cut_off", [{"drop": True}, {"cut": True, "body": "half"}, {"cut": True, "chunks": ["half"]}])
def test_an_answer_can_break_off(cut_off: Scripted, loopback: Loopback) -> None:
    loopback.reply(**cut_off)

    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(loopback.url)


def test_connections_are_counted(loopback: Loopback) -> None:
    loopback.always(body="ok")

    httpx.get(loopback.url)
    httpx.get(loopback.url)

    assert loopback.connections == 2


def test_closing_waits_neither_for_kept_connections_nor_for_scripted_pauses() -> None:
    started = time.monotonic()

    with httpx.Client(timeout=0.05) as client:
        with Loopback() as loopback:
            loopback.reply(body="ok")
            client.get(loopback.url)
            loopback.reply(delay=60.0)
            with pytest.raises(httpx.ReadTimeout):
                client.get(loopback.url)

        assert time.monotonic() - started < 30


async def test_async_clients_reach_it_too(loopback: Loopback) -> None:
    loopback.always(body="ok")

    async with httpx.AsyncClient() as client:
        answers = await asyncio.gather(*(client.get(loopback.url) for _ in range(20)))

    assert [answer.text for answer in answers] == ["ok"] * 20
