"""State what a store of health promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..health import Health
from ..target import Target

Change = Callable[[Health], Health]
"""From what is stored to what shall be. It may be called more than once, with what others have stored meanwhile."""


class HealthStore(Protocol):
    """Keeps a `Health` for each target. Safe for threads; raises nothing for a place that cannot be reached."""

    def read(self, target: Target) -> Health:
        """What is known of `target`; an untried one's health where nothing is."""

    def update(self, target: Target, change: Change) -> Health:
        """Apply `change`, without another update in between, and return what is known then."""

    def read_all(self) -> dict[Target, Health]:
        """What is known, of all targets."""

    def clear(self, provider: str | None = None) -> None:
        """Forget all targets of `provider`, or all."""

    def close(self) -> None:
        """Write what is not written yet, and give back connections. The store stays usable."""
