"""State what a provider promises. Whoever implements five members has a full provider: everything else follows.

The five are `name`, `default_model`, `complete`, `validate_key` and `get_available_models`. Streams, async and the
LangChain chat model come from them; a provider that can do better overrides `complete_stream` and the async methods.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import SecretStr

from ._value import RefusedValueError, check_key
from .errors import InvalidRequestError
from .promises import answer_of, checked_piece, checked_stream, wrong_value
from .redaction import remember
from .request import LLMRequest
from .response import LLMChunk, LLMResponse, ToolCallFragment

if TYPE_CHECKING:
    from .langchain import ChatHomeostasis


class UnknownOptionError(InvalidRequestError):
    """A provider was to be made with an option that it does not have."""

    option: str
    """Its name."""

    def __init__(self, message: str = "", *, option: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.option = option


class LLMProviderInterface(ABC):
    """A provider of language models. Its methods may be called by several threads and tasks at once.

    A constructor of one's own takes `api_key` first and keyword options after it, such as `base_url`. It need not call
    this one: assigning `self.api_key` is enough, and keeps the key out of `repr`, `vars` and tracebacks.
    """

    needs_key: ClassVar[bool] = True
    """Whether the provider has any use for a key; where it has none, none is looked for."""

    env: ClassVar[str | tuple[str, ...]] = ()
    """The environment variables that its key is looked for in, after `HOMEOSTASIS_<NAME>_API_KEY`."""
    rate_limits: ClassVar[Mapping[str, int]] = {}
    """How much it may be asked unless the settings say otherwise, as `rate_limited` declares it."""

    def __init__(self, api_key: str | SecretStr | None = None, **options: Any) -> None:
        """`options` set attributes that the class declares; another name raises `InvalidRequestError`."""
        api_key = SecretStr(api_key) if isinstance(api_key, str) else api_key  # no traceback shall hold it as it is
        self.api_key = api_key
        for option, given in options.items():
            # A mistyped base_url must not send the key to the default host.
            if option.startswith("_") or not _is_option(type(self), option):
                raise UnknownOptionError(f"{type(self).__name__}: has no option {option!r}", option=option)
            setattr(self, option, given)

    @property
    def api_key(self) -> Any:
        """The key as a `str`, `""` without one. Held as a secret: use it, do not keep a copy.

        Typed loosely so that an author's own `self.api_key = api_key` passes a strict type check.
        """
        key: SecretStr | None = self.__dict__.get("_api_key")
        if key is None and self.__dict__.get("_key_left_behind"):
            from .keys.lookup import find_key

            found = find_key(self.name)
            key = None if found is None else found.secret
        return "" if key is None else key.get_secret_value()

    @api_key.setter
    def api_key(self, key: str | SecretStr | None) -> None:
        secret = key if isinstance(key, SecretStr) else SecretStr(key or "")
        del key  # no traceback shall hold it
        remember(secret.get_secret_value())
        check_key(secret.get_secret_value())
        self.__dict__["_api_key"] = secret

    @property
    @abstractmethod
    def name(self) -> str:
        """What the provider is called: lower case, as in `create_provider(name)`."""

    @property
    @abstractmethod
    def default_model(self) -> str:
        """The model that answers a request naming none."""

    @abstractmethod
    def complete(self, request: LLMRequest) -> LLMResponse:
        """The answer to `request`. Raises `LLMError`; nothing else, bugs excepted."""

    @abstractmethod
    def validate_key(self, api_key: str) -> bool:
        """Whether the provider accepts `api_key`. Raises `LLMError` if that could not be found out."""

    @abstractmethod
    def get_available_models(self) -> list[str]:
        """The names of the models this key may use. Raises `LLMError`."""

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk | str]:
        """The answer to `request`, piece by piece; by default in one piece. A `str` stands for a chunk of that text."""
        yield as_chunk(answer_of(self, request))

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        """`complete` for async callers; by default in a thread."""
        return await asyncio.to_thread(self.complete, request)

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk | str]:
        """`complete_stream` for async callers; by default pulled in a thread."""
        pieces = self.complete_stream(request)
        checked_stream(pieces, self, is_async=False)
        chunks = iter(pieces)
        end = object()  # None may be an author's mistake, which must not pass for the end
        try:
            while (chunk := await asyncio.to_thread(next, chunks, end)) is not end:
                yield chunk  # type: ignore[misc]  # all but `end` is the iterator's
        finally:
            # A generator whose `next` still runs in its thread cannot be closed; it is when that thread lets go of it.
            if hasattr(chunks, "close") and not getattr(chunks, "gi_running", False):
                chunks.close()

    def close(self) -> None:  # noqa: B027  # a provider may have nothing to give back
        """Give back connections and memory. The provider stays usable: what it needs is made again."""

    def as_chat_model(self, **options: Any) -> ChatHomeostasis:
        """This provider as a LangChain chat model; `options` as for `ChatHomeostasis`."""
        from .langchain import ChatHomeostasis

        return ChatHomeostasis(provider=self, **options)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the key, which pickles must not carry; it is looked up again where it is needed."""
        state = {name: kept for name, kept in vars(self).items() if name != "_api_key"}
        return {**state, "_key_left_behind": bool(self.api_key)}

    def __copy__(self) -> Self:
        twin = without_key(self)
        twin.api_key = self.api_key
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        vars(twin).update(copy.deepcopy(self.__getstate__(), memo))
        twin.api_key = self.api_key
        return twin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            return f"{type(self).__name__}(name={self.name!r}, default_model={self.default_model!r})"
        except AttributeError:  # its constructor has failed, and an error tracker looks at what there is
            return f"<{type(self).__name__}, not yet made>"


def _is_option(kind: type[LLMProviderInterface], name: str) -> bool:
    """Whether `kind` declares an attribute of that name that may be set."""
    declared = inspect.getattr_static(kind, name, _ABSENT)
    read_only = isinstance(declared, property) and declared.fset is None
    return declared is not _ABSENT and not read_only and not inspect.isroutine(declared)


_ABSENT = object()

P = TypeVar("P", bound=LLMProviderInterface)


def without_key(provider: P) -> P:
    """A copy of `provider` that has no key."""
    twin = type(provider).__new__(type(provider))
    vars(twin).update(provider.__getstate__())
    return twin


def stream_chunks(provider: LLMProviderInterface, request: LLMRequest) -> Iterator[LLMChunk]:
    """`provider.complete_stream` with every piece a chunk that says whose it is. Closes the stream in every case."""
    try:
        pieces = provider.complete_stream(request)
        checked_stream(pieces, provider, is_async=False)
        stream = iter(pieces)
        try:
            for piece in stream:
                yield _signed(piece, provider)
        finally:
            if hasattr(stream, "close"):
                stream.close()
    except RefusedValueError as error:
        failure = wrong_value(error, provider, "complete_stream")
    else:
        return
    raise failure


async def astream_chunks(provider: LLMProviderInterface, request: LLMRequest) -> AsyncIterator[LLMChunk]:
    """`stream_chunks` for async callers."""
    try:
        stream = provider.acomplete_stream(request)
        checked_stream(stream, provider, is_async=True)
        try:
            async for piece in stream:
                yield _signed(piece, provider)
        finally:
            if hasattr(stream, "aclose"):
                await stream.aclose()
    except RefusedValueError as error:
        failure = wrong_value(error, provider, "complete_stream")
    else:
        return
    raise failure


def _signed(piece: LLMChunk | str, provider: LLMProviderInterface) -> LLMChunk:
    chunk = checked_piece(piece, provider)
    chunk.provider = chunk.provider or provider.name
    return chunk


def as_chunk(response: LLMResponse) -> LLMChunk:
    """A whole answer as one piece."""
    calls = [(call, False) for call in response.tool_calls] + [(call, True) for call in response.server_tool_calls]
    return LLMChunk(
        text=response.content,
        reasoning="" if response.reasoning is None else response.reasoning.text,
        reasoning_payload=None if response.reasoning is None else response.reasoning.payload,
        tool_calls=[
            ToolCallFragment.of(call, index=index, server=server) for index, (call, server) in enumerate(calls)
        ],
        usage=response.usage,
        finish_reason=response.finish_reason,
        provider=response.provider,
        model=response.model,
        request_id=response.request_id,
        latency=response.latency,
        cost=response.cost,
        metadata=response.metadata,
        attempts=response.attempts,
    )
