"""The arithmetic of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def p99(times: Sequence[float]) -> float:
    """What 99 of 100 did not exceed (nearest rank)."""
    ordered = sorted(times)
    return ordered[max(0, -(-99 * len(ordered) // 100) - 1)]


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """How many times the other's the one's is: the middle of the rounds' own ratios.

    Whatever else the machine did in a round was done to both, so that it falls out. Rounds at the end that only one of
    them has are left out.
    """
    return median(a / b for a, b in zip(one, other, strict=False))


def excess(one: Sequence[float], other: Sequence[float]) -> float:
    """How much more the one's is than the other's: the middle of the rounds' own differences."""
    return median(a - b for a, b in zip(one, other, strict=False))
