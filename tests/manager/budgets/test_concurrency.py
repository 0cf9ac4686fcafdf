"""Slots are never more than there are, go to whoever waited longest, and are never lost."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from threading import Event, Lock, Thread

import pytest

from homeostasis_llm.manager.budgets.concurrency import Slots


def until_waiting(slots: Slots, count: int) -> None:
    """Return once `count` threads are in the line; a test that waits for them in vain fails."""
    for _ in range(5000):
        if slots.waiting == count:
            return
        time.sleep(0.001)
    raise AssertionError(f"{slots.waiting} are waiting, not {count}")


def test_no_more_places_are_given_than_there_are() -> None:
    slots = Slots(2)

    assert [slots.try_acquire() for _ in range(3)] == [True, True, False]

    slots.release()
    assert slots.try_acquire()


def test_waiting_ends_in_vain_after_the_timeout() -> None:
    slots = Slots(1)
    assert slots.acquire()

    assert not slots.acquire(timeout=0.01)
    assert (slots.taken, slots.waiting) == (1, 0)


async def test_a_task_too_waits_in_vain_no_longer_than_the_timeout() -> None:
    slots = Slots(1)
    assert await slots.aacquire()

    assert not await slots.aacquire(timeout=0.01)
    assert (slots.taken, slots.waiting) == (1, 0)


def test_whoever_has_waited_longest_comes_first_thread_or_task() -> None:
    slots = Slots(1)
    slots.try_acquire()
    order: list[str] = []

    def as_thread(name: str) -> None:
        slots.acquire()
        order.append(name)
        slots.release()

    def as_task(name: str) -> None:
        async def wait() -> None:
            await slots.aacquire()
            order.append(name)
            slots.release()

        asyncio.run(wait())

    started = []
    for place in range(6):
        thread = Thread(target=as_task if place % 2 else as_thread, args=(str(place),))
        thread.start()
        started.append(thread)
        until_waiting(slots, place + 1)
    slots.release()
    for thread in started:
        thread.join()

    assert order == ["0", "1", "2", "3", "4", "5"]


def test_nobody_jumps_the_line() -> None:
    slots = Slots(1)
    slots.try_acquire()
    got, go = Event(), Event()

    def wait() -> None:
        slots.acquire()
        got.set()
        go.wait()
        slots.release()

    thread = Thread(target=wait)
    thread.start()
    until_waiting(slots, 1)
    slots.release()

    assert not slots.try_acquire()
    assert got.wait(5)
    go.set()
    thread.join()
    assert slots.try_acquire()


async def test_a_cancelled_task_leaves_the_line() -> None:
    slots = Slots(1)
    await slots.aacquire()
    first, second = asyncio.create_task(slots.aacquire()), asyncio.create_task(slots.aacquire())
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    slots.release()

    assert await second
    assert (slots.taken, slots.waiting) == (1, 0)


async def test_a_place_that_comes_together_with_the_cancellation_is_given_back() -> None:
    slots = Slots(1)
    await slots.aacquire()
    task = asyncio.create_task(slots.aacquire())
    await asyncio.sleep(0)

    slots.release()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert slots.taken == 0


def test_a_place_for_a_task_whose_loop_is_gone_goes_to_the_next() -> None:
    slots = Slots(1)
    slots.try_acquire()
    loop = asyncio.new_event_loop()
    task = loop.create_task(slots.aacquire())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    slots.release()

    assert slots.try_acquire()
    task.get_coro().close()
    assert slots.taken == 1
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # that it never ended is the point
    del task
    gc.collect()


def test_more_places_serve_those_who_wait_and_fewer_take_none_away() -> None:
    slots = Slots(1)
    slots.try_acquire()
    threads = [Thread(target=slots.acquire) for _ in range(2)]
    for thread in threads:
        thread.start()
    until_waiting(slots, 2)

    slots.limit = 3
    for thread in threads:
        thread.join(5)
    assert slots.taken == 3

    slots.limit = 1
    slots.release()
    slots.release()
    assert not slots.try_acquire()
    slots.release()
    assert slots.try_acquire()


def test_a_place_cannot_be_given_back_twice() -> None:
    slots = Slots(1)
    slots.try_acquire()
    slots.release()

    with pytest.raises(ValueError, match="more places were given back than taken"):
        slots.release()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Slots(limit)
    slots = Slots(1)
    with pytest.raises(ValueError, match="at least 1"):
        slots.limit = limit


def test_threads_and_several_loops_share_the_places_without_losing_one() -> None:
    slots = Slots(3)
    inside = 0
    most = 0
    done = 0
    counting = Lock()

    def enter() -> None:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)

    def leave() -> None:
        nonlocal inside, done
        with counting:
            inside -= 1
            done += 1
        slots.release()

    def in_thread(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311  # chance, no secret
        for _ in range(100):
            if slots.acquire(timeout=None if dice.random() < 0.7 else 0.0005):
                enter()
                time.sleep(0)
                leave()

    async def one(dice: random.Random) -> None:
        if await slots.aacquire(timeout=None if dice.random() < 0.7 else 0.0005):
            enter()
            try:
                await asyncio.sleep(0)
            finally:
                leave()

    async def tasks(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311  # as above
        running = [asyncio.create_task(one(dice)) for _ in range(100)]
        for task in running:
            await asyncio.sleep(0)
            if dice.random() < 0.2:
                task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    threads = [Thread(target=in_thread, args=(seed,)) for seed in range(4)]
    threads += [Thread(target=asyncio.run, args=(tasks(seed),)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert most <= 3
    assert done > 100
    assert (slots.taken, slots.waiting) == (0, 0)
