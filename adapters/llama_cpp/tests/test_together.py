"""Many at once: threads, tasks, event loops; and those who leave before the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider, calls

from homeostasis_llm import LLMResponse

from .asked import CAPITAL, asked

QUESTIONS = [CAPITAL, "What is water made of?", "Name three colors."]


def test_threads_that_ask_at_once_get_the_answers_they_would_get_alone(provider: LlamaCppProvider) -> None:
    requests = [asked(question, max_tokens=8) for question in QUESTIONS]
    alone = [provider.complete(request).content for request in requests]

    with ThreadPoolExecutor(len(requests)) as threads:
        together = [response.content for response in threads.map(provider.complete, requests)]

    assert together == alone


async def test_so_do_tasks(provider: LlamaCppProvider) -> None:
    requests = [asked(question, max_tokens=8) for question in QUESTIONS]
    alone = [(await provider.acomplete(request)).content for request in requests]

    together = await asyncio.gather(*(provider.acomplete(request) for request in requests))

    assert [response.content for response in together] == alone


def test_event_loops_one_after_another_and_side_by_side_may_use_one_provider(provider: LlamaCppProvider) -> None:
    def in_a_loop(_: int = 0) -> LLMResponse:
        return asyncio.run(provider.acomplete(asked(CAPITAL)))

    with ThreadPoolExecutor(2) as threads:
        answers = {response.content for response in [in_a_loop(), in_a_loop(), *threads.map(in_a_loop, range(2))]}

    assert answers == {provider.complete(asked(CAPITAL)).content}


async def test_the_event_loop_goes_on_while_the_model_writes(provider: LlamaCppProvider) -> None:
    await provider.acomplete(asked("Hello", max_tokens=1))  # loaded
    answer = asyncio.create_task(provider.acomplete(asked("Tell me a story.", max_tokens=40)))

    turns = 0
    while not answer.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 40


ENDLESS = asked("Tell me a long story.", max_tokens=1900, extra={"ignore_eos": True})


def test_to_leave_a_stream_stops_the_model(provider: LlamaCppProvider) -> None:
    stream = provider.complete_stream(ENDLESS)
    next(stream)

    stream.close()  # type: ignore[attr-defined]  # it is a generator

    _wait_for(lambda: not calls._under_way)
    assert provider.complete(asked(CAPITAL)).content


async def test_to_leave_an_async_stream_stops_the_model(provider: LlamaCppProvider) -> None:
    stream = provider.acomplete_stream(ENDLESS)
    await anext(stream)

    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator

    await asyncio.to_thread(_wait_for, lambda: not calls._under_way)


@pytest.mark.parametrize("text", ["Tell me a long story.", "word " * 1800], ids=["writing", "reading"])
async def test_to_cancel_a_task_stops_the_model(provider: LlamaCppProvider, text: str) -> None:
    answer = asyncio.create_task(provider.acomplete(asked(text, max_tokens=1900, extra={"ignore_eos": True})))
    await asyncio.to_thread(_wait_for, lambda: bool(calls._under_way))

    answer.cancel()

    with pytest.raises(asyncio.CancelledError):
        await answer
    await asyncio.to_thread(_wait_for, lambda: not calls._under_way)


def test_a_loop_that_closes_amid_an_answer_stops_the_model(provider: LlamaCppProvider) -> None:
    loop = asyncio.new_event_loop()
    stream = provider.acomplete_stream(ENDLESS)
    loop.run_until_complete(anext(stream))

    loop.close()

    _wait_for(lambda: not calls._under_way)


def test_who_stops_waiting_for_a_long_prompt_does_not_wait_for_it(provider: LlamaCppProvider) -> None:
    with pytest.raises(TimeoutError):
        provider.complete(asked("word " * 1800, timeout=0.01))

    _wait_for(lambda: not calls._under_way)


def _wait_for(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; it must within ten seconds, a fraction of what the whole answer would take."""
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "it still goes on"
        time.sleep(0.01)
