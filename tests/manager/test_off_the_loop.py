"""What is kept in a file or in a Redis is read and written beside the event loop, which has other calls to carry."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from redis.connection import AbstractConnection

from homeostasis_llm import (
    LLMChunk,
    LLMError,
    LLMManager,
    LLMRequest,
    LLMResponse,
    RetryConfig,
    ServerError,
    Settings,
)
from homeostasis_llm.manager.database import Database
from homeostasis_llm.manager.journey import Journey
from homeostasis_llm.manager.off_the_loop import in_a_thread
from homeostasis_llm.manager.steps import Ask, Pause
from tests.manager.redis_server import RedisServer, redis_server
from tests.manager.scripted import HELLO, ONCE, Says

__all__ = ["redis_server"]  # pytest finds the fixture by its name

LIMITED = Settings.model_validate(
    {"providers": {"one": {"requests_per_minute": 100, "tokens_per_minute": 100_000, "spend_per_day": 5.0}}}
)
"""So that rates, spending and health are all kept."""


class Seen:
    """The threads that have reached for a file or for a Redis."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def note(self) -> None:
        self.threads.add(threading.get_ident())


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What really goes on, watched."""
    seen, connected, send = Seen(), Database.connected, AbstractConnection.send_packed_command

    @contextmanager
    def watched(self: Database, *, writing: bool = False) -> Iterator[Any]:
        seen.note()
        with connected(self, writing=writing) as connection:
            yield connection

    def sent(self: AbstractConnection, *command: Any, **options: Any) -> None:
        seen.note()
        send(self, *command, **options)  # type: ignore[no-untyped-call]  # redis-py's own

    monkeypatch.setattr(Database, "connected", watched)
    monkeypatch.setattr(AbstractConnection, "send_packed_command", sent)
    return seen


@pytest.fixture(params=["file", "redis"])
def state(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if request.param == "file":
        return "file"
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


class Hanging(Says):
    """Never answers."""

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        await asyncio.sleep(3600)
        return self.complete(request)

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk | str]:
        yield f"{request.messages[0].text} "
        await asyncio.sleep(3600)


Way = Callable[[LLMManager], Coroutine[Any, Any, None]]


async def _whole(manager: LLMManager) -> None:
    with suppress(LLMError):
        await manager.acomplete(HELLO)


async def _streamed(manager: LLMManager) -> None:
    with suppress(LLMError):
        async for _ in manager.acomplete_stream(HELLO):
            pass


async def _given_up(manager: LLMManager) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            await manager.acomplete(HELLO)


async def _left(manager: LLMManager) -> None:
    stream: Any = manager.acomplete_stream(HELLO)
    async with aclosing(stream):
        await anext(stream)


@pytest.mark.parametrize(
    ("first", "way"),
    [
        (Says("one"), _whole),
        (Says("one"), _streamed),
        (Says("one", ServerError("no")), _whole),
        (Says("one", ServerError("no")), _streamed),
        (Says("one", ("It ", ServerError("no"))), _streamed),
        (Hanging("one"), _given_up),
        (Hanging("one"), _left),
    ],
    ids=["an answer", "a stream", "a failure", "a stream's failure", "a break", "a cancelled call", "a left stream"],
)
@pytest.mark.parametrize("hedge", [False, True], ids=["", "hedged"])
def test_the_event_loop_reaches_for_nothing(first: Says, way: Way, hedge: bool, state: str, seen: Seen) -> None:
    async def program() -> int:
        for _ in range(2):
            await way(manager)
        return threading.get_ident()

    with LLMManager(
        providers=[first, Says("two")], settings=LIMITED, state=state, hedge=hedge, retry_config=ONCE
    ) as manager:
        loop = asyncio.run(program())
        threads = set(seen.threads)

    assert threads
    assert loop not in threads


def test_who_is_found_when_nobody_waits_any_more_is_left_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one_place = Settings.model_validate({"providers": {"one": {"max_concurrent": 1}}})
    looking, go_on, has_looked = threading.Event(), threading.Event(), threading.Event()

    def held_up(journey: Journey) -> Ask | Pause:
        looking.set()
        go_on.wait()
        step = found(journey)
        has_looked.set()
        return step

    async def program() -> LLMResponse:
        given_up = asyncio.ensure_future(manager.acomplete(HELLO))
        await asyncio.to_thread(looking.wait)
        given_up.cancel()
        with suppress(asyncio.CancelledError):
            await given_up
        go_on.set()
        await asyncio.to_thread(has_looked.wait)
        return await manager.acomplete(HELLO)

    found = Journey.next
    monkeypatch.setattr(Journey, "next", held_up)
    with LLMManager(
        providers=[Says("one")], settings=one_place, state="file", retry_config=RetryConfig(deadline=20)
    ) as manager:
        assert asyncio.run(program()).content == "one says hello"
    assert seen.threads


def test_what_is_cancelled_before_its_turn_is_done_all_the_same() -> None:
    done = []

    async def program() -> None:
        busy = threading.Event()
        others = [asyncio.ensure_future(in_a_thread(busy.wait)) for _ in range(64)]  # more than there are threads
        late = asyncio.ensure_future(in_a_thread(lambda: done.append("late")))
        await asyncio.sleep(0)
        late.cancel()
        with suppress(asyncio.CancelledError):
            await late
        busy.set()
        await asyncio.gather(*others)

    asyncio.run(program())

    assert done == ["late"]
