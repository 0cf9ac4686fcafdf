"""`drive.py` with `await`, and the only place where two providers may be asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from ..errors import LLMError, LLMTimeoutError
from ..promises import aanswer_of
from ..provider import astream_chunks
from ..response import LLMChunk, LLMResponse
from .course import Course, has_content
from .drive import as_llm_error
from .hedging import race
from .journey import Journey
from .off_the_loop import found, told
from .steps import Ask, Pause

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

Sleep = Callable[[float], Awaitable[object]]


async def complete(journey: Journey, sleep: Sleep) -> LLMResponse:
    """The answer of the first provider that gives one. Raises `LLMError`."""
    try:
        while True:
            step = await found(journey, journey.next)
            if isinstance(step, Pause):
                await _wait(journey, step, sleep)
                continue
            if (patience := journey.patience(step, streamed=False)) is not None:
                won = await race(journey, step, _answer, patience)
                if won is not None:
                    return await told(journey, partial(journey.answered, *won))
                continue
            try:
                response = await _answer(step)
            except LLMError as error:
                failure = error
            except BaseException:
                await told(journey, partial(journey.abandoned, step))
                raise
            else:
                return await told(journey, partial(journey.answered, step, response))
            await told(journey, partial(journey.failed, step, failure))
    finally:
        journey.close()


async def _answer(step: Ask) -> LLMResponse:
    try:
        async with asyncio.timeout(step.remaining) as bound:
            return await aanswer_of(step.route.provider, step.request)
    except Exception as error:  # noqa: BLE001  # an author's provider may raise anything, which must stop nobody
        failure = _in_time(error, step, out=bound.expired())
    raise failure


async def stream(
    journey: Journey, course: Course, sleep: Sleep, timer: Callable[[], float]
) -> AsyncGenerator[LLMChunk]:
    """`complete`, piece by piece."""
    try:
        while True:
            step = await found(journey, course.next)
            if isinstance(step, Pause):
                await _wait(journey, step, sleep)
                continue
            opened, failure = None, None
            try:
                opened = await _opened(journey, course, step, timer)
            except LLMError as error:
                failure = error
            if failure is not None:
                await told(journey, partial(course.failed, step, failure))
            if opened is None:
                continue
            async with aclosing(_pieces(journey, course, opened, timer)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, LLMError):
                        failure = piece
                        break
                    yield piece
            if failure is None:
                for piece in await told(journey, partial(_rest, course, opened.ask)):
                    yield piece
                return
            await told(journey, partial(course.failed, opened.ask, failure))
    finally:
        journey.close()


@dataclass(slots=True)
class _Opened:
    """A stream, as far as its first piece with something in it."""

    ask: Ask
    chunks: AsyncGenerator[LLMChunk]
    begun: list[tuple[LLMChunk, float]]
    """The pieces so far, each with the seconds after which it came."""


async def _opened(journey: Journey, course: Course, step: Ask, timer: Callable[[], float]) -> _Opened | None:
    """The stream that is the first to begin; None where all who were asked have failed."""

    async def begin(ask: Ask) -> _Opened:
        return await _begun(ask, timer)

    course.begin()
    if (patience := journey.patience(step, streamed=True)) is not None:
        won = await race(journey, step, begin, patience, lambda late: late.chunks.aclose())
        return None if won is None else won[1]
    try:
        return await begin(step)
    except LLMError:
        raise
    except BaseException:
        await told(journey, partial(journey.abandoned, step))
        raise


async def _begun(step: Ask, timer: Callable[[], float]) -> _Opened:
    chunks = cast("AsyncGenerator[LLMChunk]", astream_chunks(step.route.provider, step.request))
    opened = _Opened(step, chunks, [])
    keep = False
    try:
        async with asyncio.timeout(step.remaining) as bound:
            async for chunk in chunks:
                opened.begun.append((chunk, timer() - step.started))
                if has_content(chunk):
                    break
        keep = True
    except Exception as error:  # noqa: BLE001  # as in _answer
        failure = _in_time(error, step, out=bound.expired())
    else:
        return opened
    finally:
        if not keep:
            await chunks.aclose()
    raise failure


async def _pieces(
    journey: Journey, course: Course, opened: _Opened, timer: Callable[[], float]
) -> AsyncGenerator[LLMChunk | LLMError]:
    """What is passed on of one stream; an error last, where one ended it early."""
    step, ended = opened.ask, False
    try:
        async with aclosing(opened.chunks) as chunks:
            for chunk, seconds in opened.begun:
                for piece in course.take(step, chunk, seconds):
                    yield piece
            while True:
                try:
                    following = await anext(chunks, None)
                except Exception as error:  # noqa: BLE001  # as in _answer
                    ended = True
                    yield as_llm_error(error, step)
                    return
                if following is None:
                    break
                for piece in course.take(step, following, timer() - step.started):
                    yield piece
        ended = True
    finally:
        if not ended:
            await told(journey, partial(journey.abandoned, step))


def _rest(course: Course, ask: Ask) -> list[LLMChunk]:
    return list(course.end(ask))


async def _wait(journey: Journey, pause: Pause, sleep: Sleep) -> None:
    if pause.slots is None:
        await sleep(pause.seconds)
    else:
        journey.placed(got=await pause.slots.aacquire(pause.seconds))


def _in_time(error: Exception, ask: Ask, *, out: bool) -> LLMError:
    if out:
        return LLMTimeoutError(
            f"{ask.target.provider} gave no answer before the deadline of the request", provider=ask.target.provider
        )
    return as_llm_error(error, ask)
