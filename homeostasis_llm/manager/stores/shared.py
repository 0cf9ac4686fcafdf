"""Share health with other processes through a place that may be slow, broken or gone, and never wait for one that is.

A working copy is in memory. A breaker that opens, closes or sends a probe is written at once, so that no two processes
probe; what only changes averages is written once a second, and what others wrote is read as often. A place that cannot
be reached is told of once; until it comes back, the working copy is all there is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Lock, Thread
from typing import Protocol

from ..health import UNTRIED, Health
from ..reach import UnreachableError
from ..target import Target
from .base import Change
from .memory import without

logger = logging.getLogger(__name__)

_AT_MOST_EVERY = 1.0
"""Seconds between two looks at what others wrote, and between two writings of averages."""

_TRY_AGAIN_AFTER = 5.0
"""Seconds."""


class Place(Protocol):
    """Where processes share health. All but `close` may raise `UnreachableError`; one is called at a time."""

    name: str
    """For people; without a password."""

    def check(self) -> None:
        """Whether it can be reached."""

    def read_all(self) -> dict[Target, Health] | None:
        """What is there; None where nobody else has written since the last time."""

    def update(self, target: Target, change: Change) -> Health:
        """Apply `change` to what is there, without another update in between, and return it."""

    def clear(self, provider: str | None) -> None:
        """Remove all targets of `provider`, or all."""

    def close(self) -> None:
        """Give back connections; they are made again when needed."""


class SharedStore:
    """A `HealthStore` over a place that many processes write to."""

    def __init__(self, place: Place, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._lock = Lock()
        self._known: dict[Target, Health] = {}
        self._unwritten: dict[Target, list[Change]] = {}
        """In the order they were made, to be made again upon what others wrote meanwhile."""
        self._reachable = True
        self._look_at = self._write_at = self._try_at = float("-inf")

    def read(self, target: Target) -> Health:
        # Whoever comes while another thread looks takes what was known a moment ago: `_look_at` has moved on by then.
        if self._clock() >= self._look_at:
            with self._lock:
                self._look()
        return self._known.get(target, UNTRIED)

    def update(self, target: Target, change: Change) -> Health:
        with self._lock:
            self._look()
            before = self._known.get(target, UNTRIED)
            after = change(before)
            if after == before:
                return before
            self._known[target] = after
            if not self._reachable:
                return after
            self._unwritten.setdefault(target, []).append(change)
            if _standing(after) != _standing(before):
                self._guarded(lambda: self._write(target))
            elif self._clock() >= self._write_at:
                self._guarded(self._write_all)
            return self._known[target]

    def read_all(self) -> dict[Target, Health]:
        with self._lock:
            self._look()
            return dict(self._known)

    def clear(self, provider: str | None = None) -> None:
        with self._lock:
            self._look()
            self._known = without(provider, self._known)
            self._unwritten = {target: made for target, made in self._unwritten.items() if target in self._known}
            if self._reachable:
                self._guarded(lambda: self._place.clear(provider))

    def close(self) -> None:
        with self._lock:
            if self._reachable:
                self._guarded(self._write_all)
            self._place.close()

    def _look(self) -> None:
        """See what others wrote, if the last look was long enough ago."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _AT_MOST_EVERY
        if self._reachable:
            self._guarded(self._exchange)
        elif now >= self._try_at:
            self._try_at = now + _TRY_AGAIN_AFTER
            # In a thread of its own: a place that takes its time to fail shall not take that of a request.
            Thread(target=self._try_again, name=f"reach {self._place.name}", daemon=True).start()

    def _exchange(self) -> None:
        self._write_all()
        found = self._place.read_all()
        if found is not None:
            self._known = found

    def _write_all(self) -> None:
        if self._unwritten:
            self._write_at = self._clock() + _AT_MOST_EVERY
        for target in list(self._unwritten):
            self._write(target)

    def _write(self, target: Target) -> None:
        self._known[target] = self._place.update(target, partial(_all_of, self._unwritten[target]))
        del self._unwritten[target]

    def _guarded(self, reach: Callable[[], None]) -> None:
        """Do without the place from now on if it cannot be reached."""
        try:
            reach()
        except UnreachableError as error:
            logger.warning(
                "%s: health is kept in this process alone until it can be reached: %s", self._place.name, error
            )
            self._reachable = False
            self._try_at = self._clock() + _TRY_AGAIN_AFTER
            self._unwritten.clear()

    def _try_again(self) -> None:
        try:
            self._place.check()
        except UnreachableError:
            return
        with self._lock:
            logger.info("%s: can be reached again", self._place.name)
            self._reachable = True
            # All of it, also what has not changed since: it may have come back empty.
            self._unwritten = {target: [partial(_newer, ours)] for target, ours in self._known.items()}
            self._look_at = self._clock()


def _standing(health: Health) -> tuple[object, ...]:
    """What others must know at once."""
    return health.state, health.turn, health.probe, health.retry_at


def _all_of(changes: list[Change], health: Health) -> Health:
    for change in changes:
        health = change(health)
    return health


def _newer(ours: Health, theirs: Health) -> Health:
    """The one whose breaker has moved last."""
    return theirs if theirs.changed_at > ours.changed_at else ours
