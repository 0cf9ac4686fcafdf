"""Put providers in an order by what they cost, how fast they answer and how reliably, as the policies weigh it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..config import Level, ProviderPolicies

_WEIGHTS: dict[Level, int] = {"low": 1, "balanced": 2, "high": 4}

_EQUAL = 0.5
"""What is not known neither helps nor harms."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one provider; None where nothing is."""

    cost: float | None = None
    """US dollars for a million tokens read and as many written, of its default model."""
    latency: float | None = None
    """Seconds for an answer, as measured."""
    reliability: float | None = None
    """The part of its calls that were answered, from 0 to 1."""


def by_policy(names: Sequence[str], record: Callable[[str], Record], policies: ProviderPolicies) -> list[str]:
    """`names` with the best first; those that are equal stay in the order they came in."""
    records = {name: record(name) for name in names}
    cheap = _cheaper({name: found.cost for name, found in records.items()})
    fast = _cheaper({name: found.latency for name, found in records.items()})

    def worth(name: str) -> float:
        reliable = records[name].reliability
        return (
            _WEIGHTS[policies.cost] * cheap[name]
            + _WEIGHTS[policies.latency] * fast[name]
            + _WEIGHTS[policies.reliability] * (_EQUAL if reliable is None else reliable)
        )

    return sorted(names, key=worth, reverse=True)


def _cheaper(found: Mapping[str, float | None]) -> dict[str, float]:
    """1 for the least, nearly 0 for what is many times that: twice as much is half as good."""
    known = [amount for amount in found.values() if amount is not None]
    least = min(known, default=0.0)
    return {
        name: _EQUAL if amount is None else 1.0 if amount <= least else least / amount for name, amount in found.items()
    }
