"""Decide whether a failed call is tried again, and when."""

from __future__ import annotations

import random
from collections.abc import Callable

from ..errors import LLMError

FIRST_WAIT = 0.5
"""Seconds; doubled with each further try."""
LONGEST_WAIT = 60.0
"""Seconds. Who is told to wait longer is told so by the error, instead of sleeping on it."""


class Retries:
    """The tries that one call has left."""

    def __init__(self, most: int, chance: Callable[[], float] = random.random) -> None:
        """`most` is how often the call may be repeated, `chance` a number from 0 to 1."""
        self._left = most
        self._wait = FIRST_WAIT
        self._chance = chance

    def wait_after(self, error: LLMError) -> float | None:
        """Seconds to wait before the next try; None if there shall be none."""
        if self._left <= 0 or not error.retryable:
            return None
        self._left -= 1
        # Spread, so that many callers who failed together do not come back together.
        wait = error.retry_after if error.retry_after is not None else self._wait * (0.5 + self._chance() / 2)
        self._wait *= 2
        return wait if wait <= LONGEST_WAIT else None
