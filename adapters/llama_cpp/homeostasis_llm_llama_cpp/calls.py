"""Run each call to llama.cpp in a thread of its own, so that whoever waits for it can stop waiting at any time.

A thread that is inside llama.cpp sees neither Ctrl-C nor a cancelled task, and an event loop must not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import time
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Thread
from typing import Protocol

from homeostasis_llm import LLMChunk, LLMTimeoutError, Timeout

# Seconds that the end of Python waits for calls to stop; a call stops at its next token, or stretch of the prompt.
_PATIENCE = 30.0


class StoppedError(Exception):
    """Nobody waits for the answer any more."""


class Call:
    """One call under way."""

    def __init__(self, work: Work, deliver: Callable[[LLMChunk | BaseException | None], None]) -> None:
        """`deliver` gets the pieces, then the error if there is one, else None."""
        self.stopped = False
        """Whether nobody waits any more."""
        self._work, self._deliver = work, deliver
        # Not waited for when Python ends, as other threads are: `stop_all` then stops it first.
        self._thread = Thread(target=self._run, name="llama_cpp", daemon=True)

    def start(self) -> None:
        _under_way.add(self)
        self._thread.start()

    def stop(self) -> None:
        self.stopped = True

    def emit(self, chunk: LLMChunk) -> None:
        """Hand on a piece of the answer. Raises `StoppedError` if nobody wants it."""
        self.check()
        self._deliver(chunk)

    def check(self) -> None:
        """Raise `StoppedError` if nobody waits any more."""
        if self.stopped:
            raise StoppedError

    def join(self, seconds: float) -> bool:
        """Wait until it has ended; False if that takes longer than `seconds`."""
        self._thread.join(max(seconds, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            outcome: BaseException | None = None
            try:
                self._work(self)
            except StoppedError:
                return
            except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits
                outcome = error
            with contextlib.suppress(StoppedError):
                self._deliver(outcome)
        finally:
            _under_way.discard(self)


class Work(Protocol):
    """What a call does: hand the pieces of an answer to `call.emit`."""

    def __call__(self, call: Call, /) -> None: ...


_under_way: set[Call] = set()


def stop_all() -> bool:
    """Stop what is under way, and wait for it; False if something did not stop."""
    until = time.monotonic() + _PATIENCE
    under_way = list(_under_way)
    for call in under_way:
        call.stop()
    return all(call.join(until - time.monotonic()) for call in under_way)


class Waits:
    """How long to wait for each piece; `start` is a reading of `time.monotonic`."""

    def __init__(self, limits: Timeout, start: float) -> None:
        self._limits, self._start, self._begun = limits, start, False

    def next(self) -> tuple[float | None, str]:
        """Seconds until patience ends with the next piece, None for never; and what has not come by then."""
        name, limit = "first_byte", self._limits.first_byte
        if self._begun:
            name, limit = "between_chunks", self._limits.between_chunks
        self._begun = True
        if self._limits.total is None:
            return limit, f"no further piece of the answer within {limit} s (timeout.{name})"
        left = max(self._limits.total - (time.monotonic() - self._start), 0.0)
        if limit is None or left < limit:
            return left, f"no complete answer within {self._limits.total} s (timeout.total)"
        return limit, f"no further piece of the answer within {limit} s (timeout.{name})"


def pieces(work: Work, patience: Timeout | None) -> Iterator[LLMChunk]:
    """What `work` emits. To close the iterator stops the work. Raises what `work` raises, and `LLMTimeoutError`."""
    inbox: queue.SimpleQueue[LLMChunk | BaseException | None] = queue.SimpleQueue()
    waits = Waits(patience or Timeout(), time.monotonic())
    call = Call(work, inbox.put)
    call.start()
    try:
        while True:
            seconds, missing = waits.next()
            try:
                found = inbox.get(timeout=seconds)
            except queue.Empty:
                raise LLMTimeoutError(missing) from None
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        call.stop()


async def apieces(work: Work, patience: Timeout | None) -> AsyncIterator[LLMChunk]:
    """`pieces` for async callers."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[LLMChunk | BaseException | None] = asyncio.Queue()
    waits = Waits(patience or Timeout(), time.monotonic())

    def deliver(found: LLMChunk | BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(inbox.put_nowait, found)
        except RuntimeError as error:  # the loop is closed
            raise StoppedError from error

    call = Call(work, deliver)
    call.start()
    try:
        while True:
            seconds, missing = waits.next()
            try:
                async with asyncio.timeout(seconds):
                    found = await inbox.get()
            except TimeoutError:
                raise LLMTimeoutError(missing) from None
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        call.stop()


def _forget() -> None:
    # The threads were not inherited, so nothing would ever take these out.
    _under_way.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
