"""Say how a model is to be asked where a request leaves it open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What to use where the request says nothing; None leaves llama.cpp's own default."""

    chat_template: str | None = None
    """A Jinja template, in place of the model's own."""
    json_system_prompt: str | None = None
    """Said before a conversation without system message whose answer is to be JSON."""
    temperature: float | None = None
    frequency_penalty: float | None = None
    json_frequency_penalty: float | None = None
    """In place of `frequency_penalty` where the answer is to be JSON."""
    max_tokens: int | None = None
    cache_prompt: bool | None = None
    """Whether to go on from what is remembered of the prompt before, where two begin alike."""
    threads: int | None = None
    """To write with; prompts are read with all cores."""


PLAIN = Tuning()
