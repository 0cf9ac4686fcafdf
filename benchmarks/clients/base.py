"""What a client does to be compared: four ways of asking, and a stream with a tool call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar, TypedDict

from benchmarks import wire
from benchmarks.wire import TOOL

KEY = wire.KEY
MODEL = "loopback"
DESCRIPTION = "Look something up."
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": TOOL, "description": DESCRIPTION, "parameters": PARAMETERS}}
]


class Message(TypedDict):
    """As OpenAI has it."""

    role: str
    content: str


class Client(ABC):
    """Asks one server. `url` is the base URL up to and with `/v1`.

    A client is made once and asked often, as its own documentation has it. What it does not have is named in `lacks`.
    """

    lacks: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def __init__(self, url: str, *, providers: int = 1) -> None:
        """`providers` is how many a client that chooses among several is given; the first one answers."""

    def call(self, messages: Sequence[Message]) -> str:
        """The whole answer."""
        raise NotImplementedError

    @abstractmethod
    async def acall(self, messages: Sequence[Message]) -> str:
        """`call` for async callers."""

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        """The pieces of the answer's text that are not empty."""
        raise NotImplementedError

    @abstractmethod
    def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """`stream` for async callers."""

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        """The arguments of the one tool call of a stream."""
        raise NotImplementedError
