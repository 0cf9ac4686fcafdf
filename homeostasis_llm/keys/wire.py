"""Carry one question to a provider and its answer back over HTTP, whatever the environment puts in between.

Proxies and certificates are the environment's, as httpx reads them. Redirects are not followed: the key would go along.
Nothing is raised for what the network does: an error is an answer too. httpx is imported when something is asked, and
asyncio only by its users: each would double the time that the import of this takes.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from ..endpoints import Endpoint
from ..errors import InvalidRequestError, InvalidResponseError
from .bounded import within
from .judge import Answer
from .obstacles import Obstacle, SettingsError

if TYPE_CHECKING:
    import httpx

_LARGEST_BODY = 8 << 20
"""Bytes; the longest listings of models have one million."""

_GRACE = 0.25
"""Seconds more for httpx, which knows what it was waiting for, to say so itself."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a question."""

    found: Answer | Exception
    seconds: float
    """From before the connection to the end of the answer, or to the error."""
    at_proxy: bool = False
    """Whether an error came before the request had passed a proxy."""


class Line:
    """A connection for questions, one after another. Use it as a context manager."""

    def __init__(self, headers: Mapping[str, str] | None, timeout: float) -> None:
        """`timeout` is in seconds, for each question and all that belongs to it."""
        self._headers, self._timeout = _sendable(headers), timeout
        self._client: httpx.Client | None = None

    def get(self, endpoint: Endpoint, key: str) -> Reply:
        """The answer to GET, or why there is none."""
        way = _Way(endpoint)
        try:
            # Nothing but a thread bounds the look-up of a host's name, and an answer that drips.
            ask = partial(self._ask, endpoint, key, way)
            return Reply(within(self._timeout + _GRACE, ask, "homeostasis-key-check"), way.seconds)
        except _failures() as error:
            return _reply(error, way)

    def _ask(self, endpoint: Endpoint, key: str, way: _Way) -> Answer:
        import httpx

        if self._client is None:
            self._client = _opened(httpx.Client, self._timeout)
        question = _question(endpoint, key, self._headers, way)
        with self._client.stream(**question, extensions={"trace": way.note}) as response:
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _LARGEST_BODY:
                    break
            return _answer(response, body, way)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()


class AsyncLine:
    """`Line` for async callers."""

    def __init__(self, headers: Mapping[str, str] | None, timeout: float) -> None:
        self._headers, self._timeout = _sendable(headers), timeout
        self._client: httpx.AsyncClient | None = None

    async def get(self, endpoint: Endpoint, key: str) -> Reply:
        """The answer to GET, or why there is none."""
        import asyncio

        way = _Way(endpoint)
        try:
            async with asyncio.timeout(self._timeout + _GRACE):
                return Reply(await self._ask(endpoint, key, way), way.seconds)
        except _failures() as error:
            return _reply(error, way)

    async def _ask(self, endpoint: Endpoint, key: str, way: _Way) -> Answer:
        import asyncio

        if self._client is None:
            # Importing httpx and reading the certificates would hold up everybody else.
            self._client = await asyncio.to_thread(self._opened)
        question = _question(endpoint, key, self._headers, way)
        async with self._client.stream(**question, extensions={"trace": way.anote}) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LARGEST_BODY:
                    break
            return _answer(response, body, way)

    def _opened(self) -> httpx.AsyncClient:
        import httpx

        return _opened(httpx.AsyncClient, self._timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.aclose()


def shown(url: str) -> str:
    """`url` for people: without what may be secret in it, which is a name and password, or a query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host_of(url)}{parts.path}"


def host_of(url: str) -> str:
    """The host in `url`, with its port where it names one."""
    return urlsplit(url).netloc.rpartition("@")[2]


class _Way:
    """The way that a request takes: straight to the provider, or by a proxy, and how far it has come there."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._url = endpoint.url
        self._proxied = self._past = False
        self.answered = False
        """Whether an answer has begun."""
        self._begun: float | None = None

    def begin(self) -> None:
        """From now on, time is spent on the way."""
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the way was begun; 0 where it was not."""
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    @property
    def at_proxy(self) -> bool:
        """Whether the request was sent to a proxy, and not known to have passed it."""
        return self._proxied and not self._past

    def note(self, event: str, details: Mapping[str, Any]) -> None:
        """What httpx calls at each step."""
        if event == "connection.connect_tcp.started":
            import httpx

            url = httpx.URL(self._url)
            port = url.port or (443 if url.scheme == "https" else 80)
            self._proxied = (details["host"], details["port"]) != (url.raw_host.decode(), port)
        elif event == "proxy.start_tls.started":
            self._past = True
        elif event == "http11.receive_response_headers.complete":
            self.answered = True

    async def anote(self, event: str, details: Mapping[str, Any]) -> None:
        """`note` for async."""
        self.note(event, details)


def _question(endpoint: Endpoint, key: str, headers: Mapping[str, str], way: _Way) -> dict[str, Any]:
    import httpx

    way.begin()
    return {
        "method": "GET",
        "url": httpx.URL(endpoint.url).copy_merge_params(endpoint.params(key)),
        "headers": {"Accept": "application/json", **endpoint.headers(key), **headers},
    }


def _answer(response: httpx.Response, body: bytearray, way: _Way) -> Answer:
    return Answer(
        status=response.status_code,
        headers={name.lower(): told for name, told in response.headers.items()},
        body=bytes(body),
        complete=len(body) <= _LARGEST_BODY,
        at_proxy=way.at_proxy,
    )


def _failures() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.HTTPError, httpx.InvalidURL, TimeoutError, SettingsError)


def _reply(error: Exception, way: _Way) -> Reply:
    import httpx

    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        error = SettingsError(Obstacle.ADDRESS)
    elif isinstance(error, httpx.RemoteProtocolError) and way.answered:
        error = ConnectionResetError()  # h11 does not tell an end that came too soon from something that is no HTTP
    elif isinstance(error, httpx.DecodingError):
        error = InvalidResponseError("the answer cannot be unpacked")
    return Reply(error, way.seconds, way.at_proxy)


def _sendable(headers: Mapping[str, str] | None) -> dict[str, str]:
    """`headers`, if HTTP can carry them. Raises `InvalidRequestError`, which repeats no value: some are secrets."""
    found = dict(headers or {})
    for name, value in found.items():
        if not f"{name}{value}".isascii() or not value.isprintable():
            raise InvalidRequestError(f"headers: the value of {name!r} cannot be sent")
    return found


C = TypeVar("C", "httpx.Client", "httpx.AsyncClient")


def _opened(kind: type[C], timeout: float) -> C:
    """A client over the environment's proxies and certificates. Raises `SettingsError` where those make no sense."""
    import httpx

    try:
        trust = _trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    except OSError as error:
        detail = f"SSL_CERT_FILE cannot be used: {error.strerror or error.__class__.__name__}"
        raise SettingsError(Obstacle.TLS, detail.lower()) from error
    try:
        return kind(verify=trust, timeout=timeout, follow_redirects=False)
    except ImportError as error:
        raise SettingsError(Obstacle.PROXY, "for a SOCKS proxy, the package socksio is needed") from error
    except (ValueError, httpx.InvalidURL) as error:
        raise SettingsError(Obstacle.PROXY, "what the environment names is no address of one") from error


@cache
def _trust(file: str | None, folder: str | None) -> ssl.SSLContext:  # noqa: ARG001  # they are what it depends on
    """The certificates that count. Reading them takes longer than asking, so all questions share them."""
    import httpx

    return httpx.create_ssl_context()
