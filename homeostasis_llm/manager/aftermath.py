"""Draw the consequences of a failure: whose health it counts against, who rests, whether to try once more."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import LLMError
from .policy import Policy
from .rules import Action, Rule
from .steps import Ask, Parts


class Aftermath:
    """What failures mean for one request, and for those that come after it."""

    def __init__(self, parts: Parts, policy: Policy, remaining: Callable[[], float | None], *, retry: bool) -> None:
        """`remaining` gives the seconds until the deadline; without `retry` nobody is asked twice."""
        self._parts = parts
        self._policy = policy
        self._remaining = remaining
        self._retry = retry

    def settle(self, ask: Ask, rule: Rule, error: LLMError) -> None:
        """Count a failure once for a request, at its first: others that are about to ask shall know at once."""
        if rule.counts and (ask.permit.probe or ask.target not in ask.leg.counted):
            ask.leg.counted.add(ask.target)
            self._parts.board.failed(ask.permit, error)
        else:
            self._parts.board.released(ask.permit)
        seconds = error.retry_after if error.retry_after is not None else rule.rest
        if seconds is not None and not rule.counts:
            self._parts.bench.rest(ask.target, self._parts.clock() + seconds, error, ask.route.key)

    def wait_before_retry(self, ask: Ask, rule: Rule, error: LLMError) -> float | None:
        """Seconds until the same provider is asked again, before any other; None where another is, or none."""
        # Others may have found out that it is down, and a probe is one call.
        once = ask.permit.probe or self.is_open(ask)
        if rule.action is not Action.RETRY or once or not self.has_tries_left(ask):
            return None
        wait = self.wait(ask, error)
        remaining = self._remaining()
        if wait > self._policy.retries.max_delay or (remaining is not None and wait >= remaining):
            return None
        return wait if self._parts.budget.take(self._parts.timer(), self._policy.retries) else None

    def wait(self, ask: Ask, error: LLMError) -> float:
        """Seconds to wait before the same provider is asked again: as it said, or else by the number of tries."""
        if error.retry_after is not None:
            return error.retry_after
        return self._policy.retries.delay(ask.leg.tries - 1, self._parts.random)

    def has_tries_left(self, ask: Ask) -> bool:
        """Whether the same provider may be asked again, now or later."""
        retries = self._policy.retries
        if not self._retry or ask.leg.tries > retries.max_retries:
            return False
        # Who waits for an open breaker adds no load: it lets one through to find out.
        return self.is_open(ask) or not self._parts.budget.is_spent(self._parts.timer(), retries)

    def is_open(self, ask: Ask) -> bool:
        """Whether nobody is sent there now."""
        return self._parts.board.usable_at(ask.target) > self._parts.clock()
