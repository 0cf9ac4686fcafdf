"""Have a program print a key: that of a password manager, such as `op read …` or `pass show …`.

No shell runs it, nothing is typed into it, and what it prints is never shown.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from threading import Thread
from typing import IO

from pydantic import SecretStr

from ..redaction import MASK, redact
from .errors import SourceTroubleError

SECONDS = 10.0
"""How long the program may take, with whatever it asks of its user in a window of its own."""

_GRACE = 1.0
"""Seconds for the last of what it printed to come through."""
_LARGEST = 64 * 1024
"""Bytes that it may print."""
_LONGEST_COMPLAINT = 200
"""Characters of what it says went wrong."""


def read_key_command(words: Sequence[str], seconds: float = SECONDS) -> SecretStr:
    """The first line that the program prints. Raises `SourceTroubleError`.

    The first, because `pass` and its like keep the password there, and what belongs to it below.
    """
    program = words[0]
    deadline = time.monotonic() + seconds
    process, problem = _started(words)
    if process is None:
        raise SourceTroubleError(f"the command {program} cannot be run: {problem}")
    printed, complaint = _Pipe(process.stdout, _LARGEST), _Pipe(process.stderr, _LARGEST, drain=True)
    try:
        in_time = _ended_by(process, deadline)
    finally:
        _stop(process)
    if not in_time:
        raise SourceTroubleError(f"the command {program} did not end within {seconds:g} s")
    for pipe in (printed, complaint):
        # A program may leave another behind that still holds its output, as agents do.
        pipe.ended_by(time.monotonic() + _GRACE)
    if printed.too_long:
        raise SourceTroubleError(f"the command {program} printed more than any key has")
    if process.returncode != 0:
        said = _first_line(complaint.text.get_secret_value(), printed.text)
        raise SourceTroubleError(f"the command {program} ended with status {process.returncode}{said}")
    key = SecretStr(next(iter(printed.text.get_secret_value().strip().splitlines()), ""))
    if not key.get_secret_value():
        raise SourceTroubleError(f"the command {program} printed nothing")
    return key


def _started(words: Sequence[str]) -> tuple[subprocess.Popen[bytes] | None, str]:
    try:
        process = subprocess.Popen(  # noqa: S603  # the user's own settings say what to run
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # away from the terminal, and to be stopped with all that it starts
        )
    except FileNotFoundError:
        return None, "there is no such program on the PATH"
    except (OSError, ValueError) as error:
        return None, str(getattr(error, "strerror", None) or error)
    return process, ""


def _ended_by(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _first_line(said: str, printed: SecretStr) -> str:
    """What the program complains of, without what it printed, which may be the key all the same."""
    line = next((line for line in said.splitlines() if line.strip()), "").strip()
    for word in printed.get_secret_value().split():
        line = line.replace(word, MASK)
    line = "".join(character for character in redact(line) if character.isprintable())[:_LONGEST_COMPLAINT]
    return f": {line}" if line else ""


class _Pipe:
    """What comes out of a program, read as it comes; only the beginning is kept.

    At its limit the pipe is closed, which ends most programs; with `drain`, the rest is read and forgotten.
    """

    def __init__(self, stream: IO[bytes] | None, limit: int, *, drain: bool = False) -> None:
        self._stream = stream
        self._limit = limit
        self._drain = drain
        self._kept = bytearray()
        self._thread = Thread(target=self._read, name="homeostasis-key-command", daemon=True)
        self._thread.start()

    @property
    def text(self) -> SecretStr:
        """What was kept."""
        return SecretStr(bytes(self._kept[: self._limit]).decode(errors="replace"))

    @property
    def too_long(self) -> bool:
        """Whether there was more than is kept."""
        return len(self._kept) > self._limit

    def ended_by(self, deadline: float) -> None:
        """Wait for its end, no longer than that."""
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _read(self) -> None:
        if self._stream is None:
            return
        with self._stream as stream:
            while (self._drain or not self.too_long) and (piece := stream.read(8192)):
                if not self.too_long:
                    self._kept += piece
