"""Keep an event loop free of what a journey waits for: keyrings, files and other machines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from .journey import Journey
from .steps import Ask, Pause

T = TypeVar("T")


async def next_step(journey: Journey, what: Callable[[], Ask | Pause]) -> Ask | Pause:
    """`what` to do now."""
    return await in_a_thread(what) if journey.may_block() else what()


async def told(journey: Journey, what: Callable[[], T]) -> T:
    """What comes of telling the journey something by `what`, which is written down where others read it."""
    return await in_a_thread(what) if journey.is_shared else what()


async def in_a_thread(what: Callable[[], T]) -> T:
    """What `what` gives. It is done to its end, also where nobody waits for that any more."""
    # Not `asyncio.to_thread`: one that is cancelled before its turn has come would never be done.
    return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, copy_context().run, what))
