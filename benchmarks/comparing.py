"""Ask many clients in turn, in small slices, round after round: what disturbs the machine disturbs all alike."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median
from typing import Any

from .arithmetic import p99
from .cases import Case, Growing
from .fleet import Hand, LacksError, PeerFailedError
from .loops import Took
from .memory import Growth
from .orders import Order
from .results import Series

Failed = dict[str, str]
"""Why a client has no figures, by case and client."""

_IMPORTING = 150
"""Seconds for the first thing a client does, while all others import what they need."""


class Comparison:
    """The rounds of one case."""

    def __init__(self, case: Case, hands: Sequence[Hand], failed: Failed) -> None:
        self._case, self._failed = case, failed
        self._hands = [hand for hand in hands if hand.name in case.clients]
        self._orders: dict[str, Order] = {}
        self._series: dict[str, Series] = {}
        self._all: dict[str, list[float]] = {}

    def run(self, *, hurry: bool) -> dict[str, Series]:
        """Each client's figures. In a `hurry` there are no more rounds than there must be."""
        # Two at a time: the first thing a client does may import for seconds.
        with ThreadPoolExecutor(2) as pool:
            ready = list(pool.map(self._warm, self._hands))
        for hand in itertools.compress(self._hands, ready):
            self._prepare(hand)
        began, done = time.monotonic(), 0
        while done < self._case.least or (
            not hurry and done < self._case.most and time.monotonic() - began < self._case.seconds
        ):
            # Nobody comes always after the same one.
            first = done % max(1, len(self._hands))
            for hand in [*self._hands[first:], *self._hands[:first]]:
                if hand.name in self._orders:
                    self._round(hand)
            done += 1
        for name, series in self._series.items():
            series["p99"] = p99(self._all[name])
        return self._series

    def _warm(self, hand: Hand) -> bool:
        return self._told(hand, self._case.order, _IMPORTING) is not None

    def _prepare(self, hand: Hand) -> None:
        """See how often the client can ask in a slice of time."""
        order = replace(self._case.order, times=self._case.fewest)
        if self._case.slice > 0:
            if (took := self._told(hand, order)) is None:
                return
            times = round(self._case.slice / took["wall"] * order.times)
            order = replace(order, times=min(500, max(self._case.fewest, times)))
        self._orders[hand.name] = order

    def _round(self, hand: Hand) -> None:
        order = self._orders[hand.name]
        if (took := self._told(hand, order)) is None:
            del self._orders[hand.name]
            return
        series = self._series.setdefault(
            hand.name, Series(times=order.times, middle=[], first=[], wall=[], cpu=[], p99=0)
        )
        series["middle"].append(median(took["each"]))
        series["wall"].append(took["wall"])
        series["cpu"].append(took["cpu"])
        if took["first"]:
            series["first"].append(median(took["first"]))
        self._all.setdefault(hand.name, []).extend(took["each"])

    def _told(self, hand: Hand, order: Order, patience: float = 60) -> Took | None:
        found: Took | None = _answer(hand, order, self._case.name, self._failed, patience)
        return found


def grown(growing: Iterable[Growing], hands: Callable[[Sequence[str]], Sequence[Hand]], failed: Failed) -> Any:
    """How much memory each client has kept, by what was done. Two at a time: it is not about time.

    Each is done in a process of its own, made by `hands`, so that nothing has been warmed up before.
    """
    found: dict[str, dict[str, Growth]] = {}
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            (each.what, hand, pool.submit(_closing, hand, each.order, each.what, failed))
            for each in growing
            for hand in hands(each.clients)
        ]
        for what, hand, job in jobs:
            if (growth := job.result()) is not None:
                found.setdefault(what, {})[hand.name] = growth
    return found


def profiled(hand: Hand, orders: dict[str, Order], failed: Failed) -> dict[str, Any]:
    """Whose code is at work, by what is done."""
    told = {what: _answer(hand, order, f"profile, {what}", failed) for what, order in orders.items()}
    return {what: {hand.name: shares} for what, shares in told.items() if shares is not None}


def _closing(hand: Hand, order: Order, what: str, failed: Failed) -> Any:
    try:
        return _answer(hand, order, what, failed, patience=30 + order.seconds * 3)  # it imports first
    finally:
        hand.close()


def _answer(hand: Hand, order: Order, what: str, failed: Failed, patience: float = 60) -> Any:
    """None for a client that has nothing for it, and for one that fails: the others go on."""
    try:
        return hand.do(order, patience)
    except LacksError:
        return None
    except PeerFailedError as error:
        failed[f"{what}, {hand.name}"] = str(error)
        return None
