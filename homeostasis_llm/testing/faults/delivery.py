"""Send a reply as its step says: late, slowly, in pieces, up to where it breaks off."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator

from .about import About
from .breaking import Breaker, what_goes_out
from .connection import Connection
from .http import LAST_CHUNK, chunk, head_of_answer
from .reply import Reply, Wire
from .steps import Break, Step

_UNTIL_READ = 0.01
"""Seconds between the last bytes and a reset. Not every system lets a client read what came before one."""

_DROPS_A_SECOND = 50
"""Into how many pieces a second of dripping is cut, at most."""


def deliver_at_once(reply: Reply, connection: Connection) -> bool:
    """Send a whole, plain answer; False if it is none."""
    if not isinstance(reply.body, bytes):
        return False
    connection.write(_head(reply, connection, reply.length) + reply.body)
    return True


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
    body = _compressed(reply.body) if step.gzip else reply.body
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
    async for part in _each(reply.body):
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
    breaker = None if broken is None else Breaker(broken, wire.carries_text)
    squeeze = zlib.compressobj(wbits=31) if step.gzip else None
    first = True
    async for event in _each(reply.body):
        data, announced, over = (event, len(event), False) if breaker is None else breaker.cut(event)
        if data and not first and step.between:
            await asyncio.sleep(step.between)
        first = False
        if squeeze is not None and data:
            missing = announced - len(data)
            data = squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)
            announced = len(data) + missing
        if data:
            await _send_chunk(data, announced, step, connection)
        if over:
            break
    if broken is not None and broken.how in {"reset", "hang_up", "silence"}:
        return True
    tail = b"" if broken is None or broken.failure is None else wire.error_event(broken.failure, about)
    if squeeze is not None:
        tail = squeeze.compress(tail) + squeeze.flush()
    await connection.send((chunk(tail) if tail else b"") + LAST_CHUNK)
    return False


async def _send_chunk(data: bytes, announced: int, step: Step, connection: Connection) -> None:
    if not (step.split or step.rate):
        await connection.send(chunk(data, announced))
        return
    *before, last = _pieces(data, step)
    for piece in before:
        await _send_piece(chunk(piece), step, connection)
    left_open = announced - len(data)
    await _send_piece(chunk(last, len(last) + left_open), step, connection)


async def _send_piece(piece: bytes, step: Step, connection: Connection) -> None:
    await connection.send(piece)
    if step.rate:
        await asyncio.sleep(len(piece) / step.rate)
    elif step.split:
        await asyncio.sleep(0)  # the next piece is written by itself


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


def _compressed(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=31)
    return squeeze.compress(data) + squeeze.flush()


async def _each(body: bytes | Iterable[bytes] | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, AsyncIterator):
        async for part in body:
            yield part
    elif isinstance(body, bytes):
        yield body
    else:
        for part in body:
            yield part
