"""Watch one call's HTTP exchange: enforce our timeouts, keep the facts litellm drops, close what it leaves open.

litellm turns a failed answer into an exception that has lost its headers or body, waits 6,000 s by default, and leaves
a response open where it stops reading early. So the HTTP client under it is ours, and reports to the `Exchange` of the
call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Self, cast

import httpx

from ..error_facts import request_id
from ..errors import LLMTimeoutError
from ..request import Timeout
from .mends import Mender

_LARGEST_ERROR_BODY = 1 << 20
"""Bytes of a failed answer that are read; more than that is no error message."""
_TAIL = 1 << 18
"""Bytes at the end of an answer that are kept: usage, finish reason and in-band errors stand there."""

_current: ContextVar[Exchange | None] = ContextVar("homeostasis_llm_exchange", default=None)


@dataclass(repr=False)
class Exchange:
    """What went over the wire for one call. Its repr leaves out what a server said: that may repeat the key."""

    timeout: Timeout
    started: float = field(default_factory=time.monotonic)
    sent: int = 0
    """Requests that were sent: more than one where litellm asks for a token first."""
    status: int | None = None
    """Of the last answer; None where none came."""
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    error_body: bytes | None = None
    """The last answer's body, where its status says that it failed."""
    size: int = 0
    """Bytes of the last answer's body so far, as they came over the wire."""
    tail: bytearray = field(default_factory=bytearray)
    """The end of the last answer's body."""
    complete: bool = False
    """Whether the last answer's body was read to its end."""
    failure: BaseException | None = None
    """The transport's own exception: no connection, no answer in time, or cut in the middle."""
    handler: Any = None
    """litellm's own kind of HTTP client, around ours: for its routes that take none from the arguments of a call."""
    litellm_name: str = ""
    """The provider, as litellm calls it."""
    mended: bool = True
    """Whether litellm reads the answer, which must be mended for it."""
    show_key: Callable[[httpx.Request], None] | None = None
    """Shows the key where litellm would show it in another way."""
    _open: list[httpx.Response] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Exchange(sent={self.sent}, status={self.status}, size={self.size}, complete={self.complete})"

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

    @property
    def seconds(self) -> float:
        """Since the call began."""
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float | None:
        """Seconds until the call's total time is over; None where it has no limit."""
        return None if self.timeout.total is None else self.timeout.total - self.seconds

    def waits(self, limit: float | None) -> float | None:
        """Seconds that one wait may take: its own `limit`, or what remains of the total."""
        remaining = self.remaining
        if remaining is None:
            return limit
        # Zero would mean "do not wait at all" to a socket; the deadline itself is checked elsewhere.
        return max(0.001, remaining if limit is None else min(limit, remaining))

    @property
    def request_id(self) -> str | None:
        """The provider's number of the request, from the headers of the last answer."""
        return request_id(self.headers)

    def check_deadline(self) -> None:
        """Raise `LLMTimeoutError` once the call's total time is over."""
        if (remaining := self.remaining) is not None and remaining <= 0:
            raise LLMTimeoutError(f"no complete answer within {self.timeout.total:g} s")

    def httpx_timeout(self) -> httpx.Timeout:
        """The waits until the first byte of an answer, as httpx takes them."""
        return httpx.Timeout(
            connect=self.waits(self.timeout.connect),
            pool=self.waits(self.timeout.connect),
            write=self.waits(self.timeout.between_chunks),
            read=self.waits(self.timeout.first_byte),
        )

    def begin(self, request: httpx.Request) -> None:
        """Set our timeouts on a request that is about to be sent, whatever litellm put there."""
        self.sent += 1
        # So that `tail` can be read as it passes.
        request.headers["accept-encoding"] = "identity"
        request.extensions["timeout"] = self.httpx_timeout().as_dict()
        if self.show_key is not None:
            self.show_key(request)

    def answered(self, response: httpx.Response) -> None:
        """Note an answer's head. From here on, the waits between chunks count."""
        self.status, self.headers = response.status_code, response.headers
        self.error_body, self.tail, self.size, self.complete = None, bytearray(), 0, False
        # httpcore reads the timeout when the first piece of the body is asked for, so it can still be changed.
        response.request.extensions["timeout"]["read"] = self.waits(self.timeout.between_chunks)
        self._open.append(response)

    @property
    def failed(self) -> bool:
        """Whether the last answer's status is no good one; a redirect is none, the key must not follow it."""
        return self.status is not None and self.status >= 300

    def mender(self) -> Mender | None:
        """What the answer's body passes through on its way to its reader, if anything."""
        return Mender(self.litellm_name, self.headers) if self.mended else None

    def received(self, piece: bytes) -> bool:
        """Note a piece of the answer's body; True where nothing more is wanted of it. Raises `LLMTimeoutError`."""
        self.size += len(piece)
        self.tail += piece
        if len(self.tail) > 2 * _TAIL:
            del self.tail[:-_TAIL]
        if self.timeout.total is not None:
            self.check_deadline()
        return self.size >= _LARGEST_ERROR_BODY and self.failed

    def close(self) -> None:
        """Close every response that was left open, and with it its connection."""
        while self._open:
            self._open.pop().close()

    async def aclose(self) -> None:
        """`close` for async responses; also when the task is being cancelled."""
        while self._open:
            await asyncio.shield(self._open.pop().aclose())


def current_exchange() -> Exchange | None:
    """That of the call under way here; None outside of calls."""
    return _current.get()


def sync_hooks() -> dict[str, list[Callable[..., Any]]]:
    """httpx event hooks that report to the `Exchange` of the call they work for."""
    return {"request": [_on_request], "response": [_on_response]}


def async_hooks() -> dict[str, list[Callable[..., Any]]]:
    """`sync_hooks` for async clients."""
    return {"request": [_aon_request], "response": [_aon_response]}


# Hooks, and not a transport around httpx's own: httpx heeds the environment's proxies only with a transport of its own.


def _on_request(request: httpx.Request) -> None:
    if (exchange := _current.get()) is not None:
        exchange.begin(request)


def _on_response(response: httpx.Response) -> None:
    if (exchange := _current.get()) is not None:
        exchange.answered(response)
        response.stream = _WatchedStream(cast(httpx.SyncByteStream, response.stream), exchange)
        if exchange.failed:
            # Read here, because litellm may not, or may throw it away.
            exchange.error_body = response.read()


async def _aon_request(request: httpx.Request) -> None:
    _on_request(request)


async def _aon_response(response: httpx.Response) -> None:
    if (exchange := _current.get()) is not None:
        exchange.answered(response)
        response.stream = _AsyncWatchedStream(cast(httpx.AsyncByteStream, response.stream), exchange)
        if exchange.failed:
            exchange.error_body = await response.aread()


class _WatchedStream(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream, exchange: Exchange) -> None:
        self._inner, self._exchange = inner, exchange

    def __iter__(self) -> Iterator[bytes]:
        mender = self._exchange.mender()
        try:
            for piece in self._inner:
                # Noted before the reader has it, who may find an error in it and never return.
                enough = self._exchange.received(piece)
                if mended := piece if mender is None else mender.feed(piece):
                    yield mended
                if enough:
                    return
        except (httpx.TransportError, LLMTimeoutError) as error:
            self._exchange.failure = error
            raise
        self._exchange.complete = True
        if mender is not None and (rest := mender.end()):
            yield rest

    def close(self) -> None:
        self._inner.close()


class _AsyncWatchedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, exchange: Exchange) -> None:
        self._inner, self._exchange = inner, exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        mender = self._exchange.mender()
        try:
            async for piece in self._inner:
                enough = self._exchange.received(piece)  # as above
                if mended := piece if mender is None else mender.feed(piece):
                    yield mended
                if enough:
                    return
        except (httpx.TransportError, LLMTimeoutError) as error:
            self._exchange.failure = error
            raise
        self._exchange.complete = True
        if mender is not None and (rest := mender.end()):
            yield rest

    async def aclose(self) -> None:
        await self._inner.aclose()
