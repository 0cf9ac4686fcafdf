"""Call litellm whole: `litellm.completion` and `litellm.acompletion`, with all that they do around a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from ...response import LLMChunk, LLMResponse
from ..exchange import Exchange, current_exchange
from ..incoming import last_chunk, read_chunk, read_response
from ..runtime import load_litellm

# Without being asked, most providers send no usage in a stream.
STREAMED: Mapping[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
"""What is said for a stream."""


class FullCall:
    """A call of litellm with `arguments`."""

    lane = "full"

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments

    def complete(self) -> Any:
        return _given(load_litellm().completion(**self._in_time()))

    def stream(self) -> Iterator[Any]:
        return iter(load_litellm().completion(**self._in_time(), **STREAMED))

    async def acomplete(self) -> Any:
        return _given(await load_litellm().acompletion(**self._in_time()))

    async def astream(self) -> AsyncIterator[Any]:
        return aiter(await load_litellm().acompletion(**self._in_time(), **STREAMED))

    def _in_time(self) -> dict[str, Any]:
        """The arguments, with as much time as is left."""
        exchange = current_exchange()
        return {**self._arguments, **({} if exchange is None else {"timeout": exchange.httpx_timeout()})}

    def read(self, answer: Any, exchange: Exchange, provider: str) -> tuple[LLMResponse, Any]:
        return read_response(answer, exchange, provider), getattr(answer, "usage", None)

    def reading(self, provider: str) -> FullReading:
        return FullReading(provider)


def _given(answer: Any) -> Any:
    # Where a second try of litellm's own fails like the first, it returns without a word.
    if answer is None:
        raise ValueError("litellm gave no answer")
    return answer


class FullReading:
    """Reads litellm's `ModelResponseStream`s."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._ending: Any = None
        self.counted: Any = None

    def chunks(self, piece: Any) -> list[LLMChunk]:
        chunk = read_chunk(piece, self._provider)
        if any(getattr(choice, "finish_reason", None) for choice in piece.choices):
            self._ending = piece
        self.counted = getattr(piece, "usage", None) or self.counted
        return [chunk]

    def last(self, exchange: Exchange) -> LLMChunk:
        return last_chunk(self._ending, self.counted, exchange, self._provider)
