"""Keep what was spent: in memory, in a file for all processes of a user, or in a Redis for several machines.

What is recorded is written at once and counts at once; what others wrote is read once a second. A place that cannot be
reached is told of once, and gets what was recorded meanwhile when it is back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from ...usage import Usage
from ..reach import Reach, UnreachableError
from .amounts import NOTHING, Entry, Period, Place, Spent, day_of

Key = TypeVar("Key")

_Totals = dict[tuple[str, str | None], Spent]
"""By day or month, and provider; None stands for all."""

_AT_MOST_EVERY = 1.0
"""Seconds between two looks at what others wrote."""

_MEANWHILE = "what is spent is kept in this process alone"


class Ledger:
    """What was spent, of this month at least. For any number of threads."""

    def __init__(self, place: Place | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Without a `place` it ends with the process. `clock` gives seconds, for how old may be what was read."""
        self._place = place
        self._reach = None if place is None else Reach(place.name, _MEANWHILE, place.check, clock)
        self._clock = clock
        self._lock = Lock()
        self._known: dict[Entry, Spent] = {}
        self._unwritten: dict[Entry, Spent] = {}
        self._totals: _Totals = {}
        self._month = ""
        self._look_at = float("-inf")

    def record(self, provider: str, model: str, *, cost: float | None, usage: Usage | None, now: float) -> None:
        """Note one answered call; `cost` is in US dollars, None where it is unknown. `now` is wall-clock seconds."""
        entry = Entry(day_of(now), provider, model)
        amount = Spent(
            dollars=0.0 if cost is None else cost,
            calls=1,
            unpriced_calls=int(cost is None),
            input_tokens=0 if usage is None else usage.input_tokens or 0,
            output_tokens=0 if usage is None else usage.output_tokens or 0,
        )
        with self._lock:
            _count(self._totals, entry, amount)
            _add(self._known, entry, amount)
            if self._place is not None:
                _add(self._unwritten, entry, amount)
                self._write(self._place)

    def spent(self, provider: str | None, period: Period, now: float) -> Spent:
        """What a provider, or all together, have cost in the day or the month of `now`, up to now."""
        day = day_of(now)
        key = (day if period == "day" else day[:7], provider)
        # Whoever comes while another thread looks takes what was known a moment ago, rather than wait.
        first = self._month != day[:7]
        if (first or self._clock() >= self._look_at) and self._lock.acquire(blocking=first):
            try:
                self._look(day[:7])
            finally:
                self._lock.release()
        return self._totals.get(key, NOTHING)

    def entries(self, now: float) -> dict[Entry, Spent]:
        """What each model of each provider has cost on each day of the month of `now`."""
        month = day_of(now)[:7]
        with self._lock:
            self._look(month)
            return {entry: spent for entry, spent in self._known.items() if entry.month == month}

    def close(self) -> None:
        """Write what could not be written so far, and give back connections. The ledger stays usable."""
        with self._lock:
            if self._place is not None:
                self._write(self._place)
                self._place.close()

    def _look(self, month: str) -> None:
        """See what others wrote."""
        place, reach = self._place, self._reach
        self._look_at = self._clock() + _AT_MOST_EVERY
        if place is None or reach is None:
            self._month = month
            return
        if not self._write(place):
            return
        try:
            found = reach.use(lambda: place.read(month, anew=self._month != month))
        except UnreachableError:
            return
        self._month = month
        if found is not None:
            totals: _Totals = {}
            for entry, amount in found.items():
                _count(totals, entry, amount)
            self._known, self._totals = found, totals  # whoever reads the totals meanwhile holds no lock

    def _write(self, place: Place) -> bool:
        """Whether all is written, and others' may be read."""
        if self._unwritten and self._reach is not None:
            try:
                self._reach.use(lambda: place.add(self._unwritten))
            except UnreachableError:
                return False
            self._unwritten = {}
        return True


def _count(totals: _Totals, entry: Entry, amount: Spent) -> None:
    for period in (entry.day, entry.month):
        for provider in (entry.provider, None):
            _add(totals, (period, provider), amount)


def _add(amounts: dict[Key, Spent], key: Key, amount: Spent) -> None:
    amounts[key] = amounts.get(key, NOTHING) + amount
