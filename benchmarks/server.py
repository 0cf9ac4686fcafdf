"""A loopback server that is never the bottleneck: a bare asyncio protocol, in a process of its own.

    python -m benchmarks.server

It prints its URL and serves until its standard input ends, so that it cannot outlive who started it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from .wire import KEY, REFUSED, response

ROOT = Path(__file__).parent.parent

_response = cache(response)


class Answering(asyncio.Protocol):
    """One connection. Reads no more of a request than where it ends."""

    def __init__(self) -> None:
        self._read = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has come."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what create_server always gives
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole by now."""
        self._read += data
        while self._transport is not None and (request := self._next_request()) is not None:
            self._transport.write(_response(request))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """Whoever left early is sent nothing more."""
        self._transport = None

    def _next_request(self) -> str | None:
        """The path of the next request, once all of its body has come."""
        end = self._read.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *headers = bytes(self._read[:end]).lower().split(b"\r\n")
        length = next((int(line[15:]) for line in headers if line.startswith(b"content-length:")), 0)
        whole = end + 4 + length
        if len(self._read) < whole:
            return None
        del self._read[:whole]
        path = first.split(b" ")[1].decode()
        # A list of models that anybody gets proves no key, and who checks one would ask further.
        return REFUSED if path.endswith("/models") and f"authorization: bearer {KEY}".encode() not in headers else path


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server in a process of its own, which ends with this."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None  # noqa: S101  # both were asked for
        assert process.stdout is not None  # noqa: S101
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201  # read by who started this
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
