"""A provider over HTTP, but for what is special about it: facts, how a request looks, how to read what comes."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

from pydantic import SecretStr

from .._value import RefusedValueError
from ..catalog import ProviderFacts, facts_of, in_variables
from ..config.rows import variables
from ..endpoints import ask, models_endpoint, read_models
from ..error_facts import error_from_answer, request_id
from ..errors import (
    APIKeyError,
    InvalidRequestError,
    InvalidResponseError,
    LLMError,
    PermissionDeniedError,
)
from ..messages import LLMMessage
from ..provider import LLMProviderInterface, without_key
from ..request import LLMRequest, Timeout
from ..response import LLMChunk, LLMResponse
from ..timeouts import DEFAULT_TIMEOUT, overlaid
from .events import NDJSONDecoder, ServerEvent, SSEDecoder
from .lacking import check_suitable
from .messages import HTTPAnswer, HTTPRequest, in_band_error
from .streaming import EventReader, StreamReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..keys.check import KeyCheck
    from .clients import Clients
    from .exchange import Arrived
    from .sending import Sealed
    from .waits import Waits

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
    """How the key is shown: `bearer`, `scheme:<word>` (instead of Bearer), `header:<name>`, `query:<name>`, `none`."""
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
    lacks: ClassVar[Collection[str]] = ()
    """Fields of a request, and kinds of parts (`image`, `audio`, `file`), that its API has nothing for; refused."""
    stream_format: ClassVar[Literal["sse", "ndjson", "none"]] = "sse"
    """How a stream comes: server-sent events, a JSON object on each line, or not at all."""

    @abstractmethod
    def build_request(self, request: LLMRequest) -> HTTPRequest:
        """What is sent for `request`, whose `model` is the provider's own name for it."""

    @abstractmethod
    def read_response(self, answer: HTTPAnswer) -> LLMResponse:
        """The answer. Who answered, its latency and its request id are added where this leaves them out."""

    def read_event(self, event: ServerEvent) -> LLMChunk | str | None:  # noqa: ARG002  # for its author's
        """What one event of a stream brings, a `str` standing for its text; None where that is nothing."""
        raise TypeError(f"{type(self).__name__} has no read_event: write it, or say stream_format = 'none'")

    def event_reader(self, request: LLMRequest) -> EventReader:  # noqa: ARG002  # for its author's
        """What reads the events of one stream: `read_event`, or a function of this stream's own that remembers."""
        return self.read_event

    def read_error(self, answer: HTTPAnswer) -> LLMError | None:  # noqa: ARG002  # for its author's
        """The error for a failed answer; None leaves it to the status and to the words that most providers use.

        Also asked about an event of a stream that is called `error`: its data is then the body, and the status good.
        """
        return None

    def stream_request(self, request: HTTPRequest) -> HTTPRequest:
        """`request`, asking for a stream: by `"stream": true` in its body, as nearly everywhere."""
        if not isinstance(request.json, Mapping):
            raise TypeError(f"{type(self).__name__}: a body that is no dict needs a stream_request of its own")
        return replace(request, json={**request.json, "stream": True})

    # ---------------------------------------------------------------------------------------------------- asking

    def complete(self, request: LLMRequest) -> LLMResponse:
        """The answer to `request`. Raises `LLMError`."""
        from .exchange import sent

        request, waits = self._mapped(request), self._waits(request)
        sending = self._sealed(self._built(request))
        with sent(self._clients().sync_client(), sending, waits, self.name) as arrived:
            answer = arrived.whole()
        return self._read(answer, request, waits)

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        """`complete` without blocking the event loop."""
        from .exchange import asent

        request, waits = self._mapped(request), self._waits(request)
        sending = self._sealed(self._built(request))
        async with asent(await self._clients().async_client(), sending, waits, self.name) as arrived:
            answer = await arrived.awhole()
        return self._read(answer, request, waits)

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        """The answer to `request` as it comes. An error has what had come in `partial`."""
        if self.stream_format == "none":
            yield from cast("Iterator[LLMChunk]", super().complete_stream(request))
            return
        from .exchange import sent

        request, waits = self._mapped(request), self._waits(request)
        built = self.stream_request(self._built(request))
        with sent(self._clients().sync_client(), self._sealed(built), waits, self.name) as arrived:
            if arrived.failed:
                raise self._error(arrived.whole(), request)
            reader = self._stream_reader(built, request, arrived, waits)
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
        from .exchange import asent

        request, waits = self._mapped(request), self._waits(request)
        built = self.stream_request(self._built(request))
        async with asent(await self._clients().async_client(), self._sealed(built), waits, self.name) as arrived:
            if arrived.failed:
                raise self._error(await arrived.awhole(), request)
            reader = self._stream_reader(built, request, arrived, waits)
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
        del api_key  # no traceback shall hold it
        try:
            if self.models_path is not None and not self.models_public:
                other.get_available_models()
            else:
                other.complete(LLMRequest(messages=[LLMMessage(role="user", content="Hi")], max_tokens=1))
        except APIKeyError:
            return False
        except PermissionDeniedError:
            return True  # the key is known, it may only not do this
        finally:
            other.close()
        return True

    def check_key(self, api_key: str | SecretStr) -> KeyCheck:
        """What the provider says of `api_key`; asked by its models listing, or else by one token, which costs."""
        from .key_check import check

        other = without_key(self)
        other.api_key = api_key
        try:
            return check(self.facts(), self.base_url, self.headers, str(other.api_key), other)
        finally:
            other.close()

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
            env=variables(self.env) or (f"{in_variables(self.name)}_API_KEY",),
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
        from .clients import Clients  # httpx comes with the first call, not with the class

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
        from .waits import Waits

        return Waits(overlaid(overlaid(DEFAULT_TIMEOUT, self.timeout), request.timeout))

    def _built(self, request: LLMRequest) -> HTTPRequest:
        check_suitable(request, self.lacks, self.name)
        built = self.build_request(request)
        if not isinstance(built, HTTPRequest):
            raise TypeError(f"{type(self).__name__}.build_request gave a {type(built).__name__}, not an HTTPRequest")
        return built

    def _sealed(self, request: HTTPRequest) -> Sealed:
        from .sending import sealed

        made = sealed(
            request,
            base_url=self.base_url,
            headers=self.headers,
            auth=self.auth,
            key=self.api_key,  # here alone it is taken out of its secret for a call
            provider=self.name,
        )
        if isinstance(made, InvalidRequestError):
            raise made
        return made

    def _stream_reader(self, built: HTTPRequest, request: LLMRequest, arrived: Arrived, waits: Waits) -> StreamReader:
        return StreamReader(
            self,
            request,
            arrived,
            waits,
            decoder=NDJSONDecoder() if self.stream_format == "ndjson" else SSEDecoder(),
            read=self.event_reader(request),
            read_whole=lambda answer: self._read(answer, request, waits),
            says_its_end=built.stream_says_its_end,
        )

    def _read(self, answer: HTTPAnswer, request: LLMRequest, waits: Waits) -> LLMResponse:
        if not 200 <= answer.status < 300:
            raise self._error(answer, request)
        told = in_band_error(answer.body, answer.headers, provider=self.name, model=request.model)
        if told is not None:
            raise told
        response = self.understood(lambda: self.read_response(answer), request)
        if not isinstance(response, LLMResponse):
            raise InvalidResponseError(
                f"{type(self).__name__}.read_response gave a {type(response).__name__}, not an LLMResponse",
                provider=self.name,
            )
        response.provider = response.provider or self.name
        response.model = response.model or request.model
        response.latency = waits.seconds if response.latency is None else response.latency
        response.request_id = response.request_id or request_id(answer.headers)
        return response

    def understood(self, read: Callable[[], T], request: LLMRequest) -> T:
        """What `read` gives. An answer of another form than its author expected is an `InvalidResponseError`."""
        failure: LLMError
        try:
            return read()
        except LLMError as error:
            failure = error
            if type(error) in {InvalidRequestError, RefusedValueError}:  # our values refused what the provider sent
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
