"""A second provider is asked beside one that is slower than it nearly always is; whoever is first counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from homeostasis_llm import LLMChunk, LLMError, LLMManager, LLMRequest, LLMResponse, ServerError
from homeostasis_llm.response import merge_chunks
from tests.manager.scripted import HELLO, ONCE, Says, Time, asked, managed


class Slow(Says):
    """Says what it was told at once; from `hang` on, not before `freed`. Knows how often it was cancelled."""

    def __init__(self, name: str, *script: Any, time: Time) -> None:
        super().__init__(name, *script, time=time)
        self.hangs = False
        self.freed = asyncio.Event()
        self.waits = asyncio.Event()
        self.cancelled = 0

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        await self._hang()
        return self.complete(request)

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk | str]:
        await self._hang()
        for piece in self.complete_stream(request):
            yield piece

    async def _hang(self) -> None:
        if not self.hangs:
            return
        self.waits.set()
        try:
            await self.freed.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["complete", "stream", "acomplete", "astream"])
def ask(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The answer of a manager, in each of the four ways."""
    managers: list[LLMManager] = []

    async def asking(manager: LLMManager) -> LLMResponse:
        managers.append(manager)
        match request.param:
            case "complete":
                return await asyncio.to_thread(manager.complete, HELLO)
            case "stream":
                return merge_chunks(await asyncio.to_thread(lambda: list(manager.complete_stream(HELLO)))).to_response()
            case "acomplete":
                return await manager.acomplete(HELLO)
            case _:
                return merge_chunks([piece async for piece in manager.acomplete_stream(HELLO)]).to_response()

    yield asking
    for manager in managers:
        manager.close()


async def known(ask: Any, time: Time, *script: Any, hedge: bool = True) -> tuple[LLMManager, Slow, Says]:
    """A manager whose first provider has always answered at once, and hangs from now on."""
    first, second = Slow("first", *(script or ["of the first"]), time=time), Says("second", "of the second")
    manager = managed(first, second, time=time, hedge=hedge, retry_config=ONCE)
    for _ in range(5):
        assert (await ask(manager)).content == "of the first"
    first.hangs = True
    first.asked.clear()
    return manager, first, second


def outcomes(attempts: list[Any]) -> list[tuple[str, str]]:
    return sorted((attempt.provider, attempt.outcome) for attempt in attempts)


async def test_a_second_one_is_asked_and_the_slow_one_is_cancelled(time: Time, ask: Any) -> None:
    manager, first, second = await known(ask, time)

    response = await ask(manager)

    assert (response.content, response.provider) == ("of the second", "second")
    assert outcomes(response.attempts) == [("first", "abandoned"), ("second", "answered")]
    assert (first.cancelled, first.asked, asked(second)) == (1, [], [1])
    chosen = next(attempt for attempt in response.attempts if attempt.provider == "second")
    assert chosen.why == "first is slower than it nearly always is"
    # To be slow once is no failure.
    assert manager.get_provider_health_metrics()["first"]["success_rate"] == 1.0


async def test_nobody_is_asked_beside_one_of_whom_too_little_is_known(time: Time, ask: Any) -> None:
    first, second = Slow("first", "of the first", time=time), Says("second")
    manager = managed(first, second, time=time, hedge=True)
    first.hangs = True
    first.freed.set()

    assert (await ask(manager)).content == "of the first"
    assert asked(second) == [0]


async def test_without_hedging_nobody_else_is_asked(time: Time) -> None:
    async def asking(manager: LLMManager) -> LLMResponse:
        return await manager.acomplete(HELLO)

    manager, first, second = await known(asking, time, hedge=False)
    answer = asyncio.ensure_future(manager.acomplete(HELLO))
    await first.waits.wait()
    first.freed.set()

    assert (await answer).content == "of the first"
    assert asked(second) == [0]


async def test_where_the_second_fails_the_slow_one_is_waited_for(time: Time) -> None:
    async def asking(manager: LLMManager) -> LLMResponse:
        return await manager.acomplete(HELLO)

    manager, first, second = await known(asking, time)
    second.script = [ServerError("down")]
    answer = asyncio.ensure_future(manager.acomplete(HELLO))
    await first.waits.wait()
    for _ in range(50):  # turns of the loop, in which the second is asked and fails
        await asyncio.sleep(0)
    assert asked(second) == [1]
    first.freed.set()

    response = await answer
    assert response.content == "of the first"
    assert outcomes(response.attempts) == [("first", "answered"), ("second", "failed")]
    assert first.cancelled == 0


async def test_where_both_fail_the_request_ends_as_without_hedging(time: Time, ask: Any) -> None:
    manager, first, second = await known(ask, time, *["of the first"] * 5, ServerError("down"))
    second.script = [ServerError("down too")]
    first.freed.set()
    first.hangs = False

    with pytest.raises(LLMError) as caught:
        await ask(manager)

    assert outcomes(caught.value.attempts) == [("first", "failed"), ("second", "failed")]


async def test_a_caller_that_gives_up_cancels_both(time: Time) -> None:
    async def asking(manager: LLMManager) -> LLMResponse:
        return await manager.acomplete(HELLO)

    first, second = Slow("first", "of the first", time=time), Slow("second", "of the second", time=time)
    manager = managed(first, second, time=time, hedge=True, retry_config=ONCE)
    for _ in range(5):
        await asking(manager)
    first.hangs = second.hangs = True
    answer = asyncio.ensure_future(asking(manager))
    await second.waits.wait()

    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer

    assert (first.cancelled, second.cancelled) == (1, 1)
    first.hangs = False
    assert (await asking(manager)).content == "of the first"


async def test_whole_answers_and_streams_are_slow_each_by_its_own_measure(time: Time) -> None:
    async def streaming(manager: LLMManager) -> LLMResponse:
        return merge_chunks([piece async for piece in manager.acomplete_stream(HELLO)]).to_response()

    manager, first, second = await known(streaming, time)
    answer = asyncio.ensure_future(manager.acomplete(HELLO))
    await first.waits.wait()
    first.freed.set()

    assert (await answer).content == "of the first"  # how soon its streams begin says nothing of a whole answer
    assert asked(second) == [0]
