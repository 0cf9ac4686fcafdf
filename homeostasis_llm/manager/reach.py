"""Do without a place that cannot be reached, saying so once, until it can be again.

Nobody waits for it meanwhile: every few seconds a thread of its own tries, and those who call are refused at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

TRY_AGAIN_AFTER = 5.0
"""Seconds."""


class UnreachableError(Exception):
    """The place cannot be reached now. The text says why, and what a person can do."""


class Reach:
    """Whether a place can be reached. For any number of threads."""

    def __init__(
        self, name: str, meanwhile: str, check: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`name` is the place's, without a password; `meanwhile` says what holds while it cannot be reached.

        `check` raises `UnreachableError` where it cannot be; `clock` gives seconds.
        """
        self.name = name
        self._meanwhile = meanwhile
        self._check = check
        self._clock = clock
        self._lock = Lock()
        self._lost = False
        self._try_at = 0.0

    def use(self, action: Callable[[], T]) -> T:
        """What `action` gives. Raises `UnreachableError` where it does, and without calling it while that holds."""
        if self._lost:
            self._look()
            raise UnreachableError(f"{self.name} cannot be reached")
        try:
            return action()
        except UnreachableError as error:
            with self._lock:
                first, self._lost = not self._lost, True
                self._try_at = self._clock() + TRY_AGAIN_AFTER
            if first:
                logger.warning("%s: %s until it can be reached: %s", self.name, self._meanwhile, error)
            raise

    def _look(self) -> None:
        with self._lock:
            if not self._lost or self._clock() < self._try_at:
                return
            self._try_at = self._clock() + TRY_AGAIN_AFTER
        Thread(target=self._try_again, name=f"reach {self.name}", daemon=True).start()

    def _try_again(self) -> None:
        try:
            self._check()
        except UnreachableError:
            return
        with self._lock:
            self._lost = False
        logger.info("%s: can be reached again", self.name)
