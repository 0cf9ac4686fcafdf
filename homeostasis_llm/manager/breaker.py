"""Open, probe and close a circuit breaker: from one `Health` to the next, with the time passed in.

    closed ──too many failures──► open ──retry_at──► half_open (one probe is under way)
       ▲                           ▲                   │  │
       └──────── it succeeds ──────┼───────────────────┘  │
                                   └────── it fails ──────┘

Time alone closes nothing: it only lets a probe go. A probe that is never settled loses its place after a while.
"""

# No library: pybreaker holds a lock during the call it wraps, purgatory lets any number of calls through while half
# open; both read the clock themselves, and know neither Retry-After nor a call that says nothing (a bad request).

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field

from .._value import Value, value
from ..errors import InvalidRequestError, LLMError
from ..request import Seconds
from .health import Health, LastError, counted

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]

_LONGEST_REST = 86_400.0
"""Seconds. What a provider asks for beyond a day is more likely a mistake than a wish."""

_CLOCKS_DIFFER = 60.0
"""Seconds by which machines' clocks may differ. A change further in the future was made before a clock was set back."""

_MOST_DOUBLINGS = 60
"""More would overflow."""


@value
class BreakerConfig(Value):
    """When a target's breaker opens, and for how long.

    It opens after `failure_threshold` failures in a row within `window`, or when the window has at least `min_calls`
    calls and `failure_rate` of them failed. The first catches a provider that is down, the second one that is ill.
    """

    failure_threshold: Count = 5
    """Failures in a row."""
    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The part of the window's calls, newer ones weighing more."""
    min_calls: Count = 10
    """Of fewer calls the rate says nothing."""
    poor_success: Share = 0.75
    """A success rate below it, of at least `min_calls`, has a target asked after healthy ones."""
    window: Seconds = 60.0
    """Seconds."""
    half_life: Seconds = 20.0
    """Seconds in which a call's weight in the rates halves."""
    open_seconds: Seconds = 5.0
    """From opening to the first probe; twice as long after each probe that fails …"""
    max_open_seconds: Seconds = 120.0
    """… up to this. A provider that says to wait longer is obeyed, up to a day."""
    probe_seconds: Seconds = 120.0
    """A probe that is not settled by then is given up, and another may go."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_open_seconds < self.open_seconds:
            raise InvalidRequestError(
                f"BreakerConfig.max_open_seconds: is {self.max_open_seconds},"
                f" less than open_seconds, {self.open_seconds}"
            )


def usable_at(health: Health, now: float) -> float:
    """The time from which the target may be asked: `now`, or later."""
    # A time that lies in a future that may never come, since a clock was set back, is not waited for.
    if health.retry_at is None or now < health.changed_at - _CLOCKS_DIFFER:
        return now
    return max(now, health.retry_at)


def probing(health: Health, ticket: str, now: float, config: BreakerConfig) -> Health:
    """With the probe of that ticket under way; unchanged where none may go."""
    if health.state == "closed" or usable_at(health, now) > now:
        return health
    return replace(health, state="half_open", probe=ticket, retry_at=now + config.probe_seconds, changed_at=now)


def succeeded(
    health: Health,
    now: float,
    config: BreakerConfig,
    *,
    turn: int,
    ticket: str | None,
    times: Mapping[str, Any] = MappingProxyType({}),
) -> Health:
    """After a call of that turn, or the probe of that ticket, has been answered, with the `Health.times` of it."""
    if health.turn != turn if ticket is None else health.probe != ticket:
        return replace(health, **times)
    if ticket is None:
        slices = counted(health.slices, now, config.window, success=True)
        return replace(health, consecutive_failures=0, slices=slices, **times)
    return closed(replace(health, slices=counted((), now, config.window, success=True), **times), now)


def failed(
    health: Health, error: LLMError, now: float, config: BreakerConfig, *, turn: int, ticket: str | None
) -> Health:
    """After a call of that turn, or the probe of that ticket, has failed."""
    health = replace(health, last_error=LastError.of(error, now))
    if ticket is not None:
        return _opened(health, error, now, config) if health.probe == ticket else health
    if health.turn != turn:
        return health
    in_a_row = health.consecutive_failures if health.calls(now, config.window) else 0
    slices = counted(health.slices, now, config.window, success=False)
    health = replace(health, consecutive_failures=in_a_row + 1, slices=slices)
    return _opened(health, error, now, config) if _is_too_much(health, now, config) else health


def released(health: Health, now: float, *, ticket: str | None) -> Health:
    """After a call that says nothing of its target. The place of a probe is free for the next one."""
    if ticket is None or health.probe != ticket:
        return health
    return replace(health, state="open", probe=None, retry_at=now, changed_at=now)


def closed(health: Health, now: float) -> Health:
    """With the breaker closed, as by a probe that succeeded or by a person."""
    return replace(
        health,
        state="closed",
        turn=health.turn + 1,
        probe=None,
        retry_at=None,
        changed_at=now,
        consecutive_failures=0,
        openings=0,
    )


def is_poor(health: Health, now: float, config: BreakerConfig) -> bool:
    """Whether the target is to be asked after healthy ones."""
    if health.state != "closed":
        # When a probe may go, it has its place again: behind others that answer, nobody would ever ask it.
        return usable_at(health, now) > now
    rate = health.success_rate(now, config)
    return rate is not None and rate < config.poor_success and health.calls(now, config.window) >= config.min_calls


def _is_too_much(health: Health, now: float, config: BreakerConfig) -> bool:
    if health.consecutive_failures >= config.failure_threshold:
        return True
    rate = health.success_rate(now, config)
    return rate is not None and 1 - rate >= config.failure_rate and health.calls(now, config.window) >= config.min_calls


def _opened(health: Health, error: LLMError, now: float, config: BreakerConfig) -> Health:
    doublings = min(health.openings, _MOST_DOUBLINGS)
    wait = min(config.max_open_seconds, config.open_seconds * 2.0**doublings)
    asked_for = min(error.retry_after or 0.0, _LONGEST_REST)
    return replace(
        health,
        state="open",
        turn=health.turn + 1,
        probe=None,
        retry_at=now + max(wait, asked_for),
        changed_at=now,
        openings=health.openings + 1,
    )
