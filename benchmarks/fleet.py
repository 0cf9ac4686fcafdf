"""The processes of all clients."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from .clients import CLIENTS
from .environment import LANE
from .orders import Order
from .server import ROOT


class PeerFailedError(Exception):
    """A client raised something, ended or took too long. The text says which."""


class LacksError(Exception):
    """A client has nothing for what the order asks."""


class Hand:
    """One client's process. Started when it is first told something."""

    def __init__(self, name: str, url: str, environment: Mapping[str, str], log: IO[str]) -> None:
        self.name = name
        self._command = [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", name, url]
        lane = CLIENTS[name].lane
        self._environment = {**environment, **({} if lane is None else {LANE: lane})}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def do(self, order: Order, patience: float = 60) -> Any:
        """The answer to `order`, which may take `patience` seconds. Raises `PeerFailedError` and `LacksError`."""
        process = self._started()
        assert process.stdin is not None  # noqa: S101  # both were asked for
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(order.line().encode())
            process.stdin.flush()
        except BrokenPipeError:
            self.close()
            raise PeerFailedError("its process ended") from None
        # Nothing waits in the buffer: there is one answer to each order.
        if not select.select([process.stdout], [], [], patience)[0]:
            self.close()
            raise PeerFailedError(f"took longer than {patience:.0f} s")
        line = process.stdout.readline()
        if not line:
            self.close()
            raise PeerFailedError("its process ended")
        answer = json.loads(line)
        if "failed" in answer:
            raise PeerFailedError(answer["failed"])
        if "lacks" in answer:
            raise LacksError
        return answer

    def start(self) -> None:
        """Start the process, which then imports what its client needs."""
        self._started()

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            with self._process:
                self._process.kill()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603  # this very package
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
            )
        return self._process


@contextmanager
def fleet(url: str, environment: Mapping[str, str], names: Sequence[str], log: IO[str]) -> Iterator[list[Hand]]:
    """A process for each name, which ends with this; what they say goes to `log`."""
    with ExitStack() as stack:
        hands = [Hand(name, url, environment, log) for name in names]
        for hand in hands:
            stack.callback(hand.close)
        # All at once: what they import takes seconds for some.
        for hand in hands:
            hand.start()
        yield hands
