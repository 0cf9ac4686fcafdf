"""Ask any LangChain chat model, ours and others' alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk

from .base import TOOLS, Client, Message


class ChatModel(Client):
    """A chat model, asked as LangChain's documentation has it. A subclass makes it."""

    def __init__(self, url: str, *, providers: int = 1) -> None:
        self._model = self._made(url, providers)
        self._with_tools = self._model.bind_tools(TOOLS)

    def _made(self, url: str, providers: int) -> BaseChatModel:
        raise NotImplementedError

    def call(self, messages: Sequence[Message]) -> str:
        return str(self._model.invoke(_given(messages)).content)

    async def acall(self, messages: Sequence[Message]) -> str:
        return str((await self._model.ainvoke(_given(messages))).content)

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        for chunk in self._model.stream(_given(messages)):
            if chunk.content:
                yield str(chunk.content)

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        async for chunk in self._model.astream(_given(messages)):
            if chunk.content:
                yield str(chunk.content)

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        chunks: list[Any] = list(self._with_tools.stream(_given(messages)))
        whole: AIMessageChunk = reduce(add, chunks)
        return dict(whole.tool_calls[0]["args"])


def _given(messages: Sequence[Message]) -> list[Any]:
    """As they are: LangChain takes OpenAI's form."""
    return list(messages)
