"""Cut a stream of JSON objects, one a line, as Ollama sends them."""

from __future__ import annotations

from collections.abc import Callable

from .dialect import Event
from .events import parsed


class Lines:
    """The objects of one stream."""

    def __init__(self, checked: Callable[[object], Event]) -> None:
        """`checked` is the dialect's."""
        self._checked = checked
        self._kept = b""
        self.done = False
        self.failure: ValueError | None = None

    def feed(self, piece: bytes) -> list[Event]:
        """Those that `piece` completes, until a `failure`."""
        whole, newline, self._kept = (self._kept + piece).rpartition(b"\n")
        return self._read(whole + newline)

    def end(self) -> list[Event]:
        """The last ones."""
        rest, self._kept = self._kept, b""
        return self._read(rest)

    def _read(self, text: bytes) -> list[Event]:
        found: list[Event] = []
        for line in text.split(b"\n"):
            if self.done or not line.strip():
                continue
            try:
                event = self._checked(parsed(line))
            except ValueError as error:
                self.failure = error
                break
            self.done = bool(event.get("done"))
            found.append(event)
        return found
