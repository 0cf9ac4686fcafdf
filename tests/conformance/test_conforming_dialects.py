"""LiteLLMProvider keeps what every provider promises, in the dialects that most providers speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest

from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.testing import ProviderConformance
from homeostasis_llm.testing.conformance import Wire, wires

from . import litellm_faults


class OverLiteLLM(ProviderConformance):
    """What the dialects have in common."""

    name: ClassVar[str]

    def make_provider(self, api_key: str, base_url: str | None) -> LiteLLMProvider:
        return LiteLLMProvider(self.name, api_key, base_url=base_url)


class TestOpenAI(OverLiteLLM):
    name = "openai"
    wire: ClassVar[Wire | None] = wires.OpenAIWire()
    model = "gpt-4o"


class TestAnthropic(OverLiteLLM):
    name = "anthropic"
    wire: ClassVar[Wire | None] = wires.AnthropicWire()
    model = "claude-sonnet-4-5"
    known_faults: ClassVar[Mapping[str, str]] = litellm_faults.ANTHROPIC


class TestGemini(OverLiteLLM):
    name = "gemini"
    wire: ClassVar[Wire | None] = wires.GeminiWire()
    model = "gemini-2.5-flash"
    known_faults: ClassVar[Mapping[str, str]] = litellm_faults.GEMINI


class TestCohere(OverLiteLLM):
    name = "cohere"
    wire: ClassVar[Wire | None] = wires.CohereWire()
    model = "command-r"
    known_faults: ClassVar[Mapping[str, str]] = litellm_faults.COHERE


class TestMistral(OverLiteLLM):
    name = "mistral"
    wire: ClassVar[Wire | None] = wires.MistralWire()
    model = "mistral-small-latest"


class TestGroq(OverLiteLLM):
    name = "groq"
    wire: ClassVar[Wire | None] = wires.GroqWire()
    model = "openai/gpt-oss-20b"


class TestOpenRouter(OverLiteLLM):
    name = "openrouter"
    wire: ClassVar[Wire | None] = wires.OpenRouterWire()
    model = "openai/gpt-oss-120b"


# The client that litellm asks about the model with connects while the server is closed.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
class TestOllama(OverLiteLLM):
    name = "ollama"
    wire: ClassVar[Wire | None] = wires.OllamaWire()
    model = "llama3.1"
    known_faults: ClassVar[Mapping[str, str]] = litellm_faults.OLLAMA
    needs_key = False


class TestBedrock(OverLiteLLM):
    name = "bedrock"
    wire: ClassVar[Wire | None] = wires.BedrockWire()
    model = "global.amazon.nova-2-lite-v1:0"
    known_faults: ClassVar[Mapping[str, str]] = litellm_faults.BEDROCK
    supports_listing = False
