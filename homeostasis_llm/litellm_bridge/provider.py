"""Ask any provider that litellm knows, as one of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic import SecretStr

from ..catalog import ProviderFacts, facts_of
from ..endpoints import ask, base_url_from_environment, models_endpoint, read_models
from ..errors import (
    APIKeyMissingError,
    AuthenticationError,
    InvalidRequestError,
    InvalidResponseError,
    LLMError,
    PermissionDeniedError,
)
from ..messages import LLMMessage
from ..provider import LLMProviderInterface, without_key
from ..request import LLMRequest, Timeout
from ..response import LLMChunk, LLMResponse, merge_chunks
from ..timeouts import DEFAULT_TIMEOUT, overlaid
from .dropped import carried
from .exchange import Exchange
from .faults import stream_error, to_error
from .incoming import said_nothing, stream_was_cut
from .lanes import Call, Lanes, StreamReading
from .lanes.full import FullReading
from .outgoing import completion_arguments
from .pricing import list_price, listed_models
from .runtime import load_litellm

if TYPE_CHECKING:
    from .clients import Clients

_NO_KEY = "no-key"
"""Sent where there is no key: litellm would otherwise look for one in the environment, and send it to any base URL."""

_LISTING = 30.0
"""Seconds for a list of models: it is short, and comes at once."""

_REST_OF_THE_PATH = {"cohere_chat": "/chat", "gemini": "/v1beta", "huggingface": "/chat/completions"}
"""What litellm 1.106.2 adds to its own base URL for a provider, and leaves out where it is given another."""


_making = Lock()


class LiteLLMProvider(LLMProviderInterface):
    """One of litellm's providers. Constructing it asks nobody; litellm is imported at the first call.

    litellm's own retries and those of the SDKs under it are off: who retries, and how often, is the caller's to say.
    """

    def __init__(
        self,
        name: str,
        api_key: str | SecretStr | None = None,
        *,
        base_url: str | None = None,
        default_model: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: Timeout | float | None = None,
        api_version: str | None = None,
    ) -> None:
        """`headers` are sent with every request; `timeout` is in seconds, for the whole answer where it is a number.

        Without a `base_url`, `HOMEOSTASIS_<NAME>_BASE_URL` and the provider's own variables are asked. `api_version` is
        for Azure. Raises `InvalidRequestError` for a base URL that is none.
        """
        super().__init__(api_key)
        self._name = name
        self._facts: ProviderFacts | None = facts_of(name)
        self._default_model = default_model
        self._headers = dict(headers or {})
        self._timeout = overlaid(DEFAULT_TIMEOUT, timeout)
        url = base_url if base_url is not None else base_url_from_environment(name, self._facts)
        if url is None and self._facts is not None and self._facts.local:
            # For some of these litellm has no address, and would send the request, key and all, to OpenAI.
            url = self._facts.base_url
        self._base_url = None if url is None else _checked_url(url)
        self._api_version = api_version
        self._clients: Clients | None = None
        self._lanes: Lanes | None = None

    @property
    def name(self) -> str:
        """The provider's name, litellm's where we have no other."""
        return self._name

    @property
    def default_model(self) -> str:
        """The catalog's, or the one given; empty where neither names one."""
        return self._default_model or (self._facts.default_model if self._facts is not None else None) or ""

    @property
    def timeout(self) -> Timeout:
        """How long it waits where a request does not say otherwise."""
        return self._timeout

    # An answer may repeat the key, and error trackers show what the frames of a traceback hold. So errors are raised
    # from frames that hold no answer, and no arguments that the key is among.

    def complete(self, request: LLMRequest) -> LLMResponse:
        """The answer to `request`. Raises `LLMError`."""
        return _returned(self._asked(request))

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        """`complete` without blocking the event loop."""
        return _returned(await self._aasked(request))

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        """The answer to `request` as it comes, usage with the last pieces. An error has what had come in `partial`."""
        arguments = self._arguments(request)
        exchange = self._exchange(request)
        reader = _StreamReader(self, exchange, arguments["model"])
        stream: Iterator[Any] | None = None
        try:
            read: list[LLMChunk] | LLMError
            while not reader.ended:
                # Only while litellm works, so that a suspended generator leaves no exchange in its caller's context.
                with exchange:
                    try:
                        if stream is None:
                            client = self._made_clients().sync_client()
                            call = self._call(arguments, client, stream=True)
                            stream = call.stream()
                            reader.reading = call.reading(self.name)
                        piece = next(stream, None)
                    except Exception as error:  # noqa: BLE001  # as in _asked
                        read = reader.failed(error)
                    else:
                        read = reader.read(piece)
                        del piece
                yield from _returned(read)
        finally:
            exchange.close()

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk]:
        """`complete_stream` without blocking the event loop."""
        arguments = self._arguments(request)
        exchange = await self._aexchange(request)
        reader = _StreamReader(self, exchange, arguments["model"])
        stream: AsyncIterator[Any] | None = None
        try:
            read: list[LLMChunk] | LLMError
            while not reader.ended:
                with exchange:
                    try:
                        if stream is None:
                            client = await (await self._amade_clients()).async_client()
                            call = await self._acall(arguments, client, stream=True)
                            stream = await call.astream()
                            reader.reading = call.reading(self.name)
                        piece = await anext(stream, None)
                    except Exception as error:  # noqa: BLE001  # as in _asked
                        read = reader.failed(error)
                    else:
                        read = reader.read(piece)
                        del piece
                for chunk in _returned(read):
                    yield chunk
        finally:
            await exchange.aclose()

    def validate_key(self, api_key: str) -> bool:
        """Whether the provider takes `api_key`, by its models listing or else by a completion of one token (it costs).

        Raises `LLMError` if that could not be found out: no connection, a failing server.
        """
        other = without_key(self)
        other.api_key = api_key
        try:
            if self._facts is not None and self._facts.models_path and not self._facts.models_public:
                other.get_available_models()
            else:
                other.complete(LLMRequest(messages=[LLMMessage(role="user", content="Hi")], max_tokens=1))
        except (AuthenticationError, APIKeyMissingError):
            return False
        except PermissionDeniedError:
            return True  # the key is known, it may only not list models
        return True

    def get_available_models(self) -> list[str]:
        """The provider's own list, sorted; litellm's, where the provider has none. Raises `LLMError`."""
        endpoint = None if self._facts is None else models_endpoint(self._facts, self._base_url)
        if endpoint is None:
            return listed_models({self.name, self._litellm_name})
        waits = Timeout(connect=self._timeout.connect, total=min(self._timeout.total or _LISTING, _LISTING))
        return read_models(ask(endpoint, self.api_key, headers=self._headers, timeout=waits), self.name)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._clients is not None:
            self._clients.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_clients": None, "_lanes": None}

    @property
    def _litellm_name(self) -> str:
        return self._facts.litellm_name if self._facts is not None else self._name

    def _asked(self, request: LLMRequest) -> LLMResponse | LLMError:
        arguments = self._arguments(request)
        with self._exchange(request) as exchange:
            try:
                client = self._made_clients().sync_client()
                call = self._call(arguments, client, stream=False)
                answer = call.complete()
            except Exception as error:  # noqa: BLE001  # litellm wraps anything in anything; to_error keeps the cause
                return to_error(error, exchange, self.name, arguments["model"])
            finally:
                exchange.close()
        return self._read(call, answer, exchange, arguments["model"])

    async def _aasked(self, request: LLMRequest) -> LLMResponse | LLMError:
        arguments = self._arguments(request)
        with await self._aexchange(request) as exchange:
            try:
                client = await (await self._amade_clients()).async_client()
                call = await self._acall(arguments, client, stream=False)
                answer = await call.acomplete()
            except Exception as error:  # noqa: BLE001  # as in _asked
                return to_error(error, exchange, self.name, arguments["model"])
            finally:
                await exchange.aclose()
        return self._read(call, answer, exchange, arguments["model"])

    def _call(self, arguments: dict[str, Any], client: Any, *, stream: bool) -> Call:
        if self._lanes is None:
            self._lanes = Lanes(self._litellm_name)
        return self._lanes.call({**arguments, **self._connection(), "client": client}, stream=stream)

    async def _acall(self, arguments: dict[str, Any], client: Any, *, stream: bool) -> Call:
        if not self._signs:
            return self._call(arguments, client, stream=stream)
        # Credentials may lie on another machine, and what looks for them takes its time to be imported.
        return await asyncio.to_thread(self._call, arguments, client, stream=stream)

    def _exchange(self, request: LLMRequest) -> Exchange:
        load_litellm()  # the seconds that this takes are not the provider's
        return Exchange(overlaid(self._timeout, request.timeout))

    async def _aexchange(self, request: LLMRequest) -> Exchange:
        if self._clients is None:
            await asyncio.to_thread(load_litellm)  # an event loop does not have these seconds either
        return self._exchange(request)

    def _arguments(self, request: LLMRequest) -> dict[str, Any]:
        arguments = completion_arguments(request, self.name, self._litellm_name, self.default_model)
        if not arguments["model"]:
            raise InvalidRequestError(
                f"LLMRequest.model: {self.name} has no default model; name one", provider=self.name
            )
        return carried(request, arguments, self._litellm_name, self.name)

    def _connection(self) -> dict[str, Any]:
        """Where to send a request and as whom. The only place where the key is taken out of its secret for a call."""
        connection: dict[str, Any] = {
            "custom_llm_provider": self._litellm_name,
            "api_key": self._key_to_send(),
            "api_base": self._litellm_url(),
            "api_version": self._api_version,
            # litellm's gateway for MCP servers; it would import a package that litellm does not declare, at each tool.
            "_skip_mcp_handler": True,
            "extra_headers": self._headers or None,
        }
        return {name: given for name, given in connection.items() if given is not None}

    def _litellm_url(self) -> str | None:
        """The base URL as litellm's route to this provider wants it: some want the rest of the path with it."""
        rest = _REST_OF_THE_PATH.get(self._litellm_name, "")
        if self._base_url is None or self._base_url.endswith(rest):
            return self._base_url
        # Any version of Google's API will do, where the base URL names one.
        return self._base_url if rest == "/v1beta" and "/v1" in self._base_url else self._base_url + rest

    def _key_to_send(self) -> str | None:
        return None if self._signs else str(self.api_key) or _NO_KEY

    @property
    def _signs(self) -> bool:
        """Whether litellm signs for want of a key, with credentials that it finds where AWS's and Google's SDKs do."""
        return not str(self.api_key) and self._facts is not None and self._facts.auth in {"aws", "google"}

    def _made_clients(self) -> Clients:
        if self._clients is None:
            load_litellm()
            from .clients import Clients

            with _making:  # of many first calls at once, each in a thread, all are to have the same
                if self._clients is None:
                    key = self._key_to_send() or _NO_KEY  # who signs is asked by no SDK, but that refuses to have none
                    self._clients = Clients(self._litellm_name, key, self._sdk_url(), self._api_version)
        return self._clients

    async def _amade_clients(self) -> Clients:
        # What they need of litellm may take seconds to import, which an event loop does not have.
        return await asyncio.to_thread(self._made_clients) if self._clients is None else self._clients

    def _sdk_url(self) -> str | None:
        """The base URL for litellm's routes that go through the OpenAI SDK, which takes it when it is made."""
        if self._litellm_name in {"openai", "azure"}:
            return self._base_url
        litellm = load_litellm()
        try:
            # The model plays no part in it, but litellm wants one.
            return str(litellm.get_llm_provider("model", self._litellm_name, self._base_url, _NO_KEY)[3] or "") or None
        except Exception as error:  # noqa: BLE001  # litellm raises whatever a provider's own code raises
            raise InvalidRequestError(
                f"litellm does not know how to ask {self.name}: {error}", provider=self.name
            ) from None

    def _read(self, call: Call, answer: Any, exchange: Exchange, model: str) -> LLMResponse | LLMError:
        try:
            response, counted = call.read(answer, exchange, self.name)
        except InvalidRequestError as error:
            return _nonsense(error, self.name, model)
        response.cost = self._cost(model, counted) if response.usage is not None else None
        return response

    def _cost(self, model: str, usage: Any) -> float | None:
        # At another host than the provider's own, its prices mean nothing.
        return None if self._base_url is not None else list_price(model, self._litellm_name, usage)


class _StreamReader:
    """Turns the pieces of one stream into chunks; what sync and async have in common."""

    def __init__(self, provider: LiteLLMProvider, exchange: Exchange, model: str) -> None:
        self._provider, self._exchange, self._model = provider, exchange, model
        self._chunks: list[LLMChunk] = []
        self.reading: StreamReading = FullReading(provider.name)
        """Reads the pieces; that of the call, once there is one."""
        self.ended = False

    def read(self, piece: Any) -> list[LLMChunk] | LLMError:
        """The chunks of a piece, without those that have nothing in them. None as a piece stands for the end."""
        if piece is None:
            self.ended = True
            return self._finished()
        try:
            chunks = self.reading.chunks(piece)
        except InvalidRequestError as error:
            return self._with_partial(_nonsense(error, self._provider.name, self._model))
        self._chunks.extend(chunks)
        return [
            chunk for chunk in chunks if chunk.text or chunk.reasoning or chunk.reasoning_payload or chunk.tool_calls
        ]

    def failed(self, error: Exception) -> LLMError:
        """Ours for what litellm raised, with what had come so far."""
        return self._with_partial(to_error(error, self._exchange, self._provider.name, self._model))

    def _finished(self) -> list[LLMChunk] | LLMError:
        """The last chunk; or what the provider told, or that the connection broke, where the stream was cut."""
        if stream_was_cut(self._exchange):
            return self._with_partial(stream_error(self._exchange, self._provider.name, self._model))
        if not any(chunk.text or chunk.reasoning or chunk.tool_calls for chunk in self._chunks) and said_nothing(
            self._exchange
        ):
            return InvalidResponseError(
                f"{self._provider.name} answered with something that is no stream",
                provider=self._provider.name,
                model=self._model,
                status_code=self._exchange.status,
            )
        try:
            chunk = self.reading.last(self._exchange)
        except InvalidRequestError as error:
            return self._with_partial(_nonsense(error, self._provider.name, self._model))
        if chunk.usage is not None:
            chunk.cost = self._provider._cost(self._model, self.reading.counted)  # noqa: SLF001  # one class in two halves
        return [chunk]

    def _with_partial(self, error: LLMError) -> LLMError:
        if any(chunk.text or chunk.reasoning or chunk.tool_calls for chunk in self._chunks):
            error.partial = merge_chunks(self._chunks).to_response()
        return error


T = TypeVar("T")


def _returned(outcome: T | LLMError) -> T:
    """`outcome`, or raised where it is an error."""
    if isinstance(outcome, LLMError):
        raise outcome
    return outcome


def _nonsense(refusal: InvalidRequestError, provider: str, model: str) -> LLMError:
    """For an answer that our own values refuse."""
    return InvalidResponseError(
        f"{provider} gave an answer that makes no sense: {refusal}", provider=provider, model=model
    )


def _checked_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise InvalidRequestError(f"base_url: {error}, got {base_url[:60]!r}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidRequestError(f"base_url: must begin with https:// or http:// and a host, got {base_url[:60]!r}")
    return base_url.rstrip("/")
