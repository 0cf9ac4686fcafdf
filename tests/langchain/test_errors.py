"""Whoever catches our errors, or LangChain's, catches those of the chat model."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from langchain_core import exceptions as theirs

import homeostasis_llm
from homeostasis_llm import (
    AllProvidersFailedError,
    APIKeyError,
    APIKeyMissingError,
    AuthenticationError,
    BrokenPluginError,
    ChatHomeostasis,
    ConfigError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    InvalidResponseError,
    KeyStorageError,
    KeyValidationError,
    LLMChunk,
    LLMConnectionError,
    LLMError,
    LLMRequest,
    LLMResponse,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    UnknownProviderError,
    UnsuitableRequestError,
)
from homeostasis_llm.errors import Cause
from homeostasis_llm.langchain.errors import as_langchain_error, langchain_class

from .providers import Scripted, Streaming

THEIRS: dict[type[LLMError], type[theirs.ModelError]] = {
    LLMError: theirs.ModelError,
    APIKeyError: theirs.ModelAuthenticationError,
    AuthenticationError: theirs.ModelAuthenticationError,
    APIKeyMissingError: theirs.ModelAuthenticationError,
    KeyValidationError: theirs.ModelAuthenticationError,
    KeyStorageError: theirs.ModelError,
    PermissionDeniedError: theirs.ModelPermissionDeniedError,
    QuotaExceededError: theirs.ModelRateLimitError,
    RateLimitError: theirs.ModelRateLimitError,
    InvalidRequestError: theirs.ModelInvalidRequestError,
    ContextLengthError: theirs.ContextOverflowError,
    UnknownProviderError: theirs.ModelInvalidRequestError,
    UnsuitableRequestError: theirs.ModelInvalidRequestError,
    ModelNotFoundError: theirs.ModelNotFoundError,
    ContentRefusedError: theirs.ModelError,
    ServerError: theirs.ModelAPIError,
    OverloadedError: theirs.ModelAPIError,
    LLMTimeoutError: theirs.ModelTimeoutError,
    LLMConnectionError: theirs.ModelConnectionError,
    InvalidResponseError: theirs.ModelAPIError,
    BrokenPluginError: theirs.ModelError,
    AllProvidersFailedError: theirs.ModelError,
    ConfigError: theirs.ModelError,
}

FACTS: dict[str, Any] = {
    "provider": "acme",
    "model": "acme-9",
    "status_code": 418,
    "retry_after": 0.0,
    "request_id": "r1",
    "code": "teapot",
    "partial": LLMResponse(content="I am a"),
}


class TeapotError(RateLimitError):
    """An author's own error, with a constructor of its own."""

    def __init__(self, litres: float) -> None:
        super().__init__(f"{litres} l only", retry_after=litres)
        self.litres = litres


def family(kind: type[LLMError]) -> Iterator[type[LLMError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == "homeostasis_llm.errors":
            yield from family(child)


def ask(error: LLMError, **options: Any) -> None:
    ChatHomeostasis(provider=Scripted(error), **options).invoke("hi")


def stream(error: LLMError, **options: Any) -> None:
    list(ChatHomeostasis(provider=Streaming(error), **options).stream("hi"))


async def aask(error: LLMError) -> None:
    await ChatHomeostasis(provider=Scripted(error)).ainvoke("hi")


async def astream(error: LLMError) -> None:
    async for _ in ChatHomeostasis(provider=Streaming(error)).astream("hi"):
        pass


def test_no_error_of_ours_is_forgotten() -> None:
    public = [getattr(homeostasis_llm, name) for name in homeostasis_llm.__all__]

    assert set(family(LLMError)) <= set(THEIRS) == {kind for kind in public if _is_error(kind)}


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, LLMError)


@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize("way", [ask, stream])
def test_an_error_is_ours_and_langchains(kind: type[LLMError], way: Callable[[LLMError], None]) -> None:
    with pytest.raises(THEIRS[kind], match="no tea") as caught:
        way(kind("no tea", **FACTS))

    assert isinstance(caught.value, kind)
    assert _nearest(theirs.ModelError, type(caught.value)) is THEIRS[kind]


def _nearest(base: type, kind: type) -> type:
    """The most special class of langchain-core's that `kind` is."""
    return next(cls for cls in kind.__mro__ if issubclass(cls, base) and cls.__module__ == base.__module__)


@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize("way", [aask, astream])
async def test_an_error_is_ours_and_langchains_for_async_callers_too(
    kind: type[LLMError], way: Callable[[LLMError], Awaitable[None]]
) -> None:
    with pytest.raises(THEIRS[kind], match="no tea") as caught:
        await way(kind("no tea", **FACTS))

    assert isinstance(caught.value, kind)


@pytest.mark.parametrize("kind", THEIRS)
def test_every_fact_comes_along(kind: type[LLMError]) -> None:
    original = kind("no tea", **FACTS)

    with pytest.raises(kind) as caught:
        ask(original)

    assert caught.value.facts() == original.facts()
    assert caught.value.message == str(caught.value) == "no tea"


def test_facts_of_one_class_alone_come_along() -> None:
    with pytest.raises(theirs.ContextOverflowError) as caught:
        ask(ContextLengthError("too long", prompt_tokens=9, context_tokens=8))

    assert isinstance(caught.value, ContextLengthError)
    assert (caught.value.prompt_tokens, caught.value.context_tokens) == (9, 8)


@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize("retryable", [True, False])
def test_langchain_is_told_of_each_failure_whether_it_may_pass(kind: type[LLMError], retryable: bool) -> None:
    with pytest.raises(theirs.ModelError) as caught:
        ask(kind("no tea", retryable=retryable))

    assert caught.value.is_retryable is retryable


@pytest.mark.parametrize("kind", THEIRS)
def test_an_error_is_the_kind_of_python_error_that_it_was(kind: type[LLMError]) -> None:
    for python in (ValueError, TimeoutError, ConnectionError):
        assert issubclass(langchain_class(kind), python) is issubclass(kind, python)


@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301  # our own pickle
def test_an_error_survives_copy_and_pickle(kind: type[LLMError], again: Callable[[LLMError], LLMError]) -> None:
    error = as_langchain_error(kind("no tea", **FACTS).with_cause(KeyError("cup")))

    twin = again(error)

    assert type(twin) is type(error)
    assert (twin.args, twin.facts()) == (error.args, error.facts())
    assert str(twin.__cause__) == "builtins.KeyError: 'cup'"


def test_an_authors_own_error_is_langchains_too() -> None:
    with pytest.raises(theirs.ModelRateLimitError) as caught:
        ask(TeapotError(0.5))

    twin = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  # our own pickle
    assert isinstance(twin, TeapotError)
    assert (str(twin), twin.litres, twin.retry_after) == ("0.5 l only", 0.5, 0.5)


def test_what_somebody_noted_on_an_error_comes_along() -> None:
    error = ServerError("no tea")
    error.add_note("asked at five")

    with pytest.raises(ServerError) as caught:
        ask(error)

    assert caught.value.__notes__ == ["asked at five"]


def test_what_lay_behind_comes_along_as_text() -> None:
    class Careless(Scripted):
        def complete(self, request: LLMRequest) -> LLMResponse:
            try:
                return super().complete(request) if 1 / 0 else LLMResponse(content="never")
            except ZeroDivisionError as error:
                raise ServerError("no tea") from error

    with pytest.raises(ServerError) as caught:
        ChatHomeostasis(provider=Careless()).invoke("hi")

    assert isinstance(caught.value.__cause__, Cause)
    assert str(caught.value.__cause__) == "builtins.ZeroDivisionError: division by zero"


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_nothing_that_the_provider_held_travels_with_an_error(way: str) -> None:
    class Connection:
        """Stands for what an HTTP client's traceback holds: the request with its Authorization header."""

        def send(self, request: LLMRequest) -> LLMResponse:
            raise ConnectionResetError(self, request)

    class Careless(Scripted):
        def complete(self, request: LLMRequest) -> LLMResponse:
            connection = Connection()
            try:
                return connection.send(request)
            except ConnectionResetError:
                raise LLMError("no tea")  # noqa: B904  # as careless authors do

    model = ChatHomeostasis(provider=Careless())
    with pytest.raises(LLMError) as caught:
        list(getattr(model, way)("hi"))
    gc.collect()

    assert caught.value.__context__ is None
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Connection)]


def test_a_broken_stream_says_what_had_arrived() -> None:
    model = ChatHomeostasis(provider=Streaming("he", LLMChunk(text="llo"), LLMConnectionError("cut")))
    arrived: list[str] = []

    with pytest.raises(theirs.ModelConnectionError) as caught:
        arrived.extend(piece.text for piece in model.stream("hi"))

    assert arrived == ["he", "llo"]
    assert isinstance(caught.value, LLMError)
    assert caught.value.partial is not None
    assert caught.value.partial.content == "hello"


def test_what_the_provider_says_has_arrived_counts_before_what_we_saw() -> None:
    told = LLMResponse(content="hello, wor")

    with pytest.raises(LLMError) as caught:
        list(ChatHomeostasis(provider=Streaming("hello", LLMError("cut", partial=told))).stream("hi"))

    assert caught.value.partial is told


def test_an_error_that_is_both_already_stays_the_same() -> None:
    error = as_langchain_error(RateLimitError("slow down"))

    assert as_langchain_error(error) is error


def test_a_bug_in_a_provider_is_not_dressed_up() -> None:
    class Buggy(Scripted):
        def complete(self, request: LLMRequest) -> LLMResponse:
            return LLMResponse(content=request.messages[9].text)

    with pytest.raises(IndexError):
        ChatHomeostasis(provider=Buggy()).invoke("hi")
