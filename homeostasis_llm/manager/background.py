"""Run what awaits for callers that do not: an event loop in a thread of its own, where two can be asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from threading import Lock, Thread
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """An event loop that starts when it is first needed. For any number of threads."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._lock = Lock()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives. Where the caller is interrupted, `work` is cancelled."""
        future = asyncio.run_coroutine_threadsafe(work, self._started())
        try:
            return future.result()
        finally:
            future.cancel()

    def iterate(self, pieces: AsyncGenerator[T]) -> Iterator[T]:
        """What `pieces` give, one by one; they are closed in every case."""
        end: Any = object()

        async def following() -> T:
            found: T = await anext(pieces, end)
            return found

        try:
            while (piece := self.run(following())) is not end:
                yield piece
        finally:
            self.run(pieces.aclose())

    def close(self) -> None:
        """End the thread. The next call starts another."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # Nobody waits for it at the end of the program: what it does then is of use to nobody.
                self._thread = Thread(target=self._loop.run_forever, name="homeostasis-llm", daemon=True)
                self._thread.start()
            return self._loop
