"""Run `homeostasis` as somebody does who sits at a terminal: what is typed goes in, what is shown comes out."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

PATIENCE = 60.0
"""Seconds after which what should have been shown has failed the test."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")


class Session:
    """A program in a terminal of its own. Use it as a context manager."""

    def __init__(self, *command: str | Path, environment: Mapping[str, str], columns: int = 200) -> None:
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._ours = ours
        self._shown = b""
        self._seen = 0
        # readline, where it is loaded, leaves the size of another terminal in the environment.
        inherited = {name: kept for name, kept in environment.items() if name not in {"COLUMNS", "LINES"}}
        try:
            self.process = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env={**inherited, "TERM": "xterm-256color"},
                start_new_session=True,
                # The terminal is the program's own, where it asks for secrets: not that of whoever runs the tests.
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # it takes no lock
            )
        finally:
            os.close(theirs)

    @property
    def shown(self) -> str:
        """All that was shown until now, without colors and movements of the cursor."""
        return _CONTROL.sub("", self._shown.decode(errors="replace"))

    def expect(self, text: str) -> None:
        """Wait until `text` is shown, after what was expected before."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.shown.find(text, self._seen)) < 0:
            if not self._read(deadline):
                raise AssertionError(f"{text!r} is not shown, but:\n{self.shown[self._seen :]}")
        self._seen = found + len(text)

    def type(self, text: str) -> None:
        """Type a line, and press Enter."""
        os.write(self._ours, f"{text}\r".encode())

    def press(self, key: bytes) -> None:
        """Press one key, as in `b"\\x03"` for Ctrl-C."""
        os.write(self._ours, key)

    def ended(self) -> int:
        """Wait for its end; the exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(timeout=PATIENCE)

    def _read(self, deadline: float) -> bool:
        """Take in what is shown next; False at the end."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # Linux says so when nobody holds the other side any more
            return False
        self._shown += piece
        return bool(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)


def homeostasis(*arguments: str, environment: Mapping[str, str], columns: int = 200) -> Session:
    """`homeostasis` with these arguments."""
    program = Path(sys.executable).with_name("homeostasis")
    return Session(program, *arguments, environment=environment, columns=columns)
