"""LiteLLMProvider keeps what every provider promises, in the dialects that most providers speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.testing import ProviderConformance
from homeostasis_llm.testing.conformance import Wire
from homeostasis_llm.testing.conformance.wires import OpenAIWire

_NO_STREAM = "litellm makes an empty answer of a stream's answer that holds no event, and the bridge does not look"

_OF_ALL = {
    "test_a_stream_without_anything_is_an_error": _NO_STREAM,
    "test_an_answer_that_cannot_be_read_is_an_error": _NO_STREAM,
}


class OverLiteLLM(ProviderConformance):
    """What the dialects have in common."""

    name: ClassVar[str]
    known_faults: ClassVar[Mapping[str, str]] = _OF_ALL

    def make_provider(self, api_key: str, base_url: str | None) -> LiteLLMProvider:
        return LiteLLMProvider(self.name, api_key, base_url=base_url)


class TestOpenAI(OverLiteLLM):
    name = "openai"
    wire: ClassVar[Wire | None] = OpenAIWire()
    model = "gpt-4o"
