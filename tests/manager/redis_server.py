"""Start the real Redis for a test: on a free port of this machine, keeping nothing.

A test module takes the fixture by its name: `from tests.manager.redis_server import redis_server`.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import pytest

_PROGRAM = shutil.which("redis-server")
_START = 20.0
"""Seconds that a busy machine may take."""


class RedisServer:
    """A Redis of one's own, at `url`. It can be stopped, frozen and started again, always at the same port."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, and return when it answers."""
        # No file but its log: without a configuration, snapshots or an append-only file.
        self._process = subprocess.Popen(
            [
                *(self._program, "-", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self._folder.name),
                *("--save", "", "--appendonly", "no", "--loglevel", "warning"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + _START
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                pytest.fail(f"{self._program} did not start on port {self.port}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it, as a crash does; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Leave connections standing and answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on, with what has come meanwhile."""
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it is not running"
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
        except OSError:
            return False


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real, empty Redis."""
    if _PROGRAM is None:
        pytest.skip("redis-server is not installed here")
    with RedisServer(_PROGRAM) as server:
        yield server
