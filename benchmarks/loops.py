"""Ask one client again and again, and note what each time took. Runs in that client's own process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypedDict

from .clients import Client, Message


class Took(TypedDict):
    """What asking several times took, all in seconds."""

    each: list[float]
    """From asking to the end of the answer."""
    first: list[float]
    """From asking to the first piece; for streams alone."""
    wall: float
    """All together, by the clock."""
    cpu: float
    """All together, of the processor, in all threads."""


def calls(client: Client, messages: Sequence[Message], times: int) -> Took:
    """One after another."""
    each = []
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        started = time.perf_counter()
        client.call(messages)
        each.append(time.perf_counter() - started)
    return _took(began, cpu, each)


def streams(client: Client, messages: Sequence[Message], times: int) -> Took:
    """One after another, each to its end."""
    each, first = [], []
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        started = time.perf_counter()
        pieces = iter(client.stream(messages))
        next(pieces)
        first.append(time.perf_counter() - started)
        for _piece in pieces:
            pass
        each.append(time.perf_counter() - started)
    return _took(began, cpu, each, first)


def tool_calls(client: Client, messages: Sequence[Message], times: int) -> Took:
    """Streams with a tool call, one after another."""
    each = []
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        started = time.perf_counter()
        client.tool_call(messages)
        each.append(time.perf_counter() - started)
    return _took(began, cpu, each)


async def acalls(client: Client, messages: Sequence[Message], times: int, at_once: int) -> Took:
    """So many at a time."""
    each: list[float] = []

    async def one() -> None:
        started = time.perf_counter()
        await client.acall(messages)
        each.append(time.perf_counter() - started)

    began, cpu = time.perf_counter(), time.process_time()
    await _at_once(one, times, at_once)
    return _took(began, cpu, each)


async def astreams(client: Client, messages: Sequence[Message], times: int, at_once: int) -> Took:
    """So many at a time, each to its end."""
    each: list[float] = []
    first: list[float] = []

    async def one() -> None:
        started, begun = time.perf_counter(), False
        async for _ in client.astream(messages):
            if not begun:
                first.append(time.perf_counter() - started)
                begun = True
        each.append(time.perf_counter() - started)

    began, cpu = time.perf_counter(), time.process_time()
    await _at_once(one, times, at_once)
    return _took(began, cpu, each, first)


def abandon(client: Client, messages: Sequence[Message], times: int) -> None:
    """Begin streams, one after another, and leave each after three pieces."""
    for _ in range(times):
        pieces = client.stream(messages)
        for _piece in range(3):
            next(pieces)
        if hasattr(pieces, "close"):
            pieces.close()


async def _at_once(one: Callable[[], Awaitable[None]], times: int, at_once: int) -> None:
    left = iter(range(times))

    async def worker() -> None:
        for _ in left:
            await one()

    await asyncio.gather(*(worker() for _ in range(at_once)))


def _took(began: float, cpu: float, each: list[float], first: Sequence[float] = ()) -> Took:
    return Took(each=each, first=list(first), wall=time.perf_counter() - began, cpu=time.process_time() - cpu)
