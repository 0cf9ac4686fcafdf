"""The clients' names, and where each is. Nothing is imported before it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from .base import Client

HOW_TO_INSTALL = "uv sync --group bench"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a client is, and what it takes."""

    where: str
    """Module and class, of this package."""
    needs: str
    """What must be installed: the name that is imported."""
    lane: str | None = None
    """By which way our providers call litellm; None for the usual one."""


CLIENTS = {
    "httpx": Entry("plain:Httpx", "httpx"),
    "aiohttp": Entry("plain:Aiohttp", "aiohttp"),
    "httpx over aiohttp": Entry("plain:HttpxOverAiohttp", "httpx_aiohttp"),
    "LangChain without a wire": Entry("no_wire:NoWire", "langchain_core"),
    "openai": Entry("openai_sdk:OpenAI", "openai"),
    "litellm": Entry("litellm_sdk:LiteLLM", "litellm"),
    "litellm, no stream logging": Entry("litellm_sdk:QuietLiteLLM", "litellm"),
    "litellm Router": Entry("litellm_sdk:LiteLLMRouter", "litellm"),
    "ChatLiteLLM": Entry("langchain_models:LiteLLMModel", "langchain_litellm"),
    "ChatOpenAI": Entry("langchain_models:OpenAIModel", "langchain_openai"),
    "any-llm": Entry("any_llm_sdk:AnyLLM", "any_llm"),
    "pydantic-ai": Entry("pydantic_ai_sdk:PydanticAI", "pydantic_ai"),
    "llm": Entry("llm_tool:LLM", "llm"),
    "provider": Entry("ours:Provider", "homeostasis_llm"),
    "LLMManager": Entry("ours:Manager", "homeostasis_llm"),
    "ChatHomeostasis(provider)": Entry("ours:ChatOverProvider", "homeostasis_llm"),
    "ChatHomeostasis(manager)": Entry("ours:ChatOverManager", "homeostasis_llm"),
    "provider, full lane": Entry("ours:Provider", "homeostasis_llm", "full"),
    "LLMManager, full lane": Entry("ours:Manager", "homeostasis_llm", "full"),
    "ChatHomeostasis(provider), full lane": Entry("ours:ChatOverProvider", "homeostasis_llm", "full"),
    "ChatHomeostasis(manager), full lane": Entry("ours:ChatOverManager", "homeostasis_llm", "full"),
}
"""In the order of the tables: bare HTTP, LangChain's own part, peers, ours."""

OURS = tuple(name for name, entry in CLIENTS.items() if entry.needs == "homeostasis_llm")
PEERS = tuple(name for name in CLIENTS if name not in OURS)
CHOOSING = ("litellm Router", "LLMManager", "ChatHomeostasis(manager)")
"""They choose among several providers."""


def is_installed(name: str) -> bool:
    """Whether the client can be made here."""
    return find_spec(CLIENTS[name].needs) is not None


def imported(name: str) -> type[Client]:
    """The class behind `name`, imported now."""
    module, _, kind = CLIENTS[name].where.partition(":")
    return cast("type[Client]", getattr(import_module(f"benchmarks.clients.{module}"), kind))


def make(name: str, url: str, *, providers: int = 1) -> Client:
    """The client `name` for the server at `url`."""
    return imported(name)(url, providers=providers)
