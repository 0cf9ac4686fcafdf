"""What LangChain itself takes: a chat model that asks nobody, so that no other model of LangChain's can be faster."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from benchmarks.wire import ANSWER, piece

from .langchain_base import ChatModel


class Parrot(BaseChatModel):
    """Says what the loopback server would."""

    pieces: int = 1

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def bind_tools(self, tools: Any, **_: Any) -> Runnable[Any, AIMessage]:  # noqa: ARG002  # it calls none
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:  # noqa: ARG002  # it does not listen
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=ANSWER))])

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._generate(messages)

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:  # noqa: ARG002  # as above
        for place in range(self.pieces):
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece(place)))

    async def _astream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk


class NoWire(ChatModel):
    """LangChain alone."""

    lacks = frozenset({"tool_call"})

    def _made(self, url: str, providers: int) -> BaseChatModel:  # noqa: ARG002  # it has none
        number = re.search(r"stream-(\d+)", url)
        return Parrot(pieces=int(number[1]) if number else 1)
