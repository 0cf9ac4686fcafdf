"""A server on this machine that answers in a provider's own dialect, byte for byte as a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..faults.about import about
from ..faults.connection import Connection
from ..faults.engine import Engine
from ..faults.http import Head
from ..faults.recorded import Request
from ..faults.reply import Reply
from ..faults.server import FaultServer
from ..faults.steps import Page, Step

_UNTIL_READ = 0.01
"""Seconds between the last bytes and a reset: not every system lets a client read what came before one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What a request is answered with."""

    status: int = 200
    media_type: str = "application/json"
    body: bytes | tuple[bytes, ...] = b""
    """The events of a stream one by one, each an HTTP chunk."""
    headers: Mapping[str, str] = field(default_factory=dict)
    split: int | None = None
    """Bytes that are sent at a time."""
    then: Literal["end", "reset", "hang_up", "silence"] = "end"
    """What comes after the body: its end as HTTP has it, or how the connection breaks instead."""


Script = Callable[[Request], Answered]


class WireServer(FaultServer):
    """`FaultServer` with a script of bytes in the place of its own dialects."""

    def __init__(self) -> None:
        super().__init__()
        self._engine: _Engine = _Engine()

    def answer(self, script: Script) -> None:
        """Do so with every request from now on."""
        self._engine.script = script

    def forget(self) -> None:
        """Start counting anew."""
        self._engine.requests.clear()


class _Engine(Engine):
    def __init__(self) -> None:
        super().__init__(None, (), None, time.time)
        self.script: Script = lambda _: Answered(status=599)

    def asked(self, connection: Connection, head: Head, body: bytes) -> Coroutine[Any, Any, None]:
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
        answered = self.script(request)
        step = request.step = Step(said=Page(), split=answered.split)
        facts = about(request, len(self.requests), time.time())
        return self._answer(connection, request, step, facts, _reply(answered, connection))


def _reply(answered: Answered, connection: Connection) -> Reply:
    headers = [("content-type", answered.media_type), *answered.headers.items()]
    if isinstance(answered.body, bytes) and answered.then == "end":
        return Reply(answered.status, headers, answered.body, len(answered.body))
    return Reply(answered.status, headers, _events(answered, connection), None)


async def _events(answered: Answered, connection: Connection) -> AsyncIterator[bytes]:
    for piece in (answered.body,) if isinstance(answered.body, bytes) else answered.body:
        if piece:
            yield piece
    if answered.then == "end":
        return
    if answered.then == "reset":
        await asyncio.sleep(_UNTIL_READ)
        connection.reset()
    if answered.then == "hang_up":
        connection.finish()
    await asyncio.Event().wait()  # until the client is gone, or the server
