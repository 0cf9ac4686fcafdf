"""What a failure means is read off its class: every error has a rule, of its own or of what it is a kind of."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import homeostasis_llm
from homeostasis_llm import (
    AllProvidersFailedError,
    APIKeyMissingError,
    AuthenticationError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMError,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    UnsuitableRequestError,
)
from homeostasis_llm.errors import UnknownProviderError
from homeostasis_llm.keys.errors import KeyValidationError
from homeostasis_llm.manager.rules import Action, rule_for, table


def tree() -> list[type[LLMError]]:
    """Every error there is in the package, whichever module it is in."""
    for module in pkgutil.iter_modules(homeostasis_llm.__path__):
        if module.name in {"config", "keys", "errors", "provider", "registry"}:
            importlib.import_module(f"homeostasis_llm.{module.name}")

    def below(kind: type[LLMError]) -> Iterator[type[LLMError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    # Other tests in this process have errors of their own, and LangChain's door has both its and ours in one.
    rooms = {"homeostasis_llm.errors", "homeostasis_llm.keys.errors", "homeostasis_llm.config.errors"}
    return [kind for kind in dict.fromkeys(below(LLMError)) if kind.__module__ in rooms]


NAMED = {name: rule for name, rule in table() if not name.startswith("any other")}


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_every_error_goes_by_its_own_rule_or_by_that_of_the_nearest_it_is_a_kind_of(kind: type[LLMError]) -> None:
    nearest = next((NAMED[base.__name__] for base in kind.__mro__ if base.__name__ in NAMED), None)
    others = dict(table())

    found = rule_for(kind("x"))

    if nearest is not None:
        assert found == nearest
    else:
        assert found == others["any other, retryable" if kind("x").retryable else "any other"]


def test_only_errors_without_a_meaning_of_their_own_have_no_rule() -> None:
    without = {kind.__name__ for kind in tree() if not any(base.__name__ in NAMED for base in kind.__mro__)}

    assert without == {
        "LLMError",
        "APIKeyError",
        "KeyValidationError",
        "KeyStorageError",
        "ConfigError",
        "AllProvidersFailedError",
    } & {kind.__name__ for kind in tree()}


@pytest.mark.parametrize(
    ("error", "action", "counts"),
    [
        (AuthenticationError("x"), Action.LEAVE, False),
        (APIKeyMissingError("x"), Action.LEAVE, False),
        (PermissionDeniedError("x"), Action.LEAVE, False),
        (QuotaExceededError("x"), Action.LEAVE, False),
        (RateLimitError("x"), Action.RETRY, False),
        (InvalidRequestError("x"), Action.FINAL, False),
        (ContextLengthError("x"), Action.LARGER, False),
        (UnsuitableRequestError("x"), Action.LEAVE, False),
        (UnknownProviderError("x"), Action.LEAVE, False),
        (ModelNotFoundError("x"), Action.LEAVE, False),
        (ContentRefusedError("x"), Action.FINAL, False),
        (ServerError("x"), Action.RETRY, True),
        (OverloadedError("x"), Action.RETRY, True),
        (LLMTimeoutError("x"), Action.FAIL_OVER, True),
        (LLMConnectionError("x"), Action.RETRY, True),
        (InvalidResponseError("x"), Action.RETRY, True),
        (KeyValidationError("x"), Action.FAIL_OVER, True),
        (AllProvidersFailedError("x"), Action.FAIL_OVER, True),
        (LLMError("x"), Action.FAIL_OVER, True),
        (LLMError("x", retryable=True), Action.RETRY, True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LLMError) else None,
)
def test_what_each_failure_means(error: LLMError, action: Action, counts: bool) -> None:
    rule = rule_for(error)

    assert (rule.action, rule.counts) == (action, counts)


def test_an_author_that_says_a_failure_will_not_pass_is_believed() -> None:
    for kind in tree():
        assert rule_for(kind("x", retryable=False)).action is not Action.RETRY
    assert rule_for(ServerError("x", retryable=False)).action is Action.FAIL_OVER
    assert rule_for(ServerError("x", retryable=False)).counts


def test_an_author_that_says_a_failure_may_pass_makes_no_wrong_key_right() -> None:
    assert rule_for(AuthenticationError("x", retryable=True)).action is Action.LEAVE
    assert rule_for(InvalidRequestError("x", retryable=True)).action is Action.FINAL


def test_an_error_of_an_authors_own_goes_by_what_it_is_a_kind_of() -> None:
    class ThrottledError(RateLimitError):
        """Theirs."""

    class BrokeError(LLMError):
        """Theirs."""

    assert rule_for(ThrottledError("x")) == rule_for(RateLimitError("x"))
    assert rule_for(BrokeError("x")).action is Action.FAIL_OVER


def test_the_text_of_an_error_says_nothing() -> None:
    for words in ("connection refused", "invalid api key", "500 timeout", "rate limit"):
        assert rule_for(LLMError(words)) == rule_for(LLMError(""))


def test_a_refusal_fails_over_where_the_policy_says_so() -> None:
    refused = rule_for(ContentRefusedError("x"), refusal_fails_over=True)

    assert (refused.action, refused.counts) == (Action.LEAVE, False)
    assert rule_for(InvalidRequestError("x"), refusal_fails_over=True).action is Action.FINAL


def test_whoever_does_not_count_for_health_is_left_alone_for_a_while_or_not_to_blame() -> None:
    rests = {name for name, rule in NAMED.items() if rule.rest is not None}

    assert rests == {
        "AuthenticationError",
        "PermissionDeniedError",
        "QuotaExceededError",
        "RateLimitError",
        "ModelNotFoundError",
    }
    assert not any(NAMED[name].counts for name in rests)
