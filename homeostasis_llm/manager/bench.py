"""Remember who is not to be asked for a while, and why: a wrong key, an empty account, a provider that said when.

Apart from health: what is here says nothing about whether the provider works.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from threading import Lock

from ..errors import LLMError
from .target import Target


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a target is not asked now."""

    until: float
    """Seconds since 1970."""
    error: LLMError
    """Without what led to it: another request has its own way."""
    key: int
    """What tells the key from others; another one is not meant."""


class Bench:
    """Who rests. Safe for threads."""

    def __init__(self) -> None:
        self._resting: dict[Target, Rest] = {}
        self._lock = Lock()

    def rest(self, target: Target, until: float, error: LLMError, key: int) -> None:
        """Have `target` rest for that error; whoever rests longer already still does."""
        kept = copy.copy(error)
        kept.attempts, kept.partial = [], None
        with self._lock:
            before = self._resting.get(target)
            if before is None or before.key != key or before.until < until:
                self._resting[target] = Rest(until, kept, key)

    def resting(self, target: Target, now: float, key: int) -> Rest | None:
        """Why `target` is not to be asked with that key; None where it may."""
        found = self._resting.get(target)
        if found is None:
            return None
        if found.until > now and found.key == key:
            return found
        with self._lock:
            if self._resting.get(target) is found:
                del self._resting[target]
        return None

    def all(self, now: float) -> dict[Target, Rest]:
        """Everybody who rests."""
        with self._lock:
            return {target: rest for target, rest in self._resting.items() if rest.until > now}

    def clear(self, provider: str | None = None) -> None:
        """Wake everybody, or everything of one provider."""
        with self._lock:
            self._resting = {
                target: rest
                for target, rest in self._resting.items()
                if provider is not None and target.provider != provider
            }
