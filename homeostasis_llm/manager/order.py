"""Put providers in an order by what they cost, how fast they answer and how reliably, as the policies weigh it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..catalog import facts_of
from ..config import Level, ProviderPolicies, Settings
from .board import HealthBoard
from .budgets.prices import price_of

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


def record(name: str, board: HealthBoard, settings: Settings) -> Record:
    """What was measured of a provider, with all its models and keys, and what its default model costs."""
    measured = [(target, health) for target, health in board.snapshot().items() if target.provider == name]
    rates = [rate for target, _ in measured if (rate := board.success_rate(target)) is not None]
    times = [health.latency for _, health in measured if health.latency is not None]
    return Record(
        cost=_price(name, settings),
        latency=sum(times) / len(times) if times else None,
        reliability=sum(rates) / len(rates) if rates else None,
    )


def _price(name: str, settings: Settings) -> float | None:
    facts, own = facts_of(name), settings.provider(name)
    model = own.default_model or (facts.default_model if facts is not None else None)
    if model is None:
        return None
    price = price_of(name, model, settings)
    return None if price is None else price.input + price.output


def _cheaper(found: Mapping[str, float | None]) -> dict[str, float]:
    """1 for the least, nearly 0 for what is many times that: twice as much is half as good."""
    known = [amount for amount in found.values() if amount is not None]
    least = min(known, default=0.0)
    return {
        name: _EQUAL if amount is None else 1.0 if amount <= least else least / amount for name, amount in found.items()
    }
