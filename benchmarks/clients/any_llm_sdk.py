"""Mozilla's any-llm."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import any_llm

from .base import KEY, MODEL, TOOLS, Client, Message
from .sdk_stream import arguments, atexts, texts


class AnyLLM(Client):
    """Its client object, which its documentation has for those who ask often."""

    def __init__(self, url: str, *, providers: int = 1) -> None:  # noqa: ARG002  # it asks one
        self._client: Any = any_llm.AnyLLM.create("openai", api_key=KEY, api_base=url, max_retries=0)

    def call(self, messages: Sequence[Message]) -> str:
        return str(self._client.completion(MODEL, list(messages)).choices[0].message.content)

    async def acall(self, messages: Sequence[Message]) -> str:
        return str((await self._client.acompletion(MODEL, list(messages))).choices[0].message.content)

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        return texts(self._client.completion(MODEL, list(messages), stream=True))

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        async for text in atexts(await self._client.acompletion(MODEL, list(messages), stream=True)):
            yield text

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        return arguments(self._client.completion(MODEL, list(messages), stream=True, tools=TOOLS))
