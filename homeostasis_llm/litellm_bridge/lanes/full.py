"""Call litellm whole: `litellm.completion` and `litellm.acompletion`, with all that they do around a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from ...response import LLMChunk, LLMResponse
from ..exchange import Exchange
from ..incoming import last_chunk, read_chunk, read_response
from ..runtime import load_litellm

# Without being asked, most providers send no usage in a stream.
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


class FullLane:
    """The lane of all providers that have no other."""

    name = "full"

    def complete(self, arguments: dict[str, Any]) -> Any:
        return load_litellm().completion(**arguments)

    def stream(self, arguments: dict[str, Any]) -> Iterator[Any]:
        return iter(load_litellm().completion(**arguments, **_STREAMED))

    async def acomplete(self, arguments: dict[str, Any]) -> Any:
        return await load_litellm().acompletion(**arguments)

    async def astream(self, arguments: dict[str, Any]) -> AsyncIterator[Any]:
        return aiter(await load_litellm().acompletion(**arguments, **_STREAMED))

    def read(self, answer: Any, exchange: Exchange, provider: str) -> tuple[LLMResponse, Any]:
        return read_response(answer, exchange, provider), getattr(answer, "usage", None)

    def reading(self, provider: str) -> FullReading:
        return FullReading(provider)


class FullReading:
    """Reads litellm's `ModelResponseStream`s."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._ending: Any = None
        self.counted: Any = None

    def chunk(self, piece: Any) -> LLMChunk:
        chunk = read_chunk(piece, self._provider)
        if any(getattr(choice, "finish_reason", None) for choice in piece.choices):
            self._ending = piece
        self.counted = getattr(piece, "usage", None) or self.counted
        return chunk

    def last(self, exchange: Exchange) -> LLMChunk:
        return last_chunk(self._ending, self.counted, exchange, self._provider)
