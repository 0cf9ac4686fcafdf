"""Hold a provider to what its methods promise, so that an author's mistake is told by whose it is, and in one line.

What is asked of a provider by anybody but its own code is asked through here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from ._value import RefusedValueError
from .errors import BrokenPluginError, InvalidResponseError, LLMError
from .response import LLMChunk, LLMResponse

if TYPE_CHECKING:
    from .provider import LLMProviderInterface
    from .request import LLMRequest


def answer_of(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    """`provider.complete(request)`. Raises `InvalidResponseError` for what is no answer, and what it raises itself."""
    try:
        return checked_answer(provider.complete(request), provider, "complete")
    except RefusedValueError as error:
        failure = wrong_value(error, provider, "complete")
    raise failure


async def aanswer_of(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    """`answer_of` with `await`."""
    try:
        coming = provider.acomplete(request)
        if not inspect.isawaitable(coming):
            _refuse(coming, provider, "acomplete", "something to await")
        return checked_answer(await coming, provider, "complete")
    except RefusedValueError as error:
        failure = wrong_value(error, provider, "complete")
    raise failure


def checked_answer(found: object, provider: LLMProviderInterface, method: str) -> LLMResponse:
    """`found`, if it is an answer."""
    if not isinstance(found, LLMResponse):
        _refuse(found, provider, method, "an LLMResponse")
    # A value is checked when it is made; what is put into it later is not.
    if not isinstance(found.content, str):
        _refuse(found.content, provider, method, "a str", what=" an LLMResponse whose content is")
    return found


def checked_piece(found: object, provider: LLMProviderInterface) -> LLMChunk:
    """`found` of a stream as a chunk, if it is one or a text."""
    chunk = LLMChunk(text=found) if isinstance(found, str) else found
    if not isinstance(chunk, LLMChunk):
        raise InvalidResponseError(
            f"{author_of(provider)} streamed {_kind(found)}, which is neither a str nor an LLMChunk",
            provider=_name(provider),
        )
    if not isinstance(chunk.text, str):
        _refuse(chunk.text, provider, "complete_stream", "a str", what=" an LLMChunk whose text is")
    return chunk


def checked_stream(found: object, provider: LLMProviderInterface, *, is_async: bool) -> None:
    """Raise `InvalidResponseError` for what cannot be gone through piece by piece."""
    if is_async and not hasattr(found, "__aiter__"):
        _refuse(found, provider, "acomplete_stream", "an async iterator")
    if not is_async and (isinstance(found, (str, bytes)) or not isinstance(found, Iterable)):
        _refuse(found, provider, "complete_stream", "an iterator of str or LLMChunk")


def models_of(provider: LLMProviderInterface) -> list[str]:
    """`provider.get_available_models()`. Raises `LLMError` alone, also for what is no list of names."""
    try:
        found: object = provider.get_available_models()
        if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
            _refuse(found, provider, "get_available_models", "a list of str")
        names = list(found)
    except LLMError:
        raise
    except Exception as error:  # noqa: BLE001  # an author's code may raise anything, and one line is to say whose it is
        failure = InvalidResponseError(
            f"{author_of(provider)}.get_available_models raised {type(error).__name__}: {error}",
            provider=_name(provider),
        ).with_cause(error)
    else:
        for name in names:
            if not isinstance(name, str):
                _refuse(name, provider, "get_available_models", "str alone", what=" a list with")
        return names
    raise failure


def checked_verdict(found: object, provider: LLMProviderInterface) -> bool:
    """What `validate_key` gave, if it is True or False."""
    if not isinstance(found, bool):
        _refuse(found, provider, "validate_key", "True or False")
    return found


def checked_provider(provider: LLMProviderInterface, said: str = "") -> LLMProviderInterface:
    """`provider`, if it says what it is called. Raises `BrokenPluginError`; `said` stands before its class."""
    try:
        name: object = provider.name
    except Exception as error:  # noqa: BLE001  # as in models_of
        failure = BrokenPluginError(
            f"{said}{author_of(provider)}.name raised {type(error).__name__}: {error}"
        ).with_cause(error)
    else:
        if isinstance(name, str) and name.strip():
            return provider
        failure = BrokenPluginError(
            f"{said}{author_of(provider)}.name is {name!r:.60}, and must be the provider's name, a str"
        )
    raise failure


def author_of(provider: object) -> str:
    """Whose code it is, as an entry point names it: `acme_llm:Acme`."""
    return f"{type(provider).__module__}:{type(provider).__qualname__}"


def wrong_value(error: RefusedValueError, provider: LLMProviderInterface, method: str) -> InvalidResponseError:
    """The error for an author's code that made a value of what makes none: the request is not at fault."""
    return InvalidResponseError(f"{author_of(provider)}.{method}: {error.message}", provider=_name(provider))


def _refuse(found: object, provider: LLMProviderInterface, method: str, wanted: str, *, what: str = "") -> NoReturn:
    if inspect.iscoroutine(found):
        found.close()  # nobody will await it
    raise InvalidResponseError(
        f"{author_of(provider)}.{method} gave{what} {_kind(found)}, not {wanted}", provider=_name(provider)
    )


def _kind(found: object) -> str:
    kind = type(found).__name__
    an = kind[0].lower() in "aeiou" or kind.startswith("LLM")
    return "None" if found is None else f"{'an' if an else 'a'} {kind}"


def _name(provider: LLMProviderInterface) -> str:
    name: object = provider.name
    return name if isinstance(name, str) else ""
