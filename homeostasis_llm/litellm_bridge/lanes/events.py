"""Cut a stream of server-sent events, with JSON in each, as OpenAI and others send them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

from .dialect import Event

_DONE = b"[DONE]"


def parsed(text: bytes) -> Any:
    """The JSON in `text`, in a third of the time that `json` takes. Raises `ValueError` where there is none."""
    try:
        return from_json(text)
    except ValueError:  # half a character, as some models write them, is enough
        return json.loads(text)


class Events:
    """The events of one stream. An answer that is none, for a server knows no streams, is one event."""

    def __init__(self, checked: Callable[[object], Event]) -> None:
        """`checked` is the dialect's."""
        self._checked = checked
        self._kept = b""
        self._begun = False
        self.done = False
        self.failure: ValueError | None = None

    def feed(self, piece: bytes) -> list[Event]:
        if self._kept or not piece.endswith(b"\n"):
            whole, newline, self._kept = (self._kept + piece).rpartition(b"\n")
            piece = whole + newline
        if not self._begun and piece.lstrip()[:1] == b"{":
            self._kept = piece + self._kept  # no stream: it is read when it is all there
            return []
        return self._read(piece)

    def end(self) -> list[Event]:
        rest, self._kept = self._kept.strip(), b""
        if not self._begun and rest.startswith(b"{"):
            return self._read(b"data:" + rest.replace(b"\n", b" ").replace(b"\r", b" "))
        return self._read(rest)

    def _read(self, lines: bytes) -> list[Event]:
        found = []
        for line in lines.splitlines():
            if self.done or not line.startswith(b"data:"):
                continue  # a comment, a name, or nothing
            self._begun = True
            data = line[5:].strip()
            if data.startswith(_DONE):
                self.done = True
            elif data:
                try:
                    found.append(self._checked(parsed(data)))
                except ValueError as error:
                    self.failure = error
                    break
        return found
