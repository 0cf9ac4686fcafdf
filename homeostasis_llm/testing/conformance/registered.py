"""The rules over a provider that is known by its name: what `homeostasis llm conformance` runs."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from ...catalog import canonical_name
from ...provider import LLMProviderInterface
from ...registry import ProviderFactory
from . import wires
from .suite import ProviderConformance
from .wire import Wire

WANTED = "HOMEOSTASIS_CONFORMANCE"
"""The environment variable that names the provider, and whether it may be asked for real, as JSON."""

_DIALECTS: Mapping[str, type[Wire]] = {
    "openai": wires.OpenAIWire,
    "anthropic": wires.AnthropicWire,
    "gemini": wires.GeminiWire,
    "cohere": wires.CohereWire,
    "mistral": wires.MistralWire,
    "groq": wires.GroqWire,
    "openrouter": wires.OpenRouterWire,
    "ollama": wires.OllamaWire,
    "bedrock": wires.BedrockWire,
}
"""Of the catalog's providers, and of those whose class says `dialect`."""


def suite_of(name: str, *, live: bool = False) -> type[ProviderConformance]:
    """The suite over the provider of that name. Asks a real one only when `live`. Raises `UnknownProviderError`."""
    name = canonical_name(name)
    entry = ProviderFactory.describe(name, load_plugin=True)
    made = ProviderFactory.create_provider(name, ProviderConformance.key)
    made.close()
    known = _DIALECTS.get(str(getattr(made, "dialect", name)))
    takes_address = "base_url" in inspect.signature(type(made)).parameters or hasattr(type(made), "base_url")
    inside = not takes_address and not type(made).needs_key

    class TestProvider(ProviderConformance):
        """The provider that was asked for."""

        wire: ClassVar[Wire | None] = known() if known is not None and takes_address and not live else None
        in_process = wire is None
        asks = live or inside
        unwired = "" if inside else "asked for real" if live else f"it is not known which dialect {name} speaks"
        needs_key = entry.needs_key is not False
        model = made.default_model or None
        supports_listing = entry.facts is None or entry.facts.models_path is not None
        key = made.api_key if not live else str(ProviderFactory.create_provider(name).api_key)

        def request_fields(self) -> dict[str, Any]:
            # Real answers are long, and take their time.
            return {} if self.wire is not None else {"max_tokens": 16}

        def make_provider(self, api_key: str, base_url: str | None) -> LLMProviderInterface:
            if base_url is None:
                return ProviderFactory.create_provider(name, api_key)
            return ProviderFactory.create_provider(name, api_key, base_url=base_url)

    return TestProvider


if wanted := os.environ.get(WANTED):
    TestProvider = suite_of(**json.loads(wanted))
