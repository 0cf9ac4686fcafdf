"""Tell how the providers are, for people and for monitoring: all of it as JSON can have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .bench import Rest
from .board import HealthBoard
from .breaker import usable_at
from .budgets.ledger import Ledger
from .health import Health
from .target import Target


def health_metrics(board: HealthBoard, resting: Mapping[Target, Rest], now: float) -> dict[str, dict[str, Any]]:
    """Of each provider that was ever asked: its state, and that of each of its models and keys.

    Times of day are seconds since 1970; `latency` and `first_token` are averages in seconds, newer ones weighing more.
    """
    providers: dict[str, list[dict[str, Any]]] = {}
    snapshot = board.snapshot()
    for target in sorted({*snapshot, *resting}):
        facts = _facts(target, snapshot.get(target, Health()), resting.get(target), board, now)
        providers.setdefault(target.provider, []).append(facts)
    return {name: {**_summed(targets), "targets": targets} for name, targets in providers.items()}


def _facts(target: Target, health: Health, rest: Rest | None, board: HealthBoard, now: float) -> dict[str, Any]:
    last = health.last_error
    waits = [moment for moment in (usable_at(health, now), 0.0 if rest is None else rest.until) if moment > now]
    return {
        "model": target.model or None,
        "key": target.key or None,
        "state": "resting" if rest is not None and health.state == "closed" else health.state,
        "calls": health.calls(now, board.config.window),
        "success_rate": board.success_rate(target),
        "latency": health.latency,
        "first_token": health.first_token,
        "last_error": None if last is None else {"kind": last.kind, "message": last.message, "at": last.at},
        "next_try": max(waits, default=None),
    }


def with_spending(metrics: dict[str, dict[str, Any]], ledger: Ledger, now: float) -> dict[str, dict[str, Any]]:
    """`metrics`, and in `spent` what each provider has cost today and in this month (UTC), in US dollars.

    Calls of which nobody knows what they cost are in `unpriced_calls`, and not in the sums.
    """
    for name in {entry.provider for entry in ledger.entries(now)}:
        day, month = ledger.spent(name, "day", now), ledger.spent(name, "month", now)
        metrics.setdefault(name, {**_UNKNOWN, "targets": []})["spent"] = {
            "day": day.dollars,
            "month": month.dollars,
            "calls": month.calls,
            "unpriced_calls": month.unpriced_calls,
        }
    return metrics


_UNKNOWN: dict[str, Any] = {
    "state": "closed",
    "success_rate": None,
    "latency": None,
    "first_token": None,
    "last_error": None,
    "next_try": None,
}

_WORST_FIRST = ("open", "half_open", "resting", "closed")


def _summed(targets: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A provider is as well as the best of its models and keys."""
    listed = list(targets)
    best = max(listed, key=lambda facts: _WORST_FIRST.index(facts["state"]))
    return {
        "state": best["state"],
        "success_rate": best["success_rate"],
        "latency": best["latency"],
        "first_token": best["first_token"],
        "last_error": max(
            (facts["last_error"] for facts in listed if facts["last_error"]), key=lambda last: last["at"], default=None
        ),
        "next_try": best["next_try"],
    }
