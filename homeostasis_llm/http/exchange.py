"""Send one request and hand over what comes: whole, or in pieces as they arrive. Failures become ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from io import BytesIO

import httpx

from ..errors import InvalidRequestError, InvalidResponseError, LLMConnectionError, LLMError, LLMTimeoutError
from .messages import HTTPAnswer
from .sending import Sealed
from .waits import Waits

_LARGEST_ERROR = 1 << 20
"""Bytes of a failed answer that are read; more than that is no error message."""


class Piece(bytes):
    """Bytes of an answer. They may repeat the key, so no repr shows them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class Arrived:
    """An answer as it comes: its head at once, its body in pieces."""

    def __init__(self, response: httpx.Response, waits: Waits, provider: str) -> None:
        self._response, self._waits, self._provider = response, waits, provider
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): told for name, told in response.headers.items()}

    @property
    def failed(self) -> bool:
        """Whether the status is no good one; a redirect is none, for the key must not follow it."""
        return not 200 <= self.status < 300

    def pieces(self) -> Iterator[bytes]:
        """The body. Raises `LLMError`."""
        failure: LLMError
        try:
            for piece in map(Piece, self._response.iter_bytes()):
                self._waits.check()
                yield piece
        except (httpx.HTTPError, LLMTimeoutError) as error:
            failure = failed(error, self._provider)
        else:
            return
        raise failure

    async def apieces(self) -> AsyncIterator[bytes]:
        """The body. Raises `LLMError`."""
        failure: LLMError
        try:
            async for raw in self._response.aiter_bytes():
                piece = Piece(raw)
                del raw
                self._waits.check()
                yield piece
        except (httpx.HTTPError, LLMTimeoutError) as error:
            failure = failed(error, self._provider)
        else:
            return
        raise failure

    def whole(self) -> HTTPAnswer:
        """All of it; of a failure, as much as an error message may have."""
        body = BytesIO()
        for piece in self.pieces():
            body.write(piece)
            if self.failed and body.tell() >= _LARGEST_ERROR:
                break
        return self.with_body(body.getvalue())

    async def awhole(self) -> HTTPAnswer:
        """`whole` without blocking the event loop."""
        body = BytesIO()
        async for piece in self.apieces():
            body.write(piece)
            if self.failed and body.tell() >= _LARGEST_ERROR:
                break
        return self.with_body(body.getvalue())

    def with_body(self, body: bytes) -> HTTPAnswer:
        """The answer, once its body is there."""
        return HTTPAnswer(self.status, self.headers, body)


@contextmanager
def sent(client: httpx.Client, sealed: Sealed, waits: Waits, provider: str) -> Iterator[Arrived]:
    """The answer to `sealed`, closed in every case. Raises `LLMError`."""
    failure: LLMError | None = None
    response: httpx.Response | None = None
    sealed.request.extensions["timeout"] = waits.until_answer().as_dict()
    try:
        response = client.send(sealed.request, stream=True, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        failure = failed(error, provider)
    if response is None:
        raise failure or LLMConnectionError(f"{provider}: no answer came", provider=provider)
    try:
        waits.answered(response)
        yield Arrived(response, waits, provider)
    finally:
        response.close()


@asynccontextmanager
async def asent(client: httpx.AsyncClient, sealed: Sealed, waits: Waits, provider: str) -> AsyncIterator[Arrived]:
    """`sent` without blocking the event loop."""
    failure: LLMError | None = None
    response: httpx.Response | None = None
    sealed.request.extensions["timeout"] = waits.until_answer().as_dict()
    try:
        response = await client.send(sealed.request, stream=True, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        failure = failed(error, provider)
    if response is None:
        raise failure or LLMConnectionError(f"{provider}: no answer came", provider=provider)
    try:
        waits.answered(response)
        yield Arrived(response, waits, provider)
    finally:
        await response.aclose()


def failed(error: Exception, provider: str) -> LLMError:
    """Ours for what the transport raised. It has no context: raise it outside the `except` block."""
    made: LLMError
    match error:
        case LLMError():
            made = error
        case httpx.TimeoutException():
            made = LLMTimeoutError(f"{provider} did not answer in time").with_cause(error)
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            made = InvalidRequestError(f"{provider}: its base URL is no web address").with_cause(error)
        case httpx.DecodingError():
            made = InvalidResponseError(f"{provider}: the answer cannot be unpacked").with_cause(error)
        case _:
            made = LLMConnectionError(f"{provider}: the connection failed: {error}").with_cause(error)
    made.provider = made.provider or provider
    return made
