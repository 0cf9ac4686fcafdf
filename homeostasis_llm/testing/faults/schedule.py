"""When a flapping server is down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """Down for the first part of each period, up for the rest of it.

    Periods are counted from the clock's own zero, so that servers with one clock keep step with each other.
    """

    period: float
    """Seconds."""
    down: float
    """The part of a period, from 0 to 1."""
    phase: float
    """By what part of a period this one is ahead of the clock."""
    clock: Callable[[], float]
    by: Step | Literal["refuse"]
    """What is done with a request that comes while the server is down; `refuse` lets nobody connect."""

    def __post_init__(self) -> None:
        if not self.period > 0:
            raise ValueError(f"flap: period is {self.period}; give seconds, more than 0")
        if not 0 <= self.down <= 1:
            raise ValueError(f"flap: down is {self.down}; give a part of the period, from 0 to 1")

    def is_down(self) -> bool:
        """Whether it is down now."""
        return (self.clock() / self.period + self.phase) % 1.0 < self.down
