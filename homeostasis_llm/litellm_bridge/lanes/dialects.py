"""Say which dialect a provider speaks. Import this only after `runtime.load_litellm`: some dialects need litellm."""

from __future__ import annotations

from collections.abc import Mapping

from . import anthropic_dialect, cohere_dialect, converse_dialect, gemini_dialect, ollama_dialect, openai_dialect
from .dialect import Dialect


def dialect_of(provider: str, model: str) -> Dialect | None:
    """That in which a model of one of litellm's providers answers: OpenAI's, unless another is known.

    None where it is known that we cannot read it.
    """
    if provider == "bedrock":
        return converse_dialect.dialect(model)
    if provider == "cohere_chat":
        return None if "v1/" in model else cohere_dialect.dialect(model)
    return _OTHERS.get(provider, openai_dialect.DIALECT)


_OTHERS: Mapping[str, Dialect] = {
    "anthropic": anthropic_dialect.DIALECT,
    "gemini": gemini_dialect.DIALECT,
    "ollama_chat": ollama_dialect.DIALECT,
}
