"""Send a reply as its step says: late, slowly, in pieces, up to where it breaks off."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing

from .about import About
from .breaking import Breaker, Cut, what_goes_out
from .connection import Connection
from .http import LAST_CHUNK, chunk, head_of_answer
from .reply import Reply, Wire
from .steps import Break, Step

_UNTIL_READ = 0.01
"""Seconds between the last bytes and a reset. Not every system lets a client read what came before one."""

_DROPS_A_SECOND = 50
"""Into how many pieces a second of dripping is cut, at most."""


class Gzip:
    """Compresses a body part by part, each so that it can be read when it arrives."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=31)

    def part(self, data: bytes) -> bytes:
        """A part of the body."""
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def last(self, data: bytes) -> bytes:
        """The last part."""
        return self._packer.compress(data) + self._packer.flush()


def in_one_piece(reply: Reply, connection: Connection) -> bytes | None:
    """All of an answer that is not streamed; None for one that is."""
    return _head(reply, connection, reply.length) + reply.body if isinstance(reply.body, bytes) else None


async def deliver(reply: Reply, step: Step, connection: Connection, wire: Wire, about: About) -> None:
    """Send `reply`. When this returns, the connection is ready for the next request, or ended."""
    broken = step.broken
    if step.delay:
        await asyncio.sleep(step.delay)
    if broken is not None and broken.at == "before_headers":
        await _end(broken, connection)
        return
    if reply.is_stream:
        ended = await _send_stream(reply, step, connection, wire, about)
    else:
        ended = await _send_whole(reply, step, connection)
    if ended and broken is not None:
        await _end(broken, connection)


async def _send_whole(reply: Reply, step: Step, connection: Connection) -> bool:
    """Whether the connection breaks now."""
    broken = step.broken
    if not isinstance(reply.body, bytes):
        return await _send_made(reply, step, connection)
    body = Gzip().last(reply.body) if step.gzip else reply.body
    length = len(body)
    in_order = broken is None or broken.how in {"early_end", "truncated", "error_event"}
    if broken is not None and broken.at == "after_headers":
        body = b""
    elif broken is not None and broken.how != "error_event":
        body = what_goes_out(broken, body)
    head = _head(reply, connection, len(body) if in_order else length, gzip=step.gzip)
    if not (step.split or step.rate):
        await connection.send(head + body)
        return not in_order
    await connection.send(head)
    for piece in _pieces(body, step):
        await _send_piece(piece, step, connection)
    return not in_order


async def _send_made(reply: Reply, step: Step, connection: Connection) -> bool:
    """An answer that is made while it is sent. If it breaks, then after its first piece."""
    await connection.send(_head(reply, connection, reply.length))
    if step.broken is not None and step.broken.at == "after_headers":
        return True
    async with aclosing(_each(reply.body)) as parts:
        async for part in parts:
            for piece in _pieces(part, step):
                await _send_piece(piece, step, connection)
            if step.broken is not None:
                return True
    return False


async def _send_stream(reply: Reply, step: Step, connection: Connection, wire: Wire, about: About) -> bool:
    """Whether the connection breaks now."""
    broken = step.broken
    await connection.send(_head(reply, connection, None, gzip=step.gzip))
    if broken is not None and broken.at == "after_headers":
        return True
    squeeze = Gzip() if step.gzip else None
    breaker = None if broken is None else Breaker(broken, wire.carries_text)
    async with aclosing(_each(reply.body)) as events:
        await _send_events(events, step, connection, breaker, squeeze)
    if broken is not None and broken.how in {"reset", "hang_up", "silence"}:
        return True
    tail = b"" if broken is None or broken.failure is None else wire.error_event(broken.failure, about)
    if squeeze is not None:
        tail = squeeze.last(tail)
    await connection.send((chunk(tail) if tail else b"") + LAST_CHUNK)
    return False


async def _send_events(
    events: AsyncIterator[bytes], step: Step, connection: Connection, breaker: Breaker | None, squeeze: Gzip | None
) -> None:
    """Up to where the stream breaks off, or all of them."""
    wait = 0.0
    async for event in events:
        cut = breaker.cut(event) if breaker is not None else Cut(event)
        if cut.data:
            await asyncio.sleep(wait)
            wait = step.between
            data = cut.data
            if squeeze is not None:
                data = squeeze.part(data)
            await _send_chunk(data, cut.missing, step, connection)
        if cut.over:
            return


async def _send_chunk(data: bytes, missing: int, step: Step, connection: Connection) -> None:
    if not (step.split or step.rate):
        await connection.send(chunk(data, missing))
        return
    *before, last = _pieces(data, step)
    for piece in before:
        await _send_piece(chunk(piece), step, connection)
    await _send_piece(chunk(last, missing), step, connection)


async def _send_piece(piece: bytes, step: Step, connection: Connection) -> None:
    await connection.send(piece)
    # Also where nothing is to be waited for: other connections have their turn, and pieces are written one by one.
    await asyncio.sleep(len(piece) / step.rate if step.rate else 0)


async def _end(broken: Break, connection: Connection) -> None:
    if broken.how == "silence":
        await asyncio.Event().wait()  # until the client is gone, or the server
    if broken.how == "hang_up":
        connection.finish()
        return
    if broken.at != "before_headers":
        await asyncio.sleep(_UNTIL_READ)
    connection.reset()


def _head(reply: Reply, connection: Connection, length: int | None, *, gzip: bool = False) -> bytes:
    framing = ("transfer-encoding", "chunked") if length is None else ("content-length", str(length))
    lines = [*reply.headers, framing]
    if gzip:
        lines.append(("content-encoding", "gzip"))
    if not connection.keeps:
        lines.append(("connection", "close"))
    return head_of_answer(reply.status, lines)


def _pieces(data: bytes, step: Step) -> Iterator[bytes]:
    size = step.split or (max(1, int(step.rate / _DROPS_A_SECOND)) if step.rate else len(data))
    return (data[place : place + size] for place in range(0, len(data), size)) if data else iter(())


async def _each(body: bytes | Iterable[bytes] | AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    if isinstance(body, AsyncIterator):
        async for part in body:
            yield part
    elif isinstance(body, bytes):
        yield body
    else:
        for part in body:
            yield part
