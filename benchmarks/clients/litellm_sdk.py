"""litellm: its functions, the same without its logging of streams, and its Router."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import litellm

from .base import KEY, MODEL, TOOLS, Client, Message
from .sdk_stream import arguments, atexts, texts


class LiteLLM(Client):
    """`litellm.completion` and `litellm.acompletion`."""

    def __init__(self, url: str, *, providers: int = 1) -> None:  # noqa: ARG002  # it asks the one it is told to
        self._given = {"model": f"openai/{MODEL}", "api_base": url, "api_key": KEY, "num_retries": 0}

    def _ask(self, messages: Sequence[Message], **more: Any) -> Any:
        return litellm.completion(messages=list(messages), **self._given, **more)

    async def _aask(self, messages: Sequence[Message], **more: Any) -> Any:
        return await litellm.acompletion(messages=list(messages), **self._given, **more)

    def call(self, messages: Sequence[Message]) -> str:
        return str(self._ask(messages).choices[0].message.content)

    async def acall(self, messages: Sequence[Message]) -> str:
        return str((await self._aask(messages)).choices[0].message.content)

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        return texts(self._ask(messages, stream=True))

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        async for text in atexts(await self._aask(messages, stream=True)):
            yield text

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        return arguments(self._ask(messages, stream=True, tools=TOOLS))


class QuietLiteLLM(LiteLLM):
    """The same with the setting that litellm has for faster streams. It is the whole process's."""

    def __init__(self, url: str, *, providers: int = 1) -> None:
        super().__init__(url, providers=providers)
        litellm.disable_streaming_logging = True


class LiteLLMRouter(LiteLLM):
    """`litellm.Router`, of whose groups of models the first is asked."""

    def __init__(self, url: str, *, providers: int = 1) -> None:
        super().__init__(url)
        self._router = litellm.Router(
            model_list=[
                {"model_name": f"{MODEL}-{number}", "litellm_params": self._given} for number in range(providers)
            ],
            num_retries=0,
        )

    def _ask(self, messages: Sequence[Message], **more: Any) -> Any:
        return self._router.completion(f"{MODEL}-0", list(messages), **more)

    async def _aask(self, messages: Sequence[Message], **more: Any) -> Any:
        return await self._router.acompletion(f"{MODEL}-0", list(messages), **more)
