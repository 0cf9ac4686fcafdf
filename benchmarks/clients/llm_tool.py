"""Simon Willison's `llm`, as a library. It logs nothing: only its command does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import llm
from llm.default_plugins.openai_models import AsyncChat, Chat

from benchmarks.wire import TOOL

from .base import DESCRIPTION, KEY, MODEL, PARAMETERS, Client, Message

_TOOL = llm.Tool(name=TOOL, description=DESCRIPTION, input_schema=PARAMETERS)


class LLM(Client):
    """Its models for OpenAI's wire format. It is given the last message alone."""

    def __init__(self, url: str, *, providers: int = 1) -> None:  # noqa: ARG002  # it asks one
        given: dict[str, Any] = {"model_name": MODEL, "api_base": url, "key": KEY, "supports_tools": True}
        self._model = Chat("loopback", **given)
        self._async = AsyncChat("loopback", **given)

    def call(self, messages: Sequence[Message]) -> str:
        return str(self._model.prompt(messages[-1]["content"], stream=False).text())

    async def acall(self, messages: Sequence[Message]) -> str:
        return str(await self._async.prompt(messages[-1]["content"], stream=False).text())

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        return iter(self._model.prompt(messages[-1]["content"]))

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        async for text in self._async.prompt(messages[-1]["content"]):
            yield text

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        response = self._model.prompt(messages[-1]["content"], tools=[_TOOL])
        return dict(response.tool_calls()[0].arguments)
