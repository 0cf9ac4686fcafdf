"""Do what a journey says: ask, wait, and tell it what came of it. `adrive.py` does the same with `await`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, cast

from ..errors import LLMError
from ..promises import answer_of
from ..provider import stream_chunks
from ..response import LLMChunk, LLMResponse
from .course import Course
from .journey import Journey
from .steps import Ask, Pause

if TYPE_CHECKING:
    from collections.abc import Generator

Sleep = Callable[[float], object]


def complete(journey: Journey, sleep: Sleep) -> LLMResponse:
    """The answer of the first provider that gives one. Raises `LLMError`."""
    try:
        while True:
            step = journey.next()
            if isinstance(step, Pause):
                _wait(journey, step, sleep)
                continue
            try:
                response = answer_of(step.route.provider, step.request)
            except Exception as error:  # noqa: BLE001  # an author's provider may raise anything, which must stop nobody
                failure = as_llm_error(error, step)
            except BaseException:
                journey.abandoned(step)
                raise
            else:
                return journey.answered(step, response)
            journey.failed(step, failure)
    finally:
        journey.close()


def stream(journey: Journey, course: Course, sleep: Sleep, timer: Callable[[], float]) -> Iterator[LLMChunk]:
    """`complete`, piece by piece."""
    try:
        while True:
            step = course.next()
            if isinstance(step, Pause):
                _wait(journey, step, sleep)
                continue
            failure = yield from _pieces(journey, course, step, timer)
            if failure is None:
                yield from course.end(step)
                return
            course.failed(step, failure)
    finally:
        journey.close()


def _pieces(
    journey: Journey, course: Course, step: Ask, timer: Callable[[], float]
) -> Generator[LLMChunk, None, LLMError | None]:
    """What one provider streams; returns what ended it early."""
    course.begin()
    ended = False
    try:
        with closing(cast("Generator[LLMChunk]", stream_chunks(step.route.provider, step.request))) as chunks:
            while True:
                try:
                    chunk = next(chunks, None)
                except Exception as error:  # noqa: BLE001  # as in complete
                    ended = True
                    return as_llm_error(error, step)
                if chunk is None:
                    break
                yield from course.take(step, chunk, timer() - step.started)
        ended = True
    finally:
        if not ended:
            journey.abandoned(step)
    return None


def _wait(journey: Journey, pause: Pause, sleep: Sleep) -> None:
    if pause.slots is None:
        sleep(pause.seconds)
    else:
        journey.placed(got=pause.slots.acquire(pause.seconds))


def as_llm_error(error: Exception, ask: Ask) -> LLMError:
    """`error`, or what stands for it where a provider raised something of its own."""
    if isinstance(error, LLMError):
        error.provider = error.provider or ask.target.provider
        return error
    return LLMError(
        f"{ask.target.provider} raised {type(error).__name__}: {error}", provider=ask.target.provider
    ).with_cause(error)
