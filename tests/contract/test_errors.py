"""What every error carries, and what none ever carries: a key, or an HTTP client's objects."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import httpx
import pytest

import homeostasis_llm
from homeostasis_llm import (
    AllProvidersFailedError,
    APIKeyError,
    APIKeyMissingError,
    AuthenticationError,
    ConfigError,
    ContextLengthError,
    ErrorType,
    InvalidRequestError,
    LLMConnectionError,
    LLMError,
    LLMResponse,
    LLMTimeoutError,
    OverloadedError,
    RateLimitError,
    ServerError,
    UnknownProviderError,
    errors,
)
from homeostasis_llm.errors import Cause
from homeostasis_llm.redaction import MASK, remember

from .copies import in_every_way

KEY = 'made-up/key+"of=an-error'

FACTS: dict[str, Any] = {
    "error_type": "odd",
    "retryable": True,
    "provider": "openai",
    "model": "some-model",
    "status_code": 418,
    "retry_after": 0.0,
    "request_id": "req_1",
    "code": "teapot",
    "partial": LLMResponse("half an ans", "openai"),
}


def _ours(kind: type[LLMError] = LLMError) -> Iterator[type[LLMError]]:
    """Every class of ours; tests elsewhere may have made more."""
    if kind.__module__ == errors.__name__:
        yield kind
    for below in kind.__subclasses__():
        yield from _ours(below)


CLASSES = sorted(set(_ours()), key=lambda kind: kind.__name__)

every_class = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


class OwnError(LLMError):
    """As a provider's author may write one: with an argument that no other error has."""

    def __init__(self, shelf: int, message: str) -> None:
        super().__init__(message, provider="myllm")
        self.shelf = shelf


def test_every_class_is_public() -> None:
    assert {kind.__name__ for kind in CLASSES} <= set(homeostasis_llm.__all__)


def test_every_class_is_in_the_picture_on_top_of_the_module() -> None:
    assert {kind.__name__ for kind in CLASSES} <= set((errors.__doc__ or "").split())


def test_no_two_classes_are_of_one_type_by_default() -> None:
    kinds: list[type[LLMError]] = [*CLASSES, ConfigError]
    types = [kind.default_type for kind in kinds if kind.default_type is not ErrorType.UNKNOWN]

    assert len(types) == len(set(types))
    assert set(types) == set(ErrorType) - {ErrorType.UNKNOWN}


@every_class
def test_a_text_alone_makes_an_error(kind: type[LLMError]) -> None:
    error = kind("no tea")

    assert str(error) == error.message == "no tea"
    assert error.args == ("no tea",)
    assert repr(error) == f"{kind.__name__}('no tea')"
    assert error.error_type == kind.default_type
    assert error.retryable is kind.default_retryable
    assert error.provider == ""
    facts = ("model", "status_code", "retry_after", "request_id", "code", "partial")
    assert {name: getattr(error, name) for name in facts} == dict.fromkeys(facts)


@every_class
def test_an_error_without_a_text_is_one_too(kind: type[LLMError]) -> None:
    assert str(kind()) == kind().message == ""


@every_class
def test_every_fact_can_be_given(kind: type[LLMError]) -> None:
    error = kind("no tea", **FACTS)

    assert {name: getattr(error, name) for name in FACTS} == FACTS


@every_class
def test_an_error_is_made_again_from_its_facts(kind: type[LLMError]) -> None:
    error = kind("no tea", **FACTS)
    error.add_note("served in a cup")  # is no fact

    again = kind(error.message, **error.facts())

    assert again.facts() == error.facts()
    assert FACTS.items() <= error.facts().items()


@pytest.mark.parametrize(
    ("kind", "also"),
    [
        (InvalidRequestError, ValueError),
        (ContextLengthError, InvalidRequestError),
        (UnknownProviderError, ValueError),
        (LLMTimeoutError, TimeoutError),
        (LLMConnectionError, ConnectionError),
        (AuthenticationError, APIKeyError),
        (APIKeyMissingError, APIKeyError),
        (OverloadedError, ServerError),
    ],
)
def test_an_error_is_caught_as_what_it_also_is(kind: type[LLMError], also: type[Exception]) -> None:
    with pytest.raises(also):
        raise kind("no tea")


def test_what_may_pass_by_itself_is_worth_another_try() -> None:
    assert {kind.__name__ for kind in CLASSES if kind.default_retryable} == {
        "RateLimitError",
        "ServerError",
        "OverloadedError",
        "LLMTimeoutError",
        "LLMConnectionError",
        "InvalidResponseError",
    }


def test_false_and_zero_are_facts() -> None:
    error = RateLimitError("no tea", retryable=False, retry_after=0.0, status_code=0, code="")

    assert (error.retryable, error.retry_after, error.status_code, error.code) == (False, 0.0, 0, "")


def test_a_type_is_a_word() -> None:
    assert RateLimitError("slower").error_type == "rate_limit"
    assert f"{RateLimitError('slower').error_type}" == "rate_limit"


@pytest.mark.parametrize(("given", "said"), [(ValueError("no tea"), "no tea"), (418, "418"), (None, "None")])
def test_whatever_an_author_says_is_a_text(given: Any, said: str) -> None:
    assert LLMError(given).args == (said,)
    assert LLMError("no tea", code=given).code == (None if given is None else said)


def test_the_context_error_says_by_how_much() -> None:
    error = ContextLengthError("too long", prompt_tokens=5000, context_tokens=4096, provider="llama_cpp")

    assert (error.prompt_tokens, error.context_tokens, error.provider) == (5000, 4096, "llama_cpp")
    assert (ContextLengthError("too long").prompt_tokens, ContextLengthError("too long").context_tokens) == (None, None)


def test_when_all_have_failed_each_ones_error_is_there() -> None:
    each = {"openai": RateLimitError("slower"), "anthropic": OverloadedError("busy")}

    error = AllProvidersFailedError("nobody answered", errors=each)

    assert list(error.errors) == ["openai", "anthropic"]
    assert error.errors == each
    assert AllProvidersFailedError("nobody was asked").errors == {}


# Copies.


@every_class
@in_every_way
def test_a_copy_says_and_knows_the_same(kind: type[LLMError], copied: Callable[[Any], Any]) -> None:
    error = kind("no tea", **FACTS)
    error.add_note("served in a cup")

    twin = copied(error)

    assert type(twin) is kind
    assert (twin.args, str(twin), repr(twin)) == (error.args, str(error), repr(error))
    assert vars(twin) == vars(error)
    assert twin.__notes__ == ["served in a cup"]


@every_class
@in_every_way
def test_a_copy_knows_the_words_of_its_cause(kind: type[LLMError], copied: Callable[[Any], Any]) -> None:
    try:
        raise kind("no tea") from KeyError("cup")
    except LLMError as caught:
        error = caught

    assert isinstance(error.__cause__, KeyError)
    cause = copied(error).__cause__
    assert isinstance(cause, Cause)
    assert str(cause) == "builtins.KeyError: 'cup'"


@in_every_way
def test_a_cause_of_ours_is_copied_as_it_is(copied: Callable[[Any], Any]) -> None:
    error = LLMError("no tea").with_cause(KeyError("cup"))
    outer = LLMError("no breakfast", provider="openai")
    outer.__cause__ = RateLimitError("slower", retry_after=7.0)

    twin, outer_twin = copied(error), copied(outer)

    assert (type(twin.__cause__), str(twin.__cause__)) == (Cause, "builtins.KeyError: 'cup'")
    assert isinstance(outer_twin.__cause__, RateLimitError)
    assert outer_twin.__cause__.retry_after == 7.0


@in_every_way
def test_a_copy_of_an_error_without_cause_hides_nothing(copied: Callable[[Any], Any]) -> None:
    twin = copied(LLMError("no tea"))

    assert twin.__cause__ is None
    assert twin.__suppress_context__ is False
    assert copied(copied(LLMError("no tea").with_cause(KeyError("cup")))).__suppress_context__ is True


@in_every_way
def test_an_authors_own_error_needs_nothing_to_be_copied(copied: Callable[[Any], Any]) -> None:
    twin = copied(OwnError(3, "no tea"))

    assert (type(twin), str(twin), twin.shelf, twin.provider) == (OwnError, "no tea", 3, "myllm")


@in_every_way
def test_the_errors_of_all_providers_are_copied_along(copied: Callable[[Any], Any]) -> None:
    error = AllProvidersFailedError(
        "nobody answered", errors={"openai": LLMTimeoutError("too long", retry_after=2.0).with_cause(OSError("reset"))}
    )

    inner = copied(error).errors["openai"]

    assert (type(inner), str(inner), inner.retry_after) == (LLMTimeoutError, "too long", 2.0)
    assert str(inner.__cause__) == "builtins.OSError: reset"


@in_every_way
def test_an_http_clients_error_does_not_travel(copied: Callable[[Any], Any]) -> None:
    """It cannot be unpickled, and it holds the request with its Authorization header."""
    request = httpx.Request("POST", "https://api.example.org", headers={"Authorization": f"Bearer {KEY}"})
    theirs = httpx.HTTPStatusError("401", request=request, response=httpx.Response(401, request=request))
    error = LLMError("no tea")
    error.__cause__ = theirs

    assert str(copied(error).__cause__) == "httpx.HTTPStatusError: 401"


# Causes.


def test_a_cause_is_text_alone() -> None:
    request = httpx.Request("POST", "https://api.example.org", headers={"Authorization": f"Bearer {KEY}"})
    theirs = httpx.ConnectError("refused", request=request)

    error = LLMConnectionError("no tea").with_cause(theirs)

    assert isinstance(error.__cause__, Cause)
    assert vars(error.__cause__) == {}
    assert error.__cause__.args == ("httpx.ConnectError: refused",)
    assert error.__cause__.__traceback__ is None
    assert (error.__cause__.__cause__, error.__cause__.__context__) == (None, None)


def chained(*links: BaseException, by: str = "__cause__") -> BaseException:
    """The last of `links`, each of which led to the next."""
    for before, after in pairwise(links):
        setattr(after, by, before)
    return links[-1]


@pytest.mark.parametrize("by", ["__cause__", "__context__"])
def test_a_cause_tells_the_whole_chain_from_its_first_link_on(by: str) -> None:
    cause = Cause.of(chained(OSError("no route"), KeyError("cup"), ValueError("no tea"), by=by))

    assert str(cause).splitlines() == [
        "builtins.OSError: no route",
        "builtins.KeyError: 'cup'",
        "builtins.ValueError: no tea",
    ]


def test_what_was_hidden_on_purpose_stays_hidden() -> None:
    error = chained(OSError("no route"), ValueError("no tea"), by="__context__")
    error.__suppress_context__ = True

    assert str(Cause.of(error)) == "builtins.ValueError: no tea"


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one

    assert str(Cause.of(one)).splitlines() == ["builtins.ValueError: other", "builtins.ValueError: one"]


def test_a_cause_of_ours_is_not_wrapped_again() -> None:
    cause = Cause.of(KeyError("cup"))

    assert LLMError("no tea").with_cause(cause).__cause__ is cause


def test_an_error_with_a_cause_is_raised_like_any_other() -> None:
    with pytest.raises(RateLimitError, match="slower") as caught:
        raise RateLimitError("slower").with_cause(KeyError("cup"))

    assert isinstance(caught.value.__cause__, Cause)


# Keys.

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda key: quote(key, safe=""),
    "in a URL, in lower case": lambda key: quote(key, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "in JSON": lambda key: json.dumps(key)[1:-1],
    "in JSON inside JSON": lambda key: json.dumps(json.dumps(key))[1:-1],
    "in repr": repr,
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "in base64 for URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "in basic authentication": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
}
# What would be left of the key if its mere surroundings were removed.
TELLTALES = (
    "made-up",
    "of=an-error",
    "of%3Dan",
    *(SPELLINGS[name](KEY)[8:20] for name in SPELLINGS if "base64" in name),
)

every_spelling = pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS.keys())


@pytest.fixture(autouse=True)
def _known_key() -> None:
    remember(KEY)


def clean(text: str) -> bool:
    return MASK in text and not any(telltale in text for telltale in TELLTALES)


@every_class
@every_spelling
def test_a_known_key_is_in_no_part_of_an_error(kind: type[LLMError], spelled: Callable[[str], str]) -> None:
    error = kind(f"the key {spelled(KEY)} is refused", code=f"bad_{spelled(KEY)}")

    assert clean(str(error))
    assert clean(repr(error))
    assert clean(error.message)
    assert all(clean(said) for said in error.args)
    assert clean(error.code or "")
    assert str(error).startswith("the key ")
    assert str(error).endswith(" is refused")


@every_spelling
def test_a_known_key_is_in_no_cause(spelled: Callable[[str], str]) -> None:
    url = f"https://api.example.org/?key={spelled(KEY)}"

    cause = Cause.of(chained(OSError(url), ValueError(f"refused: {spelled(KEY)}")))

    assert all(clean(line) for line in str(cause).splitlines())
    assert len(str(cause).splitlines()) == 2


@in_every_way
def test_a_known_key_is_in_no_copy(copied: Callable[[Any], Any]) -> None:
    error = LLMError("no tea")
    error.__cause__ = ValueError(f"refused: {KEY}")

    assert clean(str(copied(error).__cause__))


def test_an_error_of_all_providers_has_no_key_of_any() -> None:
    error = AllProvidersFailedError(
        f"openai: {KEY}; anthropic: {KEY}", errors={"openai": AuthenticationError(f"refused: {KEY}")}
    )

    assert clean(str(error))
    assert clean(repr(error.errors))
