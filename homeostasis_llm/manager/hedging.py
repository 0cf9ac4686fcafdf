"""Ask a second provider when the first is slower than it nearly always is, and take whoever is first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from ..errors import LLMError
from .journey import Journey
from .off_the_loop import found, told
from .steps import Ask

T = TypeVar("T")


async def race(
    journey: Journey,
    first: Ask,
    start: Callable[[Ask], Coroutine[Any, Any, T]],
    patience: float,
    discard: Callable[[T], Awaitable[object]] | None = None,
) -> tuple[Ask, T] | None:
    """Who was first, and with what; None where all have failed, and the journey goes on.

    `start` raises nothing but `LLMError`. `patience` is in seconds. The loser is cancelled, and counted as abandoned;
    where it came at the same moment, `discard` is given what it has brought.
    """
    running: dict[asyncio.Task[T], Ask] = {asyncio.ensure_future(start(first)): first}
    try:
        done, _ = await asyncio.wait(running, timeout=patience)
        if not done and (second := await found(journey, partial(journey.beside, first))) is not None:
            running[asyncio.ensure_future(start(second))] = second
        while running:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            # Where both come at once, the one that was asked first counts.
            for task in [task for task in running if task in done]:
                ask = running.pop(task)
                error = task.exception()
                if error is None:
                    return ask, task.result()
                if not isinstance(error, LLMError):
                    await told(journey, partial(journey.abandoned, ask))
                    raise error
                await told(journey, partial(journey.failed, ask, error))
        return None
    finally:
        for task in running:
            task.cancel()
        for ask in running.values():
            await told(journey, partial(journey.abandoned, ask))
        late = await asyncio.gather(*running, return_exceptions=True)
        if discard is not None:
            for brought in late:
                if not isinstance(brought, BaseException):
                    await discard(brought)
