"""Where the fault server's answers break off, seen from a bare socket and by providers of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from homeostasis_llm import InvalidResponseError, LLMConnectionError, LLMError, LLMTimeoutError, Timeout, astream_chunks
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import Step, answer, early_end, hang_up, huge, reset, silence, truncated

from .asking import KEY, events, hear, post, provider, request, text_of

both = pytest.mark.parametrize("name", ["openai", "anthropic"])
streamed_or_not = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
each_way = pytest.mark.parametrize(
    ("way", "ended"),
    [(reset, "reset"), (hang_up, "in order"), (silence, "silence")],
    ids=["reset", "hang up", "silence"],
)

SAID = answer(chunks=["one", " two", " thrée"])


@each_way
@both
@streamed_or_not
def test_nothing_comes_before_the_headers(
    way: Callable[..., Step], ended: str, name: str, streamed: bool, server: FaultServer
) -> None:
    server.always(way())

    assert hear(server, name, stream=streamed, patience=0.2) == (b"", ended)


@each_way
@both
@streamed_or_not
def test_nothing_but_the_headers_comes_before_the_body(
    way: Callable[..., Step], ended: str, name: str, streamed: bool, server: FaultServer
) -> None:
    server.always(way("after_headers"))

    heard = hear(server, name, stream=streamed, patience=0.2)

    assert heard.data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert heard.data.endswith(b"\r\n\r\n")
    assert (heard.body, heard.ended) == (b"", ended)


@each_way
@both
@pytest.mark.parametrize("count", [0, 1, 2])
def test_so_many_chunks_come_whole(
    way: Callable[..., Step], ended: str, count: int, name: str, server: FaultServer
) -> None:
    server.always(way(after_chunks=count, of=SAID))

    heard = hear(server, name, stream=True, patience=0.2)

    assert text_of(_unchunked(heard.body)) == ["", "one", "one two"][count]
    assert heard.body.endswith(b"\n\n\r\n")  # an event's end, and that of HTTP's chunk around it
    assert heard.ended == ended


@each_way
@both
def test_a_chunk_may_come_by_half(way: Callable[..., Step], ended: str, name: str, server: FaultServer) -> None:
    server.always(way("mid_chunk", after_chunks=1, of=SAID))

    heard = hear(server, name, stream=True, patience=0.2)

    size, _, half = heard.body.rpartition(b"\r\n")
    announced = int(size.rpartition(b"\r\n")[2], 16)
    assert len(half) == announced // 2
    assert b"two" not in heard.body
    assert heard.ended == ended


@each_way
@both
def test_a_character_may_come_by_half(way: Callable[..., Step], ended: str, name: str, server: FaultServer) -> None:
    server.always(way("mid_character", after_chunks=1, of=SAID))

    heard = hear(server, name, stream=True, patience=0.2)

    came = _unchunked(heard.body)
    assert came.endswith(b" thr" + "é".encode()[:1])
    assert " two" in came.decode(errors="ignore")  # no character to break there
    assert heard.ended == ended


@each_way
@both
@pytest.mark.parametrize("at", ["between_chunks", "mid_chunk", "mid_character"])
def test_a_whole_answer_breaks_off_amid_its_body(
    way: Callable[..., Step], ended: str, at: str, name: str, server: FaultServer
) -> None:
    server.always(way(at, of=SAID))

    heard = hear(server, name, patience=0.2)

    length = int(heard.data.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    if at == "mid_character":
        assert heard.body.endswith(b"thr\xc3")
    else:
        assert len(heard.body) == length // 2
    assert heard.ended == ended


@both
def test_a_break_that_never_comes_is_at_the_end(name: str, server: FaultServer) -> None:
    server.always(reset(after_chunks=99, of=SAID))

    heard = hear(server, name, stream=True)

    assert text_of(_unchunked(heard.body)) == "one two thrée"
    assert heard.ended == "reset"


@pytest.mark.parametrize("at", ["before_headers", "after_headers"])
def test_chunks_before_the_body_are_refused(at: Any) -> None:
    with pytest.raises(ValueError, match="leave out after_chunks"):
        reset(at, after_chunks=1)


def test_a_negative_count_of_chunks_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        silence(after_chunks=-1)


@both
@pytest.mark.parametrize("made", [early_end(1, of=SAID), truncated(1, of=SAID)], ids=["early end", "truncated"])
def test_http_may_be_in_order_where_the_answer_is_not(made: Step, name: str, server: FaultServer) -> None:
    server.always(made)

    whole, streamed = post(server, name), post(server, name, stream=True)  # httpx finds nothing wrong with them

    assert whole.status_code == streamed.status_code == 200
    with pytest.raises(ValueError, match="line 1 column"):
        whole.json()
    if made.broken is not None and made.broken.how == "truncated":
        with pytest.raises(ValueError, match="line 1 column"):
            events(streamed.content)
    else:
        assert text_of(streamed.content) == "one"
        assert b"[DONE]" not in streamed.content
        assert b"message_stop" not in streamed.content


BROKEN = [
    *(way(at) for way in (reset, hang_up) for at in ("before_headers", "after_headers")),
    *(way(at, after_chunks=1) for way in (reset, hang_up) for at in ("between_chunks", "mid_chunk", "mid_character")),
    early_end(),
    truncated(),
]


def _complete(server: FaultServer, name: str) -> object:
    return provider(server, name).complete(request())


def _stream(server: FaultServer, name: str) -> object:
    return list(provider(server, name).complete_stream(request()))


def _acomplete(server: FaultServer, name: str) -> object:
    return asyncio.run(provider(server, name).acomplete(request()))


def _astream(server: FaultServer, name: str) -> object:
    async def collect() -> object:
        return [chunk async for chunk in astream_chunks(provider(server, name), request())]

    return asyncio.run(collect())


@both
@pytest.mark.parametrize("call", [_complete, _stream, _acomplete, _astream])
@pytest.mark.parametrize("step", BROKEN, ids=lambda step: f"{step.broken.how} {step.broken.at}")
def test_providers_of_ours_notice_every_break(
    step: Step, call: Callable[[FaultServer, str], object], name: str, server: FaultServer
) -> None:
    server.then(step)

    with pytest.raises(LLMError) as caught:
        call(server, name)

    assert isinstance(caught.value, (LLMConnectionError, InvalidResponseError))
    assert server.count == 1
    assert step.broken is not None
    if call in {_stream, _astream} and step.broken.after_chunks:
        assert caught.value.partial is not None
        assert caught.value.partial.content.startswith("Grüße")


@both
@pytest.mark.parametrize("step", [silence(), silence("after_headers"), silence(after_chunks=1)])
def test_providers_of_ours_do_not_wait_for_ever(step: Step, name: str, server: FaultServer) -> None:
    from homeostasis_llm import ProviderFactory

    server.always(step)
    brief = Timeout(first_byte=0.2, between_chunks=0.2)
    asked = ProviderFactory.create_provider(name, KEY, base_url=server.url, timeout=brief)

    with pytest.raises(LLMTimeoutError):
        list(asked.complete_stream(request()))

    server.wait_until(lambda: server.requests[0].finished)
    assert server.requests[0].abandoned


@streamed_or_not
def test_an_answer_that_is_made_while_it_is_sent_can_break_off(streamed: bool, server: FaultServer) -> None:
    server.always(reset("mid_chunk", after_chunks=1, of=huge(1_000_000)))

    heard = hear(server, stream=streamed)

    assert 100 < len(heard.data) < 500_000
    assert heard.ended == "reset"


def _unchunked(body: bytes) -> bytes:
    """What HTTP's chunks carry, as far as they have come."""
    found = b""
    while body and (size := int(body.partition(b"\r\n")[0], 16)):
        body = body.partition(b"\r\n")[2]
        found += body[:size]
        body = body[size + 2 :]
    return found
