"""Say which dialect a provider speaks. Import this only after `runtime.load_litellm`: some dialects need litellm."""

from __future__ import annotations

from collections.abc import Mapping

from . import gemini_dialect, openai_dialect
from .dialect import Dialect


def dialect_of(provider: str) -> Dialect:
    """That of one of litellm's providers: OpenAI's, unless another is known."""
    return _OTHERS.get(provider, openai_dialect.DIALECT)


_OTHERS: Mapping[str, Dialect] = {"gemini": gemini_dialect.DIALECT}
