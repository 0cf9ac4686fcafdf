"""The dialects of well-known providers, as their API references show them."""

from __future__ import annotations

from .anthropic import AnthropicWire
from .bedrock import BedrockWire
from .cohere import CohereWire
from .gemini import GeminiWire
from .ollama import OllamaWire
from .openai import GroqWire, MistralWire, OpenAIWire, OpenRouterWire

__all__ = [
    "AnthropicWire",
    "BedrockWire",
    "CohereWire",
    "GeminiWire",
    "GroqWire",
    "MistralWire",
    "OllamaWire",
    "OpenAIWire",
    "OpenRouterWire",
]
