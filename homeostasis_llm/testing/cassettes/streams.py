"""Record answers piece by piece with their times, and play them so: what vcrpy does in one piece, for httpx."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from vcr.request import Request as VcrRequest  # type: ignore[import-untyped]  # ships no types

from .bodies import pieces
from .file_format import NONE

if TYPE_CHECKING:
    from .cassette import Cassette

Patch = tuple[Any, str, Callable[..., Any]]

_under_httpx: ContextVar[bool] = ContextVar("homeostasis_llm_under_httpx", default=False)
"""Whether aiohttp works for a transport of httpx, which is recorded already."""

# Other transports that speak httpx, by the module that defines them. Who has not been imported need not be patched.
_OTHERS = {
    "homeostasis_llm.litellm_bridge.over_aiohttp": "AiohttpTransport",
    "httpx_aiohttp.transport": "AiohttpTransport",
    "litellm.llms.custom_httpx.aiohttp_transport": "LiteLLMAiohttpTransport",
}


def transports(cassette: Cassette) -> Iterator[Patch]:
    """What to put in place of the methods that send, as vcrpy takes it."""
    for name in ("httpx", "httpx2"):
        if find_spec(name) is not None:
            client = import_module(name)
            yield client.HTTPTransport, "handle_request", _sync(cassette, client, client.HTTPTransport.handle_request)
            real = client.AsyncHTTPTransport.handle_async_request
            yield client.AsyncHTTPTransport, "handle_async_request", _async(cassette, client, real)
    for name, kind in _OTHERS.items():
        if (module := sys.modules.get(name)) is not None and hasattr(module, kind):
            transport = getattr(module, kind)
            real = transport.handle_async_request
            yield transport, "handle_async_request", _async(cassette, import_module("httpx"), real)
    if find_spec("aiohttp") is not None:
        session = import_module("aiohttp").ClientSession
        yield session, "_request", _aiohttp(cassette, session._request)  # noqa: SLF001  # where vcrpy, too, takes hold


def _sync(cassette: Cassette, client: Any, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def handle_request(transport: Any, request: Any) -> Any:
        body = b"".join(request.stream)
        request.stream = client.ByteStream(body)
        asked = _request(request, body)
        if (played := cassette.take(asked)) is not None:
            return _response(played, cassette, client)
        meter = _Meter(client)
        try:
            response = real(transport, request)
        except client.TransportError as error:
            cassette.append(asked, _failed(error))
            raise
        try:
            for piece in response.stream:
                meter.add(piece)
        except client.TransportError as error:
            meter.broken = error
        response.stream.close()
        return meter.kept(asked, response, cassette)

    return handle_request


def _async(cassette: Cassette, client: Any, real: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    async def handle_async_request(transport: Any, request: Any) -> Any:
        body = b"".join([piece async for piece in request.stream])
        request.stream = client.ByteStream(body)
        asked = _request(request, body)
        if (played := cassette.take(asked)) is not None:
            return _response(played, cassette, client)
        meter = _Meter(client)
        inside = _under_httpx.set(True)
        try:
            try:
                response = await real(transport, request)
            except client.TransportError as error:
                cassette.append(asked, _failed(error))
                raise
            try:
                async for piece in response.stream:
                    meter.add(piece)
            except client.TransportError as error:
                meter.broken = error
            await response.stream.aclose()
        finally:
            _under_httpx.reset(inside)
        return meter.kept(asked, response, cassette)

    return handle_async_request


def _aiohttp(cassette: Cassette, real: Callable[..., Any]) -> Callable[..., Any]:
    from vcr.stubs.aiohttp_stubs import vcr_request  # type: ignore[import-untyped]  # ships no types

    recorded = vcr_request(cassette, real)

    @functools.wraps(real)
    async def request(session: Any, method: str, url: Any, **options: Any) -> Any:
        return await (real if _under_httpx.get() else recorded)(session, method, url, **options)

    return request


def _request(request: Any, body: bytes) -> Any:
    return VcrRequest(request.method, str(request.url), body, dict(request.headers.items()))


class _Meter:
    """Collects an answer, and when each piece of it came."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._started = time.monotonic()
        self._body = bytearray()
        self._times: list[tuple[int, float]] = []
        self.broken: Exception | None = None

    def add(self, piece: bytes) -> None:
        """The next bytes have come."""
        self._body += piece
        self._times.append((len(self._body), time.monotonic() - self._started))

    def kept(self, asked: Any, response: Any, cassette: Cassette) -> Any:
        """Hand the exchange to the cassette, and return the answer for who has asked."""
        body = bytes(self._body)
        headers: dict[str, list[str]] = {}
        for name, told in response.headers.multi_items():
            headers.setdefault(name, []).append(told)
        kept: dict[str, Any] = {
            "status": {"code": response.status_code, "message": response.reason_phrase},
            "headers": headers,
            "body": {"string": body},
            # Of what is compressed, nobody can tell when which part of it came.
            "arrived": []
            if "content-encoding" in headers
            else self._arrived(body, ",".join(headers.get("content-type", []))),
            "broken": None if self.broken is None else _words(self.broken),
        }
        cassette.append(asked, kept)
        response.stream = _stream_of(self._client)([body], [], self.broken)
        return response

    def _arrived(self, body: bytes, content_type: str) -> list[float]:
        """When each event was complete."""
        arrived: list[float] = []
        end = 0
        for piece in pieces(body, content_type.lower()) if body else []:
            end += len(piece)
            arrived.append(next(seconds for length, seconds in self._times if length >= end))
        return arrived


def _failed(error: Exception) -> dict[str, Any]:
    """What is kept of a request that nobody answered."""
    kept: dict[str, Any] = {"status": {"code": NONE, "message": ""}, "headers": {}, "body": {"string": b""}}
    return {**kept, "arrived": [], "broken": _words(error)}


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _response(played: dict[str, Any], cassette: Cassette, client: Any) -> Any:
    """The client's own response to what is played. Raises the client's own exception where the connection failed."""
    if played["status"]["code"] == NONE:
        raise _failure(played["broken"], client) or client.ConnectError("")
    headers = [(name, told) for name, values in played["headers"].items() for told in values]
    content_type = ",".join(played["headers"].get("content-type", [])).lower()
    body = played["body"]["string"]
    waits = played["arrived"] if cassette.options.timing == "recorded" else []
    return client.Response(
        played["status"]["code"],
        headers=headers,
        stream=_stream_of(client)(pieces(body, content_type), waits, _failure(played["broken"], client)),
        extensions={
            "http_version": b"HTTP/1.1",
            "reason_phrase": played["status"]["message"].encode("ascii", "replace"),
        },
    )


def _failure(told: str | None, client: Any) -> Exception | None:
    """The client's exception for how a connection broke, as in `ReadTimeout: …`."""
    if told is None:
        return None
    name, _, words = told.partition(": ")
    kind: Any = getattr(client, name, None)
    known = isinstance(kind, type) and issubclass(kind, client.TransportError)
    failure: Exception = kind(words) if known else client.RemoteProtocolError(told)
    return failure


@functools.cache
def _stream_of(client: Any) -> Any:
    """The class of a body that comes in pieces; `client` is httpx, or one of its forks."""

    class Pieces(client.SyncByteStream, client.AsyncByteStream):  # type: ignore[misc]  # of either module
        def __init__(self, pieces: list[bytes], waits: list[float], failure: Exception | None) -> None:
            self._pieces, self._failure = pieces, failure
            self._waits = waits if len(waits) == len(pieces) else [0.0] * len(pieces)
            self._started = time.monotonic()

        def __iter__(self) -> Iterator[bytes]:
            for piece, arrived in zip(self._pieces, self._waits, strict=True):
                if (wait := self._until(arrived)) > 0:
                    time.sleep(wait)
                yield piece
            if self._failure is not None:
                raise self._failure

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece, arrived in zip(self._pieces, self._waits, strict=True):
                if (wait := self._until(arrived)) > 0:
                    # Under trio too; httpx itself stands on it.
                    await import_module("anyio").sleep(wait)
                yield piece
            if self._failure is not None:
                raise self._failure

        def _until(self, arrived: float) -> float:
            return self._started + arrived - time.monotonic() if arrived else 0.0

    return Pieces
