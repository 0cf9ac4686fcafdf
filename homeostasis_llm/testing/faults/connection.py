"""A client's connection: requests come out of it one after the other, and answers go in."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Coroutine
from typing import Any, Protocol, cast

from .http import CONTINUE, Head, NotHTTPError, head_of_answer, read_body, read_head

_NOT_HTTP = b"The fault server speaks HTTP/1.1, without TLS.\n"

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing then resets."""


class Owner(Protocol):
    """Who is told what happens on a connection."""

    def opened(self, connection: Connection) -> bool:
        """Whether the connection may stay."""

    def asked(self, connection: Connection, head: Head, body: bytes) -> Coroutine[Any, Any, None] | None:
        """A request. Ends with `answered` or with `reset` or `finish`: at once, or when what is returned is done."""

    def lost(self, connection: Connection) -> None:
        """The connection is gone, by whomever."""


class Connection(asyncio.Protocol):
    """One of them. All of it runs in the server's event loop."""

    def __init__(self, owner: Owner) -> None:
        self.number = 0
        self.ended_here = False
        """Whether it was the server that ended it."""
        self._owner = owner
        self._buffer = bytearray()
        self._busy = False
        self._keeps = True
        self._continued = False
        self._reading = False
        self._task: asyncio.Task[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._transport: asyncio.Transport

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)  # so that what was sent has been taken by the system
        if not self._owner.opened(self):
            self.reset()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._read()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        _ = exc
        self._may_write.set()
        if self._task is not None:
            self._task.cancel()
        self._owner.lost(self)

    # What the owner calls.

    def write(self, data: bytes) -> None:
        """Send without waiting."""
        self._transport.write(data)

    async def send(self, data: bytes) -> None:
        """Send, and wait until the system has taken all of it."""
        self._transport.write(data)
        if self._transport.is_closing():
            await asyncio.Event().wait()  # the client is gone: `connection_lost` ends this
        await self._may_write.wait()

    def answered(self) -> None:
        """The answer is complete; the next request may come."""
        self._task = None
        self._busy = False
        if self._keeps:
            self._read()
        else:
            self.finish()

    def finish(self) -> None:
        """End the connection in good order, after what was written."""
        self.ended_here = True
        self._transport.close()

    def reset(self) -> None:
        """End the connection with a reset; what the system has not taken yet is dropped."""
        self.ended_here = True
        found = self._transport.get_extra_info("socket")
        if not self._transport.is_closing():
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()

    @property
    def keeps(self) -> bool:
        """Whether the connection goes on after this answer."""
        return self._keeps

    def _read(self) -> None:
        """Take up what is in the buffer, unless that is being done."""
        if self._reading:
            return
        self._reading = True
        try:
            while not self._busy and not self.ended_here and self._take():
                pass
        except NotHTTPError:
            length = ("content-length", str(len(_NOT_HTTP)))
            self.write(head_of_answer(400, [length, ("connection", "close")]) + _NOT_HTTP)
            self.finish()
        finally:
            self._reading = False

    def _take(self) -> bool:
        """Hand on the next request; False while it is not all there."""
        head = read_head(self._buffer)
        if head is None:
            return False
        if not self._continued and head.headers.get("expect", "").lower() == "100-continue":
            self._continued = True
            self.write(CONTINUE)
        read = read_body(head, self._buffer)
        if read is None:
            return False
        body, end = read
        del self._buffer[:end]
        self._busy = True
        self._continued = False
        self._keeps = head.keeps
        work = self._owner.asked(self, head, body)
        if work is not None:
            self._task = asyncio.get_running_loop().create_task(work)
            self._task.add_done_callback(self._worked)
        return True

    def _worked(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": str(error), "exception": error})
            self.reset()
