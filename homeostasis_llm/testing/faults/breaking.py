"""Where an answer breaks off: what still goes out of each piece of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .steps import Break


class Cut(NamedTuple):
    """What goes out of a piece."""

    data: bytes
    missing: int = 0
    """Bytes that HTTP announces, and that do not come."""
    over: bool = False
    """Whether nothing comes after it."""


class Breaker:
    """Looks at a stream's events one by one, until the break."""

    def __init__(self, broken: Break, carries_text: Callable[[bytes], bool]) -> None:
        self._broken = broken
        self._carries_text = carries_text
        self._left = broken.after_chunks

    def cut(self, event: bytes) -> Cut:
        """What goes out of the next event."""
        if self._carries_text(event):
            self._left -= 1
            if self._left < 0:
                return self._cut(event)
        return Cut(event)

    def _cut(self, event: bytes) -> Cut:
        half = len(event) // 2
        if self._broken.at == "between_chunks":
            return Cut(b"", over=True)
        if self._broken.how == "truncated":
            return Cut(event[:half] + b"\n\n", over=True)
        if self._broken.at == "mid_chunk":
            return Cut(event[:half], missing=len(event) - half, over=True)
        place = _amid_a_character(event)
        if place is None:  # a later event has one
            return Cut(event)
        # HTTP's own chunk is whole, so that a client is given half a character.
        return Cut(event[:place], over=True)


def what_goes_out(broken: Break, body: bytes) -> bytes:
    """What goes out of an answer that is not streamed: it ends in its middle, or in that of a character."""
    place = _amid_a_character(body) if broken.at == "mid_character" else None
    return body[: len(body) // 2 if place is None else place]


def _amid_a_character(data: bytes) -> int | None:
    """The place behind the first byte of the first character that has several; None where there is none."""
    return next((place + 1 for place, byte in enumerate(data) if byte >= 0x80), None)
