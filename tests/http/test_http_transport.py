"""Waits, connections and event loops, over real sockets."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from homeostasis_llm import (
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMResponse,
    LLMTimeoutError,
    Timeout,
    merge_chunks,
)
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import answer, drip, empty, gzipped, html, redirect, silence

from ..loopback import Loopback
from .zorb import KEY, Zorb, asked

Way = Callable[[Zorb], LLMResponse]


def _complete(provider: Zorb) -> LLMResponse:
    return provider.complete(asked())


def _acomplete(provider: Zorb) -> LLMResponse:
    return asyncio.run(provider.acomplete(asked()))


def _stream(provider: Zorb) -> LLMResponse:
    return merge_chunks(provider.complete_stream(asked())).to_response()


def _astream(provider: Zorb) -> LLMResponse:
    async def read() -> LLMResponse:
        return merge_chunks([chunk async for chunk in provider.acomplete_stream(asked())]).to_response()

    return asyncio.run(read())


every_way = pytest.mark.parametrize("way", [_complete, _acomplete, _stream, _astream])
both_streams = pytest.mark.parametrize("way", [_stream, _astream])


@contextmanager
def _nobody_accepts() -> Iterator[str]:
    """An address that lets no connection come to stand: its queue is full, and the system drops who asks."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            for one in waiting:
                one.close()


@every_way
def test_no_connection_in_time_is_a_timeout(way: Way) -> None:
    with (
        _nobody_accepts() as url,
        Zorb(KEY, base_url=url, timeout=Timeout(connect=0.2)) as provider,
        pytest.raises(LLMTimeoutError) as caught,
    ):
        way(provider)

    assert caught.value.provider == "zorb"


@every_way
def test_no_first_byte_in_time_is_a_timeout(way: Way) -> None:
    with FaultServer() as server, Zorb(KEY, base_url=server.url, timeout=Timeout(first_byte=0.2)) as provider:
        server.then(silence("before_headers"))

        with pytest.raises(LLMTimeoutError):
            way(provider)


@both_streams
def test_no_next_piece_in_time_is_a_timeout_with_what_had_come(way: Way, loopback: Loopback) -> None:
    loopback.reply(chunks=[_said("One"), 1.0, _said(" two", "stop")])

    with (
        Zorb(KEY, base_url=loopback.url, timeout=Timeout(first_byte=60, between_chunks=0.3)) as provider,
        pytest.raises(LLMTimeoutError) as caught,
    ):
        way(provider)

    assert caught.value.partial is not None
    assert caught.value.partial.content == "One"


def _said(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: %b\n\n" % json.dumps({"id": "1", "model": "zorb-1", "choices": [choice]}).encode()


@every_way
def test_an_answer_that_never_ends_is_a_timeout(way: Way) -> None:
    timeout = Timeout(between_chunks=60, total=0.5)
    with FaultServer() as server, Zorb(KEY, base_url=server.url, timeout=timeout) as provider:
        server.then(drip(20, of=answer("word " * 200)))

        with pytest.raises(LLMTimeoutError):
            way(provider)


@every_way
def test_a_packed_answer_is_unpacked(way: Way) -> None:
    with FaultServer() as server, Zorb(KEY, base_url=server.url) as provider:
        server.then(gzipped(of=answer("Grüße")))

        assert way(provider).content == "Grüße"


@every_way
def test_a_redirect_is_named_and_not_followed(way: Way) -> None:
    with FaultServer() as other, FaultServer() as server, Zorb(KEY, base_url=server.url) as provider:
        server.then(redirect(other.url))

        with pytest.raises(InvalidRequestError, match="redirect"):
            way(provider)

        assert other.count == 0


@every_way
def test_a_page_and_nothing_are_no_answers(way: Way) -> None:
    with FaultServer() as server, Zorb(KEY, base_url=server.url) as provider:
        server.then(html(200), empty(200))

        for _ in range(2):
            with pytest.raises((InvalidResponseError, LLMConnectionError)):
                way(provider)


@every_way
def test_what_is_no_http_is_a_broken_connection(way: Way) -> None:
    with (
        _speaks(b"220 smtp.zorb.example ready\r\n") as url,
        Zorb(KEY, base_url=url) as provider,
        pytest.raises(LLMConnectionError) as caught,
    ):
        way(provider)

    assert caught.value.__cause__ is not None


@every_way
def test_what_is_packed_wrongly_cannot_be_read(way: Way) -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\nnot gzip!"
    with (
        _speaks(raw) as url,
        Zorb(KEY, base_url=url) as provider,
        pytest.raises(InvalidResponseError, match="unpacked"),
    ):
        way(provider)


@pytest.mark.parametrize("base_url", ["zorb.example", "ftp://zorb.example", "http://", "http://[::1"])
def test_a_base_url_that_is_none_is_named(base_url: str) -> None:
    with (
        Zorb(KEY, base_url=base_url) as provider,
        pytest.raises(InvalidRequestError, match=r"web address|cannot be sent"),
    ):
        provider.complete(asked())


def test_connections_are_used_again() -> None:
    with FaultServer() as server, Zorb(KEY, base_url=server.url) as provider:
        for _ in range(3):
            provider.complete(asked())

        async def thrice() -> None:
            for _ in range(3):
                await provider.acomplete(asked())

        asyncio.run(thrice())

        assert server.connections == 2  # one without an event loop, one of it


def test_an_event_loop_that_has_ended_is_let_go_of_with_its_connections() -> None:
    with FaultServer() as server, Zorb(KEY, base_url=server.url) as provider:
        ended: list[weakref.ref[Any]] = []

        async def once() -> None:
            await provider.acomplete(asked())
            ended.append(weakref.ref(asyncio.get_running_loop()))

        for _ in range(3):
            asyncio.run(once())

        gc.collect()
        assert [loop() for loop in ended] == [None, None, None]
        server.wait_until(lambda: server.open_connections == 0)


def test_a_provider_that_nobody_holds_closes_its_connections() -> None:
    with FaultServer() as server:
        provider = Zorb(KEY, base_url=server.url)
        provider.complete(asked())
        del provider

        gc.collect()
        server.wait_until(lambda: server.open_connections == 0)


def test_a_cancelled_task_closes_its_connection() -> None:
    async def cancel(provider: Zorb, server: FaultServer) -> None:
        task = asyncio.create_task(provider.acomplete(asked()))
        await asyncio.to_thread(server.wait_until, lambda: server.concurrency == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 0)

    with FaultServer() as server, Zorb(KEY, base_url=server.url) as provider:
        server.then(silence("before_headers"))
        asyncio.run(cancel(provider, server))


@contextmanager
def _speaks(said: bytes) -> Iterator[str]:
    """A server that says that to whoever asks, and hangs up."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        thread = threading.Thread(target=_speak_once, args=(server, said))
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def _speak_once(server: socket.socket, said: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(said)
