"""OpenAI's own SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import openai

from .base import KEY, MODEL, TOOLS, Client, Message
from .sdk_stream import arguments, atexts, texts


class OpenAI(Client):
    """The SDK, without retries."""

    def __init__(self, url: str, *, providers: int = 1) -> None:  # noqa: ARG002  # there is one server
        self._client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
        self._async = openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0)

    def _ask(self, messages: Sequence[Message], **more: Any) -> Any:
        return self._client.chat.completions.create(model=MODEL, messages=list(messages), **more)

    def call(self, messages: Sequence[Message]) -> str:
        return str(self._ask(messages).choices[0].message.content)

    async def acall(self, messages: Sequence[Message]) -> str:
        asked: Any = list(messages)
        answer = await self._async.chat.completions.create(model=MODEL, messages=asked)
        return str(answer.choices[0].message.content)

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        return texts(self._ask(messages, stream=True))

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        asked: Any = list(messages)
        async for text in atexts(await self._async.chat.completions.create(model=MODEL, messages=asked, stream=True)):
            yield text

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        return arguments(self._ask(messages, stream=True, tools=TOOLS))
