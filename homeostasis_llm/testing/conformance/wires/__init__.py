"""The dialects of well-known providers, as their API references show them."""

from __future__ import annotations

from .openai import GroqWire, MistralWire, OpenAIWire, OpenRouterWire

__all__ = ["GroqWire", "MistralWire", "OpenAIWire", "OpenRouterWire"]
