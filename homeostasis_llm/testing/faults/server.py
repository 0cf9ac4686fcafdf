"""A server on this machine that answers as language models do, or fails as told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Literal, Self

from .engine import Engine, Script
from .forward import Upstream
from .recorded import Request
from .schedule import Flapping
from .steps import Step, error


class FaultServer:
    """The server. Use it as a context manager, also an async one; inside, it is listening at `url`.

    It runs in a thread of its own, so that sync and async tests can use it. Unless told otherwise, it gives good
    answers; with `upstream`, the address of another server, it passes requests on to that.
    """

    def __init__(
        self,
        upstream: str | None = None,
        *,
        models: Sequence[str] = ("fault-model",),
        max_connections: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`models` are those of the list. More than `max_connections` are refused. `clock` gives Unix time.

        Raises ValueError for an upstream that is not of the form `http://host:port`.
        """
        self._engine = Engine(None if upstream is None else Upstream(upstream), models, max_connections, clock)
        self._failures: list[BaseException] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:…`, without a slash at its end. It stays the same while nobody listens.

        Raises RuntimeError outside of the `with` statement.
        """
        return f"http://127.0.0.1:{self._engine.port.number}"

    # What it shall do.

    def then(self, *scripts: Script) -> None:
        """Do this with the next requests, one after the other, after what is already queued.

        A script is a step, or a function that is given the request and returns one.
        """
        for script in scripts:
            self._engine.check(script)
        self._engine.queue.extend(scripts)

    def always(self, script: Script) -> None:
        """Do this with every request for which nothing is queued."""
        self._engine.check(script)
        self._engine.default = script

    def flap(
        self,
        *,
        period: float,
        down: float,
        phase: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        by: Step | Literal["refuse"] | None = None,
    ) -> None:
        """Be down for the part `down` of each `period` (seconds).

        Periods are counted from the clock's zero, `phase` (a part of a period) ahead of it: servers with phases 0, 1/3
        and 2/3 that are down for a third each are never down together. While down, each request is treated by `by`
        (503 without it), and takes nothing from the queue; "refuse" resets all connections and takes no new ones.
        """
        flapping = Flapping(period=period, down=down, phase=phase, clock=clock, by=error(503) if by is None else by)
        if isinstance(flapping.by, Step):
            self._engine.check(flapping.by)
        self._engine.flapping = flapping
        self._settle()

    def steady(self) -> None:
        """Flap no more."""
        self._engine.flapping = None
        self._settle()

    def stop_listening(self) -> None:
        """Be dead: open connections are reset, new ones refused."""
        self._engine.wanted = False
        self._settle()

    def start_listening(self) -> None:
        """Be there again, at the same address."""
        self._engine.wanted = True
        self._settle()

    # What it has seen.

    @property
    def requests(self) -> tuple[Request, ...]:
        """All that have come, in order."""
        return tuple(self._engine.requests)

    @property
    def count(self) -> int:
        """How many have come."""
        return len(self._engine.requests)

    @property
    def connections(self) -> int:
        """How many connections were opened."""
        return self._engine.connections

    @property
    def open_connections(self) -> int:
        """How many are open now."""
        return len(self._engine.open)

    @property
    def concurrency(self) -> int:
        """How many requests are being answered now."""
        return self._engine.concurrency

    @property
    def highest_concurrency(self) -> int:
        """The most that were being answered at once."""
        return self._engine.highest_concurrency

    @property
    def is_down(self) -> bool:
        """Whether it is down now, by the schedule of `flap`."""
        return self._engine.flapping is not None and self._engine.flapping.is_down()

    def wait_until(self, met: Callable[[], bool], *, timeout: float = 5.0) -> None:
        """Wait until the condition is met: a client's hanging up, for one, is noticed a little later.

        Raises TimeoutError after `timeout` seconds. It blocks: in async code, use `asyncio.to_thread`.
        """
        end = time.monotonic() + timeout
        while not met():
            if time.monotonic() > end:
                raise TimeoutError(
                    f"FaultServer: not met within {timeout:g} s; the last requests: {self.requests[-3:]}"
                )
            time.sleep(0.002)

    # Its life.

    def __enter__(self) -> Self:
        if self._loop is not None:
            raise RuntimeError("FaultServer serves for one `with` statement; make another")
        self._engine.port.take()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note)
        self._thread = Thread(target=self._loop.run_forever, name="fault-server", daemon=True)
        self._thread.start()
        self._settle()
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._engine.close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        if self._failures:
            raise self._failures[0]

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self.__exit__, *error)

    def _settle(self) -> None:
        """Have what was said take effect before we go on."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._engine.settle(), self._loop).result()

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A mistake in the server, or in a script: raised when the server ends, in the thread that can see it."""
        _ = loop
        self._failures.append(context.get("exception") or RuntimeError(context["message"]))
