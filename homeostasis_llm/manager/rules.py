"""Decide what a failure means for a request: a table over the tree of errors, and nothing else.

`docs/failover.md` prints this table; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ..errors import (
    APIKeyMissingError,
    AuthenticationError,
    BrokenPluginError,
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
    UnknownProviderError,
    UnsuitableRequestError,
)


class Action(StrEnum):
    """What a request does next."""

    RETRY = "retry"
    """The same provider is asked again, after a wait; then the next."""
    FAIL_OVER = "fail over"
    """The next provider is asked at once; the same one again only where there is no other."""
    LEAVE = "leave"
    """The next provider is asked at once; this one not again."""
    LARGER = "larger window"
    """Only a model that takes more tokens is asked."""
    FINAL = "final"
    """Nobody else is asked: no other provider would do better."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind of error means."""

    action: Action
    counts: bool
    """Whether it counts against the health of the provider."""
    next_key: bool = False
    """Whether another key of the same provider may do better, and is tried before the next provider."""
    rest: float | None = None
    """Seconds for which this provider, model and key are not asked again, where the provider names no time."""
    why: str = ""
    """In the docs."""


_TABLE: dict[type[LLMError], Rule] = {
    APIKeyMissingError: Rule(Action.LEAVE, counts=False, why="no key, no request; another provider may have one"),
    AuthenticationError: Rule(
        Action.LEAVE,
        counts=False,
        next_key=True,
        rest=600.0,
        why="the key is wrong; it is not sent again until it changes",
    ),
    PermissionDeniedError: Rule(
        Action.LEAVE,
        counts=False,
        next_key=True,
        rest=60.0,
        why="this key may not do this; another one or another provider may",
    ),
    QuotaExceededError: Rule(
        Action.LEAVE, counts=False, next_key=True, rest=300.0, why="waiting a little does not refill an account"
    ),
    RateLimitError: Rule(
        Action.RETRY, counts=False, next_key=True, rest=5.0, why="the provider says when it may be asked again"
    ),
    UnknownProviderError: Rule(Action.LEAVE, counts=False, why="the settings name somebody who is not here"),
    BrokenPluginError: Rule(Action.LEAVE, counts=False, why="a provider that cannot be loaded stops nobody else"),
    ContextLengthError: Rule(Action.LARGER, counts=False, why="the prompt is too long for this model"),
    UnsuitableRequestError: Rule(
        Action.LEAVE, counts=False, why="it does not take a parameter, or a value, that another provider may"
    ),
    InvalidRequestError: Rule(Action.FINAL, counts=False, why="the request is wrong, whoever is asked"),
    ModelNotFoundError: Rule(
        Action.LEAVE, counts=False, rest=600.0, why="this provider has no such model; the others are asked for theirs"
    ),
    ContentRefusedError: Rule(
        Action.FINAL, counts=False, why="whether to try another provider's filter is a decision: `on_refusal`"
    ),
    OverloadedError: Rule(Action.RETRY, counts=True, why="too busy for now"),
    ServerError: Rule(Action.RETRY, counts=True, why="the provider failed on its side"),
    LLMTimeoutError: Rule(Action.FAIL_OVER, counts=True, why="a second wait of the same length helps nobody"),
    LLMConnectionError: Rule(Action.RETRY, counts=True, why="connections break, and the next one may stand"),
    InvalidResponseError: Rule(Action.RETRY, counts=True, why="an answer that cannot be read"),
}

_RETRYABLE = Rule(Action.RETRY, counts=True, why="its author says that it may pass")
_OTHER = Rule(Action.FAIL_OVER, counts=True, why="nothing is known of it")


def rule_for(error: LLMError, *, refusal_fails_over: bool = False) -> Rule:
    """The rule of the error's nearest class in the table; its author's `retryable` where there is none."""
    if refusal_fails_over and isinstance(error, ContentRefusedError):
        return Rule(Action.LEAVE, counts=False, why="`on_refusal` says so")
    rule = next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), None)
    if rule is None:
        return _RETRYABLE if error.retryable else _OTHER
    # Its author knows better than its class.
    return replace(rule, action=Action.FAIL_OVER) if rule.action is Action.RETRY and not error.retryable else rule


def table() -> list[tuple[str, Rule]]:
    """Every rule by the name of its error, as the docs print it."""
    named = [(kind.__name__, rule) for kind, rule in _TABLE.items()]
    return [*named, ("any other, retryable", _RETRYABLE), ("any other", _OTHER)]
