"""A provider over HTTP, but for what is special about it: facts, how a request looks, how to read what comes."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

import httpx
from pydantic import SecretStr

from ..catalog import ProviderFacts, facts_of, in_variables
from ..endpoints import ask, models_endpoint, read_models
from ..error_facts import error_from_answer
from ..errors import (
    APIKeyError,
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMError,
    PermissionDeniedError,
)
from ..messages import LLMMessage
from ..provider import LLMProviderInterface, without_key
from ..request import LLMRequest, Timeout
from ..response import LLMChunk, LLMResponse, merge_chunks
from ..timeouts import DEFAULT_TIMEOUT, overlaid
from .clients import Clients
from .events import DONE, Decoder, NDJSONDecoder, ServerEvent, SSEDecoder
from .exchange import Arrived, asent, sent
from .messages import HTTPAnswer, HTTPRequest
from .waits import Waits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..keys.check import KeyCheck

T = TypeVar("T")

_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)
"""What an author's reading of an answer raises where the answer has another form than was expected."""


class HTTPProvider(LLMProviderInterface):
    """A provider over HTTP. Its author writes the facts below as class attributes, and three methods.

    `build_request` says what is sent, `read_response` reads a whole answer, `read_event` one event of a stream. Calls
    with and without `await`, streams, timeouts, errors, the key check and the listing of models follow from them. Facts
    can also be given to the constructor, as in `base_url=`.
    """

    base_url: str = ""
    """Where requests go."""
    auth: str = "bearer"
    """How the key is shown: `bearer`, `header:<name>`, `query:<name>` or `none`."""
    key_prefix: str = ""
    """What a key begins with: a hint."""
    key_url: str | None = None
    """Where keys are made."""
    models_path: str | None = None
    """GET there lists the models; None where nothing does."""
    models_public: bool = False
    """Whether that listing answers without a key, and so proves nothing about one."""
    headers: Mapping[str, str] = {}  # never changed, and replaced whole by an option
    """Sent with every request."""
    timeout: Timeout | float | None = None
    """Seconds for the whole answer, or each wait by itself."""
    model_map: Mapping[str, str] = {}  # as above
    """From names that requests may use to the provider's own."""
    context_window: int | None = None
    """Tokens that its models take; None where that differs, or is not known."""
    stream_format: ClassVar[Literal["sse", "ndjson", "none"]] = "sse"
    """How a stream comes: server-sent events, a JSON object on each line, or not at all."""

    @abstractmethod
    def build_request(self, request: LLMRequest) -> HTTPRequest:
        """What is sent for `request`, whose `model` is the provider's own name for it."""

    @abstractmethod
    def read_response(self, answer: HTTPAnswer) -> LLMResponse:
        """The answer. Who answered, its latency and its request id are added where this leaves them out."""

    def read_event(self, event: ServerEvent) -> LLMChunk | None:  # noqa: ARG002  # for its author's
        """What one event of a stream brings; None where that is nothing."""
        raise InvalidRequestError(f"{type(self).__name__} has no read_event, and a stream_format that is not 'none'")

    def read_error(self, answer: HTTPAnswer) -> LLMError | None:  # noqa: ARG002  # for its author's
        """The error for a failed answer; None leaves it to the status and to the words that most providers use."""
        return None

    def stream_request(self, request: HTTPRequest) -> HTTPRequest:
        """`request`, asking for a stream: by `"stream": true` in its body, as nearly everywhere."""
        return replace(request, json={**request.json, "stream": True})

    # ---------------------------------------------------------------------------------------------------- asking

    def complete(self, request: LLMRequest) -> LLMResponse:
        """The answer to `request`. Raises `LLMError`."""
        request, waits = self._mapped(request), self._waits(request)
        sending = self._sending(self.build_request(request))
        with sent(self._clients().sync_client(), sending, waits, self.name) as arrived:
            answer = arrived.whole()
        return self._read(answer, request, waits)

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        """`complete` without blocking the event loop."""
        request, waits = self._mapped(request), self._waits(request)
        sending = self._sending(self.build_request(request))
        async with asent(await self._clients().async_client(), sending, waits, self.name) as arrived:
            answer = await arrived.awhole()
        return self._read(answer, request, waits)

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        """The answer to `request` as it comes. An error has what had come in `partial`."""
        if self.stream_format == "none":
            yield from cast("Iterator[LLMChunk]", super().complete_stream(request))
            return
        request, waits = self._mapped(request), self._waits(request)
        sending = self._sending(self.stream_request(self.build_request(request)))
        with sent(self._clients().sync_client(), sending, waits, self.name) as arrived:
            if arrived.failed:
                raise self._error(arrived.whole(), request)
            reader = _StreamReader(self, request, arrived, waits)
            for piece in reader.guarded(arrived.pieces()):
                yield from reader.feed(piece)
                if reader.done:
                    break
            yield from reader.end()

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk]:
        """`complete_stream` without blocking the event loop."""
        if self.stream_format == "none":
            async for whole in super().acomplete_stream(request):
                yield cast("LLMChunk", whole)
            return
        request, waits = self._mapped(request), self._waits(request)
        sending = self._sending(self.stream_request(self.build_request(request)))
        async with asent(await self._clients().async_client(), sending, waits, self.name) as arrived:
            if arrived.failed:
                raise self._error(await arrived.awhole(), request)
            reader = _StreamReader(self, request, arrived, waits)
            async with aclosing(cast("AsyncGenerator[bytes]", reader.aguarded(arrived.apieces()))) as pieces:
                async for piece in pieces:
                    for chunk in reader.feed(piece):
                        yield chunk
                    if reader.done:
                        break
            for chunk in reader.end():
                yield chunk

    # ------------------------------------------------------------------------------------------- keys and models

    def validate_key(self, api_key: str) -> bool:
        """Whether the provider takes `api_key`, by its models listing or else by a completion of one token (it costs).

        Raises `LLMError` if that could not be found out.
        """
        other = without_key(self)
        other.api_key = api_key
        try:
            if self.models_path is not None and not self.models_public:
                other.get_available_models()
            else:
                other.complete(LLMRequest(messages=[LLMMessage(role="user", content="Hi")], max_tokens=1))
        except APIKeyError:
            return False
        except PermissionDeniedError:
            return True  # the key is known, it may only not do this
        return True

    def check_key(self, api_key: str | SecretStr) -> KeyCheck:
        """What the provider says of `api_key`; asked by its models listing, or else by one token, which costs."""
        from .key_check import check

        other = without_key(self)
        other.api_key = api_key
        return check(self.facts(), self.base_url, self.headers, str(other.api_key), other)

    def get_available_models(self) -> list[str]:
        """The provider's own list, sorted; its default model, where it has no list. Raises `LLMError`."""
        endpoint = models_endpoint(self.facts(), self.base_url or None)
        if endpoint is None:
            return [self.default_model]
        waits = overlaid(Timeout(connect=10.0, total=30.0), self.timeout)
        return read_models(ask(endpoint, self.api_key, headers=self.headers, timeout=waits), self.name)

    def facts(self) -> ProviderFacts:
        """What is known of it, as the catalog would have it."""
        return facts_of(self.name) or ProviderFacts(
            name=self.name,
            title=self.name,
            env=(f"{in_variables(self.name)}_API_KEY",),
            auth=self.auth,
            key_prefixes=(self.key_prefix,) if self.key_prefix else (),
            key_url=self.key_url,
            base_url=type(self).base_url or None,
            models_path=self.models_path,
            models_public=self.models_public,
            default_model=self.default_model,
        )

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if (clients := self.__dict__.get("_http_clients")) is not None:
            clients.close()

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_http_clients", None)
        return state

    # ------------------------------------------------------------------------------------------------- one call

    def _clients(self) -> Clients:
        # An author's own constructor need not call ours, so it is made here.
        clients: Clients = self.__dict__.setdefault("_http_clients", Clients())
        return clients

    def _mapped(self, request: LLMRequest) -> LLMRequest:
        model = request.model or self.default_model
        if not model:
            raise InvalidRequestError(f"LLMRequest.model: {self.name} has no default model; name one")
        model = self.model_map.get(model, model)
        if model == request.model:
            return request
        twin = copy.copy(request)  # with all that a subclass adds to it
        twin.model = model
        return twin

    def _waits(self, request: LLMRequest) -> Waits:
        return Waits(overlaid(overlaid(DEFAULT_TIMEOUT, self.timeout), request.timeout))

    def _sending(self, request: HTTPRequest) -> httpx.Request:
        """The request with the key in it. The only place where the key is taken out of its secret for a call."""
        base = self.base_url.rstrip("/")
        whole = request.path.startswith(("https://", "http://"))
        if not base and not whole:
            raise InvalidRequestError(f"{self.name} has no base URL: give it one, as in base_url=…", provider=self.name)
        kind, _, name = self.auth.partition(":")
        key, headers, params = str(self.api_key), {**self.headers, **request.headers}, dict(request.params)
        if key and kind == "bearer":
            headers["Authorization"] = f"Bearer {key}"
        elif key and kind == "header":
            headers[name] = key
        elif key and kind == "query":
            params[name] = key
        url = request.path if whole else f"{base}/{request.path.lstrip('/')}"
        body = {} if request.json is None else {"json": request.json}
        failure: LLMError
        try:
            return httpx.Request(request.method, url, headers=headers, params=params or None, **body)
        except (httpx.InvalidURL, UnicodeEncodeError, TypeError, ValueError) as error:
            failure = InvalidRequestError(f"{self.name}: the request cannot be sent: {error}").with_cause(error)
        raise failure

    def _read(self, answer: HTTPAnswer, request: LLMRequest, waits: Waits) -> LLMResponse:
        if not 200 <= answer.status < 300:
            raise self._error(answer, request)
        response = self.understood(lambda: self.read_response(answer), request)
        if not isinstance(response, LLMResponse):
            raise InvalidResponseError(
                f"{type(self).__name__}.read_response gave a {type(response).__name__}, not an LLMResponse",
                provider=self.name,
            )
        response.provider = response.provider or self.name
        response.model = response.model or request.model
        response.latency = waits.seconds if response.latency is None else response.latency
        response.request_id = response.request_id or _request_id(answer.headers)
        return response

    def understood(self, read: Callable[[], T], request: LLMRequest) -> T:
        """What `read` gives. An answer of another form than its author expected is an `InvalidResponseError`."""
        failure: LLMError
        try:
            return read()
        except LLMError as error:
            failure = error
            failure.provider = failure.provider or self.name
            failure.model = failure.model or request.model
            if isinstance(error, InvalidRequestError):  # our values refused what the provider sent
                failure = InvalidResponseError(f"{self.name} gave an answer that makes no sense: {error}")
        except _UNREADABLE as error:
            failure = InvalidResponseError(
                f"{self.name} gave an answer of an unexpected form: {type(error).__name__}: {error}"
            ).with_cause(error)
        failure.provider, failure.model = failure.provider or self.name, failure.model or request.model
        raise failure

    def _error(self, answer: HTTPAnswer, request: LLMRequest) -> LLMError:
        told = self.understood(lambda: self.read_error(answer), request)
        if told is None:
            return error_from_answer(
                answer.status, answer.headers, answer.body, provider=self.name, model=request.model
            )
        told.provider, told.model = told.provider or self.name, told.model or request.model
        told.status_code = told.status_code or answer.status
        return told


class _StreamReader:
    """Turns the pieces of one stream into chunks; what sync and async have in common."""

    def __init__(self, provider: HTTPProvider, request: LLMRequest, arrived: Arrived, waits: Waits) -> None:
        self._provider, self._request, self._arrived, self._waits = provider, request, arrived, waits
        self._decoder: Decoder = NDJSONDecoder() if provider.stream_format == "ndjson" else SSEDecoder()
        self._chunks: list[LLMChunk] = []
        self.done = False
        """Whether the provider said that this was all."""

    def feed(self, piece: bytes) -> Iterator[LLMChunk]:
        """The chunks that `piece` completes."""
        yield from self._read(self._decoder.feed(piece))

    def end(self) -> Iterator[LLMChunk]:
        """The last chunks. Raises `LLMConnectionError` where the stream was cut."""
        if not self.done:
            yield from self._read(self._decoder.end())
        if not self.done and not any(chunk.finish_reason for chunk in self._chunks):
            raise self.with_partial(
                LLMConnectionError(
                    f"{self._provider.name} closed the stream before it was finished",
                    provider=self._provider.name,
                    model=self._request.model,
                )
            )

    def guarded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """`pieces`, whose errors then have what had come."""
        failure: LLMError
        try:
            yield from pieces
        except LLMError as error:
            failure = self.with_partial(error)
        else:
            return
        raise failure

    async def aguarded(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """`guarded` for async pieces."""
        failure: LLMError
        try:
            async for piece in pieces:
                yield piece
        except LLMError as error:
            failure = self.with_partial(error)
        else:
            return
        raise failure

    def with_partial(self, error: LLMError) -> LLMError:
        """`error`, with what had come so far."""
        if any(chunk.text or chunk.reasoning or chunk.tool_calls for chunk in self._chunks):
            error.partial = merge_chunks(self._chunks).to_response()
        return error

    def _read(self, events: list[ServerEvent]) -> Iterator[LLMChunk]:
        for event in events:
            if event.data.strip() == DONE:
                self.done = True
                return
            chunk = self._understood(event)
            if chunk is None:
                continue
            chunk.provider = chunk.provider or self._provider.name
            chunk.model = chunk.model or self._request.model
            chunk.latency = self._waits.seconds
            chunk.request_id = chunk.request_id or _request_id(self._arrived.headers)
            self._chunks.append(chunk)
            yield chunk

    def _understood(self, event: ServerEvent) -> LLMChunk | None:
        failure: LLMError
        try:
            return self._provider.understood(lambda: self._chunk(event), self._request)
        except LLMError as error:
            failure = self.with_partial(error)
        raise failure

    def _chunk(self, event: ServerEvent) -> LLMChunk | None:
        told = event.json if event.event == "error" or '"error"' in event.data else None
        if event.event == "error" or (isinstance(told, dict) and isinstance(told.get("error"), (dict, str))):
            raise error_from_answer(
                200, self._arrived.headers, event.data, provider=self._provider.name, model=self._request.model
            )
        return self._provider.read_event(event)


def _request_id(headers: Mapping[str, str]) -> str | None:
    names = ("x-request-id", "request-id", "x-correlation-id", "x-trace-id")
    return next((headers[name] for name in names if headers.get(name)), None)
