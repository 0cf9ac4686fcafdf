"""Say how often, and how long, one request may be tried; count the retries of all requests together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Annotated

from pydantic import Field

from .._value import Value, value
from ..errors import InvalidRequestError
from ..request import Seconds

NonNegative = Annotated[int, Field(ge=0)]


@value
class RetryConfig(Value):
    """How failures are met. One owner of all retries: those of litellm and of the SDKs under it are off.

    A wait is a random part of `base_delay * exponential_base ** n`, at most `max_delay` ("full jitter"). A provider
    that says how long to wait is obeyed instead, where that fits.
    """

    max_retries: NonNegative = 2
    """Further tries of one provider with one request, where `rules.py` has it tried again."""
    base_delay: Annotated[float, Field(ge=0)] = 0.5
    """Seconds before the first retry, at most."""
    max_delay: Annotated[float, Field(ge=0)] = 10.0
    """Seconds before any retry, at most. A provider that wants more is not waited for while another can be asked."""
    exponential_base: Annotated[float, Field(ge=1)] = 2.0
    jitter: bool = True
    """Whether a wait is a random part of what it could be. Without it, clients that failed together come back so."""
    deadline: Seconds | None = 300.0
    """Seconds that a request may take with all its tries and waits, until an answer begins; None for no end."""
    max_attempts: Annotated[int, Field(gt=0)] = 10
    """Tries of one request, with all providers together."""
    retry_budget: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Retries may be this part of the requests of the last `budget_window` …"""
    min_retries: NonNegative = 10
    """… and this many in any case, so that few requests can be retried too."""
    budget_window: Seconds = 60.0
    """Seconds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_delay < self.base_delay:
            raise InvalidRequestError(
                f"RetryConfig.max_delay: is {self.max_delay}, less than base_delay, {self.base_delay}"
            )

    def delay(self, retries: int, random: Callable[[], float]) -> float:
        """Seconds to wait after `retries` retries; `random` gives a number from 0 to 1."""
        try:
            most = min(self.max_delay, self.base_delay * self.exponential_base**retries)
        except OverflowError:
            most = self.max_delay
        return most * random() if self.jitter else most


class RetryBudget:
    """Counts requests and retries, so that retries cannot multiply the load on what already fails."""

    def __init__(self) -> None:
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()
        self._lock = Lock()

    def request(self, now: float, config: RetryConfig) -> None:
        """Count a request."""
        with self._lock:
            self._forget(now - config.budget_window)
            self._requests.append(now)

    def take(self, now: float, config: RetryConfig) -> bool:
        """Count a retry, unless there have been too many."""
        with self._lock:
            spent = self._is_spent(now, config)
            if not spent:
                self._retries.append(now)
            return not spent

    def is_spent(self, now: float, config: RetryConfig) -> bool:
        """Whether there have been too many for another one."""
        with self._lock:
            return self._is_spent(now, config)

    def _is_spent(self, now: float, config: RetryConfig) -> bool:
        self._forget(now - config.budget_window)
        return len(self._retries) + 1 > max(config.min_retries, config.retry_budget * len(self._requests))

    def _forget(self, since: float) -> None:
        for counted in (self._requests, self._retries):
            while counted and counted[0] <= since:
                counted.popleft()
