"""Carry an httpx client's requests over aiohttp, which serves ten times as many at 100 at once.

The timeouts are those of the request, as httpx has them, and so are the exceptions, each with the system's own error as
its cause. Redirects, cookies, compression and proxies are left to httpx.
"""

from __future__ import annotations

import io
import ssl
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
from multidict import CIMultiDict
from yarl import URL

CONNECTIONS = 1_000
"""At once, to all hosts together; further requests wait for one. What the OpenAI SDK has."""

KEPT_SECONDS = 15.0
"""How long a connection is kept that nobody uses. aiohttp's own; a server closes it when that is too long for it."""

_LARGEST_IN_ONE_PIECE = 1 << 20
"""Bytes of a body that are handed over at once; of more, aiohttp warns that they would stop the event loop."""

_LONGEST_HEADER = 1 << 16
"""Bytes. aiohttp's own limit is 8,190, which some gateways' cookies and policies exceed."""

# What aiohttp would add by itself. httpx has added what is to be sent.
_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class _Connector(aiohttp.TCPConnector):
    def __del__(self, _warnings: Any = None) -> None:
        """Nothing: where an event loop ended without closing what it had, sockets close with their transports."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """A transport for one event loop, which it learns with the first request."""

    def __init__(self, *, verify: ssl.SSLContext) -> None:
        self._verify = verify
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        waits = request.extensions.get("timeout", {})
        with _as_httpx():
            response = await self._opened().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=CIMultiDict(_headers(request)),
                data=io.BytesIO(body) if len(body) > _LARGEST_IN_ONE_PIECE else body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    connect=waits.get("pool"),
                    sock_connect=waits.get("connect"),
                    sock_read=waits.get("read"),
                ),
                server_hostname=request.extensions.get("sni_hostname"),
            )
        return httpx.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=_Body(response, request),
            extensions={
                "http_version": b"HTTP/1.1",
                "reason_phrase": (response.reason or "").encode("ascii", "replace"),
            },
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(
                    limit=CONNECTIONS,
                    keepalive_timeout=KEPT_SECONDS,
                    ssl=self._verify,
                    # The system's own, as everywhere else: aiohttp takes another where that is installed.
                    resolver=aiohttp.ThreadedResolver(),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=_NOT_ADDED,
                max_line_size=_LONGEST_HEADER,
                max_field_size=_LONGEST_HEADER,
            )
            # A session that nobody closed complains on standard error.
            weakref.finalize(self, self._session.detach)
        return self._session


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._response, self._request = response, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if (connection := self._response.connection) is not None and connection.protocol is not None:
            # Between the head and the body, the time to wait may have been changed.
            connection.protocol.read_timeout = self._request.extensions.get("timeout", {}).get("read")
            connection.protocol.start_timeout()
        with _as_httpx():
            async for piece in self._response.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        """Give the connection back, or close it where the answer was not read to its end."""
        self._response.close()


def _headers(request: httpx.Request) -> Iterator[tuple[str, str]]:
    """As they are written, each as often as it is there."""
    encoding = request.headers.encoding
    return ((name.decode(encoding), told.decode(encoding)) for name, told in request.headers.raw)


@contextmanager
def _as_httpx() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        raise _httpx_error(error) from (getattr(error, "os_error", None) or error)


def _httpx_error(error: Exception) -> httpx.TransportError:  # noqa: PLR0911  # a table of cases
    """What httpx calls it."""
    words = str(error) or type(error).__name__
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(words)
        case aiohttp.ServerTimeoutError():
            return httpx.ReadTimeout(words)
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(words)
        case aiohttp.ServerDisconnectedError():
            return httpx.RemoteProtocolError("the server closed the connection without an answer")
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return httpx.RemoteProtocolError(words)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return httpx.UnsupportedProtocol(words)
    return httpx.ReadError(words)
