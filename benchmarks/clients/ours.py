"""This package: a provider and the manager, each alone and as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel

from benchmarks.wire import TOOL
from homeostasis_llm import (
    ChatHomeostasis,
    LLMManager,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    ProviderFactory,
    Tool,
)
from homeostasis_llm.response import merge_chunks

from .base import DESCRIPTION, KEY, MODEL, PARAMETERS, Client, Message
from .langchain_base import ChatModel

_TOOL = Tool(name=TOOL, description=DESCRIPTION, parameters=PARAMETERS)


def _provider(url: str, name: str = "openai") -> LLMProviderInterface:
    return ProviderFactory.create_provider(name, KEY, base_url=url)


def _manager(url: str, providers: int) -> LLMManager:
    """Over so many; all would go to the same server."""
    others = [
        name for name in ProviderFactory.get_supported_providers() if name not in {"openai", "llama_cpp"}
    ]  # it has no server
    return LLMManager(providers=[_provider(url), *(_provider(url, name) for name in others[: providers - 1])])


def _request(messages: Sequence[Message], tools: list[Tool] | None = None) -> LLMRequest:
    said: list[Any] = [LLMMessage(role=each["role"], content=each["content"]) for each in messages]  # type: ignore[arg-type]  # roles are plain text there
    return LLMRequest(messages=said, model=MODEL, tools=list(tools) if tools else None)


class Provider(Client):
    """One provider of ours."""

    def __init__(self, url: str, *, providers: int = 1) -> None:
        self._asked: Any = self._made(url, providers)

    def _made(self, url: str, providers: int) -> Any:  # noqa: ARG002  # it is one
        return _provider(url)

    def call(self, messages: Sequence[Message]) -> str:
        return str(self._asked.complete(_request(messages)).content)

    async def acall(self, messages: Sequence[Message]) -> str:
        return str((await self._asked.acomplete(_request(messages))).content)

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        for chunk in self._asked.complete_stream(_request(messages)):
            if chunk.text:
                yield chunk.text

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        async for chunk in self._asked.acomplete_stream(_request(messages)):
            if chunk.text:
                yield chunk.text

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        chunks = list(self._asked.complete_stream(_request(messages, [_TOOL])))
        return dict(merge_chunks(chunks).to_response().tool_calls[0].arguments)


class Manager(Provider):
    """The manager."""

    def _made(self, url: str, providers: int) -> Any:
        return _manager(url, providers)


class ChatOverProvider(ChatModel):
    """The chat model over one provider."""

    def _made(self, url: str, providers: int) -> BaseChatModel:  # noqa: ARG002  # it is one
        return ChatHomeostasis(provider=_provider(url), model=MODEL)


class ChatOverManager(ChatModel):
    """The chat model over the manager."""

    def _made(self, url: str, providers: int) -> BaseChatModel:
        return ChatHomeostasis(manager=_manager(url, providers), model=MODEL)
