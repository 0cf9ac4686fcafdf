"""A port of this machine that is kept, whether or not anybody listens there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

_BACKLOG = 512


class Port:
    """A port of 127.0.0.1."""

    def __init__(self) -> None:
        self._holder: socket.socket | None = None
        self._server: asyncio.Server | None = None

    @property
    def number(self) -> int:
        """Of the port. Raises RuntimeError while none is taken."""
        if self._holder is None:
            raise RuntimeError("FaultServer has an address only inside its `with` statement")
        found: int = self._holder.getsockname()[1]
        return found

    @property
    def is_open(self) -> bool:
        """Whether connections are taken."""
        return self._server is not None

    def take(self) -> None:
        """Take a free one."""
        # This socket never listens: it keeps others from the port while nobody does.
        self._holder = _bound(0)

    async def open(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Take connections."""
        listener = _bound(self.number)
        self._server = await asyncio.get_running_loop().create_server(factory, sock=listener, backlog=_BACKLOG)

    def close(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def release(self) -> None:
        """Let others have the port."""
        self.close()
        if self._holder is not None:
            self._holder.close()
        self._holder = None


def _bound(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        found.bind(("127.0.0.1", port))
    except BaseException:
        found.close()
        raise
    return found
