"""Take a stream of bytes apart into events, wherever it was cut: server-sent events, or JSON by lines."""

# No library: httpx-sse splits lines by a decoder of httpx's, which also ends them at characters that are none of SSE's
# line ends and may stand in a model's words.

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from .messages import read_json

DONE = "[DONE]"
"""What OpenAI's API, and many others, send as the data of the last event."""

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream."""

    data: str = field(repr=False)
    """It may repeat the key, so no repr shows it."""
    event: str = "message"
    """Its type; `message` where the stream names none."""

    @property
    def json(self) -> Any:
        """The data, read. Raises `InvalidResponseError` where it is no JSON."""
        return read_json(self.data, "an event of the stream")


class Decoder(Protocol):
    """Takes pieces of a stream, and gives the events that are complete."""

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The events that `piece` completes."""

    def end(self) -> list[ServerEvent]:
        """What is left when the stream is over."""


class _Lines:
    """Joins pieces, and splits them where lines end."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
        self._rest = ""

    def feed(self, piece: bytes, *, final: bool = False) -> list[str]:
        text = self._rest + self._decode(piece, final)
        held = ""
        if text.endswith("\r") and not final:  # the other half of the line's end may be on its way
            text, held = text[:-1], "\r"
        *lines, rest = _LINE_END.split(text)
        self._rest = rest + held
        if final and self._rest:
            lines.append(self._rest)
            self._rest = ""
        return lines


class SSEDecoder:
    """Server-sent events, as the HTML standard has them ("Interpreting an event stream")."""

    def __init__(self) -> None:
        self._lines = _Lines()
        self._data: list[str] = []
        self._event = ""

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The events that `piece` completes."""
        return [event for line in self._lines.feed(piece) if (event := self._take(line)) is not None]

    def end(self) -> list[ServerEvent]:
        """The last event, where the stream ended without the empty line after it."""
        lines = [*self._lines.feed(b"", final=True), ""]
        return [event for line in lines if (event := self._take(line)) is not None]

    def _take(self, line: str) -> ServerEvent | None:
        if not line:
            event = ServerEvent("\n".join(self._data), self._event or "message") if self._data else None
            self._data, self._event = [], ""
            return event
        name, _, told = line.partition(":")  # a line that begins with a colon is a comment
        told = told.removeprefix(" ")
        if name == "data":
            self._data.append(told)
        elif name == "event":
            self._event = told
        return None


class NDJSONDecoder:
    """A JSON object on each line, as Ollama has it."""

    def __init__(self) -> None:
        self._lines = _Lines()

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The lines that `piece` completes."""
        return [ServerEvent(line) for line in self._lines.feed(piece) if line.strip()]

    def end(self) -> list[ServerEvent]:
        """The last line, where nothing ended it."""
        return [ServerEvent(line) for line in self._lines.feed(b"", final=True) if line.strip()]
