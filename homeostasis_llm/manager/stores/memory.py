"""Keep health in this process alone."""

from __future__ import annotations

from threading import Lock

from ..health import UNTRIED, Health
from ..target import Target
from .base import Change


class MemoryStore:
    """A `HealthStore` that ends with the process."""

    def __init__(self) -> None:
        self._known: dict[Target, Health] = {}
        self._lock = Lock()

    def read(self, target: Target) -> Health:
        return self._known.get(target, UNTRIED)

    def update(self, target: Target, change: Change) -> Health:
        with self._lock:
            self._known[target] = health = change(self._known.get(target, UNTRIED))
            return health

    def read_all(self) -> dict[Target, Health]:
        with self._lock:
            return dict(self._known)

    def clear(self, provider: str | None = None) -> None:
        with self._lock:
            self._known = without(provider, self._known)

    def close(self) -> None:
        """Nothing is open."""


def without(provider: str | None, known: dict[Target, Health]) -> dict[Target, Health]:
    """What is known of other providers than that; None stands for all."""
    return {target: health for target, health in known.items() if provider not in {None, target.provider}}
