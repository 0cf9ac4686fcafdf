"""Cap how many requests are with one provider at a time, over all threads and event loops of the process.

A place that becomes free goes straight to whoever has waited longest; nobody who comes later can take it. So `_taken`
is below the limit only while nobody waits.
"""

# No library: semaphores of asyncio and anyio belong to one event loop, those of threading block it, and none of them
# lets threads and tasks wait in one line.

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from threading import Event, Lock


class _Waiting:
    """Somebody in the line. `wake` is called once, with a place already taken in their name."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.served = False
        self.left = False
        self.lost = False
        """Whether nobody could be woken, so that the place was passed on."""


class Slots:
    """A number of places. Whoever gets one gives it back by `release`. For any number of threads and tasks."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit: must be at least 1, got {limit}")
        self._limit = limit
        self._taken = 0
        self._line: deque[_Waiting] = deque()
        self._lock = Lock()

    @property
    def limit(self) -> int:
        """How many places there are. A smaller limit takes no place away from those who have one."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit: must be at least 1, got {limit}")
        with self._lock:
            self._limit = limit
            served = self._serve()
        self._wake(served)

    @property
    def taken(self) -> int:
        """How many places are taken now."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many wait for a place now."""
        return len(self._line)

    def try_acquire(self) -> bool:
        """Take a place if one is free; where somebody waits, none is."""
        with self._lock:
            if self._taken >= self._limit:
                return False
            self._taken += 1
            return True

    def acquire(self, timeout: float | None = None) -> bool:
        """Take a place, waiting for it up to `timeout` seconds, None for as long as it takes; whether it was got."""
        arrived = Event()
        waiting = self._queue(arrived.set)
        if waiting is None:
            return True
        try:
            arrived.wait(timeout)
        except BaseException:  # Ctrl-C
            self._leave(waiting, give_back=True)
            raise
        return not self._leave(waiting)

    async def aacquire(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # in vain is an answer here
        """`acquire` without blocking the event loop. A cancelled task leaves the line, and gives back what it got."""
        loop = asyncio.get_running_loop()
        arrived = loop.create_future()
        waiting = self._queue(lambda: loop.call_soon_threadsafe(_settle, arrived))
        if waiting is None:
            return True
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await arrived
        except BaseException:  # cancelled, or thrown away together with its event loop
            self._leave(waiting, give_back=True)
            raise
        return not self._leave(waiting)

    def release(self) -> None:
        """Give a place back. Raises `ValueError` where none is taken."""
        with self._lock:
            if self._taken == 0:
                raise ValueError("more places were given back than taken")
            self._taken -= 1
            served = self._serve()
        self._wake(served)

    def _queue(self, wake: Callable[[], object]) -> _Waiting | None:
        """Take a place at once (None), or one in the line."""
        with self._lock:
            if self._taken < self._limit:
                self._taken += 1
                return None
            waiting = _Waiting(wake)
            self._line.append(waiting)
            return waiting

    def _serve(self) -> list[_Waiting]:
        """Take free places for those who wait; they are to be woken without the lock."""
        served = []
        while self._line and self._taken < self._limit:
            waiting = self._line.popleft()
            waiting.served = True
            self._taken += 1
            served.append(waiting)
        return served

    def _leave(self, waiting: _Waiting, *, give_back: bool = False) -> bool:
        """Leave the line; whether without a place. With `give_back`, one that was just got is given back."""
        with self._lock:
            waiting.left = True
            if not waiting.served:
                self._line.remove(waiting)
                return True
            if waiting.lost:
                return True
        if give_back:
            self.release()
        return False

    def _wake(self, served: list[_Waiting]) -> None:
        for waiting in served:
            try:
                waiting.wake()
            except RuntimeError:  # their event loop was closed while they waited: nobody is there to use the place
                with self._lock:
                    waiting.lost = not waiting.left
                if waiting.lost:
                    self.release()


def _settle(arrived: asyncio.Future[None]) -> None:
    if not arrived.done():
        arrived.set_result(None)
