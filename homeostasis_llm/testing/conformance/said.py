"""What a model says in a test, before any dialect has put it into words."""

from __future__ import annotations

from dataclasses import dataclass

from ...messages import ToolCall
from ...response import FinishReason


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A good answer."""

    pieces: tuple[str, ...] = ("Hello", " there")
    """The text as a stream brings it; whole, it is one text, or has these parts where the dialect has parts."""
    tool_calls: tuple[ToolCall, ...] = ()
    interleaved: bool = False
    """Whether a stream brings the pieces of several calls in turns."""
    finish: FinishReason = "stop"
    usage: tuple[int, int] | None = (12, 7)
    """Tokens read and written; None to tell nothing."""
    id: str = "answer-0001"
    model: str = "wire-model-2026"
    """The one that has answered."""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)


def says(text: str) -> Said:
    """An answer of that text, which a stream brings in three pieces, or in as many as it has characters."""
    third = max(1, -(-len(text) // 3))
    return Said(pieces=tuple(text[place : place + third] for place in range(0, len(text), third)))
