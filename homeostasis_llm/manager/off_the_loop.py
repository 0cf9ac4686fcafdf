"""Keep an event loop free of what a journey waits for: keyrings, files and other machines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from .journey import Journey
from .steps import Ask

T = TypeVar("T")


async def found(journey: Journey, what: Callable[[], T]) -> T:
    """What `what` finds to be done. Where nobody waits for that any more, whom it has found to be asked is not."""
    if not journey.may_block():
        return what()
    future = _begun(what)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(partial(_leave_unasked, journey))
        raise


async def told(journey: Journey, what: Callable[[], T]) -> T:
    """What comes of telling the journey something by `what`, which is written down where others read it."""
    return await in_a_thread(what) if journey.is_shared else what()


async def in_a_thread(what: Callable[[], T]) -> T:
    """What `what` gives. It is done to its end, also where nobody waits for that any more."""
    return await asyncio.shield(_begun(what))


def _begun(what: Callable[[], T]) -> asyncio.Future[T]:
    # Not `asyncio.to_thread`: one that is cancelled before its turn has come would never be done.
    return asyncio.get_running_loop().run_in_executor(None, copy_context().run, what)


def _leave_unasked(journey: Journey, future: asyncio.Future[T]) -> None:
    if not future.cancelled() and future.exception() is None and isinstance(ask := future.result(), Ask):
        journey.unasked(ask)
