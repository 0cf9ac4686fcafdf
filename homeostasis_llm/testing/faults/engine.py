"""The fault server's inside: who is connected, what has come, what is done with it. All of it in one event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from . import steps
from .about import About, about
from .connection import Connection
from .delivery import deliver, in_one_piece
from .forward import Upstream
from .http import Head
from .listening import Port
from .recorded import Request
from .reply import Reply, reply_to, wire_of, with_headers
from .schedule import Flapping
from .steps import Step

Script: TypeAlias = Step | Callable[[Request], Step]
"""A step, or what chooses one for a request."""

_LOOK = 0.01
"""Seconds between two looks at the clock, while a server that refuses connections is flapping."""


class Engine:
    """What `FaultServer` is a handle of. Other threads read its facts; only its own loop changes them."""

    def __init__(
        self, upstream: Upstream | None, models: Sequence[str], max_connections: int | None, clock: Callable[[], float]
    ) -> None:
        self.queue: deque[Script] = deque()
        self.default: Script = steps.answer() if upstream is None else steps.forward()
        self.flapping: Flapping | None = None
        self.wanted = True
        """Whether the server shall listen, as far as the user is concerned."""
        self.max_connections = max_connections
        self.requests: list[Request] = []
        self.open: dict[Connection, Request | None] = {}
        """The request is the one that is being answered."""
        self.connections = 0
        self.concurrency = 0
        self.highest_concurrency = 0
        self.port = Port()
        self._upstream = upstream
        self._models = tuple(models)
        self._clock = clock
        self._settling = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._chores: set[asyncio.Task[None]] = set()

    def check(self, script: Script) -> None:
        """Raise ValueError for a step that this server cannot do."""
        if isinstance(script, Step) and isinstance(script.said, steps.Upstream) and self._upstream is None:
            raise ValueError("forward: there is nobody to ask; make the server with FaultServer(upstream=url)")

    # What connections tell.

    def opened(self, connection: Connection) -> bool:
        if self.max_connections is not None and len(self.open) >= self.max_connections:
            return False
        self.connections += 1
        connection.number = self.connections
        self.open[connection] = None
        self._settle_soon()
        return True

    def lost(self, connection: Connection) -> None:
        if connection in self.open:
            request = self.open[connection]
            if request is not None:
                self._finished(connection, request, abandoned=not connection.ended_here)
            del self.open[connection]
            self._settle_soon()

    def asked(self, connection: Connection, head: Head, body: bytes) -> Coroutine[Any, Any, None] | None:
        request = Request(
            method=head.method,
            target=head.target,
            headers=head.headers,
            body=body,
            at=time.time(),
            connection=connection.number,
        )
        self.requests.append(request)
        self.open[connection] = request
        self.concurrency += 1
        self.highest_concurrency = max(self.highest_concurrency, self.concurrency)
        step = request.step = self._step(request)
        facts = about(request, len(self.requests), self._clock())
        if isinstance(step.said, steps.Upstream) and self._upstream is not None:
            return self._forward(connection, request, step, facts, self._upstream)
        reply = reply_to(request, step, facts, self._models)
        whole = in_one_piece(reply, connection) if step.is_plain else None
        if whole is None:
            return self._answer(connection, request, step, facts, reply)
        self._finished(connection, request)  # first, so that whoever has the answer finds it so
        connection.write(whole)
        connection.answered()
        return None

    def _step(self, request: Request) -> Step:
        if self.flapping is not None and isinstance(self.flapping.by, Step) and self.flapping.is_down():
            return self.flapping.by
        script = self.queue.popleft() if self.queue else self.default
        return script if isinstance(script, Step) else script(request)

    async def _answer(self, connection: Connection, request: Request, step: Step, facts: About, reply: Reply) -> None:
        await deliver(reply, step, connection, wire_of(request), facts)
        self._done(connection, request)

    async def _forward(
        self, connection: Connection, request: Request, step: Step, facts: About, upstream: Upstream
    ) -> None:
        try:
            async with upstream.asked(request) as reply:
                await deliver(with_headers(reply, step), step, connection, wire_of(request), facts)
        except (OSError, EOFError):  # the other server broke off, so this one does
            connection.reset()
        self._done(connection, request)

    def _done(self, connection: Connection, request: Request) -> None:
        if connection in self.open:
            self._finished(connection, request)
        if not connection.ended_here:
            connection.answered()

    def _finished(self, connection: Connection, request: Request, *, abandoned: bool = False) -> None:
        self.open[connection] = None
        request.abandoned = abandoned
        request.finished = True
        self.concurrency -= 1

    # Being there, or not.

    async def settle(self) -> None:
        """Listen or not, as everything now says."""
        async with self._settling:
            refuses = self.flapping is not None and self.flapping.by == "refuse"
            dead = not self.wanted or (refuses and self.flapping is not None and self.flapping.is_down())
            full = self.max_connections is not None and len(self.open) >= self.max_connections
            if dead:
                self._drop_all()
            if self.port.is_open and (dead or full):
                self.port.close()
            elif not self.port.is_open and not (dead or full):
                await self.port.open(lambda: Connection(self))
            if refuses and self._watch is None:
                self._watch = asyncio.get_running_loop().create_task(self._keep_watching())
            elif not refuses and self._watch is not None:
                self._watch.cancel()
                self._watch = None

    async def close(self) -> None:
        """Drop everything and everybody."""
        self.flapping = None
        self.wanted = False
        await self.settle()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()
        self.port.release()

    async def _keep_watching(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            await self.settle()

    def _settle_soon(self) -> None:
        if self.max_connections is not None:
            chore = asyncio.get_running_loop().create_task(self.settle())
            self._chores.add(chore)
            chore.add_done_callback(self._chores.discard)

    def _drop_all(self) -> None:
        for connection in list(self.open):
            connection.reset()
