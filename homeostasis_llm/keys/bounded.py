"""Do something for a limited time: in a thread of its own, for nothing in a process can stop what hangs."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Attempt(Generic[T]):
    """One piece of work under way. What outlasts its time goes on in its thread, and nobody waits for it."""

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._outcome: list[T] = []
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name=name, daemon=True)

    @property
    def under_way(self) -> bool:
        """Whether it has begun and not ended."""
        return self._thread.is_alive()

    def finished_within(self, seconds: float) -> bool:
        """Begin, unless it has, and wait no longer than that."""
        if self._thread.ident is None:
            self._thread.start()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> T:
        """What came of it, once it has ended. Raises what it raised."""
        if self._failure is not None:
            raise self._failure
        return self._outcome[0]

    def _run(self) -> None:
        try:
            self._outcome.append(self._work())
        except BaseException as error:  # noqa: BLE001  # whoever waits is told; a thread has nobody else to tell
            self._failure = error


def within(seconds: float, work: Callable[[], T], name: str) -> T:
    """What `work` returns or raises. Raises `TimeoutError` where it takes longer than that."""
    attempt = Attempt(work, name)
    if not attempt.finished_within(seconds):
        raise TimeoutError
    return attempt.result()
