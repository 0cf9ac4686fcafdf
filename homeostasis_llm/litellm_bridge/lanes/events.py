"""Cut a stream of OpenAI's form into its events."""

from __future__ import annotations

import json
from typing import Any

from .openai_dialect import checked

Event = dict[str, Any]

_DONE = b"[DONE]"


class Events:
    """The events of one stream. An answer that is none, for a server knows no streams, is one event."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._begun = False
        self.done = False
        """Whether the provider said that this was all; what then comes is passed over."""

    def feed(self, piece: bytes) -> list[Event]:
        """Those that `piece` completes. Raises `ValueError` for one that is none."""
        self._kept += piece
        if b"\n" not in piece:
            return []
        whole, _, rest = bytes(self._kept).rpartition(b"\n")
        if not self._begun and whole.lstrip()[:1] == b"{":
            return []  # no stream: it is read when it is all there
        self._kept = bytearray(rest)
        return self._read(whole)

    def end(self) -> list[Event]:
        """The last ones."""
        rest, self._kept = bytes(self._kept).strip(), bytearray()
        if not self._begun and rest.startswith(b"{"):
            return [checked(json.loads(rest))]
        return self._read(rest)

    def _read(self, lines: bytes) -> list[Event]:
        found = []
        for line in lines.splitlines():
            if self.done or not line.startswith(b"data:"):
                continue  # a comment, a name, or nothing
            data = line[5:].strip()
            if data.startswith(_DONE):
                self.done = True
            elif data:
                found.append(checked(json.loads(data)))
            self._begun = True
        return found
