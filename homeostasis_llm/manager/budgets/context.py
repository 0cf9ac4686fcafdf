"""Estimate, before anything is sent, whether a request fits a model's context. The provider's own count may differ.

What is clearly short enough is not counted, for counting takes milliseconds. litellm's tokenizers count the rest where
litellm is loaded already; importing it takes seconds, which an estimate is not worth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ...catalog import canonical_name, facts_of
from ...config import Settings
from ...errors import ContextLengthError
from ...messages import AudioPart, FilePart, ImagePart, LLMMessage, TextPart
from ...request import JSONSchema, LLMRequest, Tool

T = TypeVar("T")

MARGIN = 0.1
"""The part by which estimates are taken to be wrong, either way. Refusing what would have fitted is worse
than sending what does not: the provider says so, and then a larger window is looked for."""

_GUESSED = 1.0
"""The margin of what was not counted: text can have eight bytes to a token, and two."""

_MESSAGE = 4
"""Tokens for a message's role and its ends (platform.openai.com/docs/guides/token-counting)."""

_IMAGE = 1000
"""Tokens. Google's API takes 258 for a small image, OpenAI's up to some 1,100, Anthropic's up to some 1,600."""

_BYTES_OF_SOUND = 1000
"""For a token: 32 of them a second (ai.google.dev/gemini-api/docs/audio) of speech in 16 bits at 16 kHz."""


@dataclass(frozen=True, slots=True)
class ContextEstimate:
    """How much of a model's context a request takes, about."""

    tokens: int
    """What is sent, without the answer. An estimate, counted or not."""
    window: int | None
    """Tokens that the model reads at most; None where that is not known."""
    margin: float = MARGIN
    """The part by which `tokens` may be wrong."""
    counted: bool = False
    """Whether a tokenizer counted the text; else a token was taken for four bytes."""
    estimated: bool = True
    """The provider's own count is not known before it answers."""

    @property
    def fits(self) -> bool:
        """Whether it may fit: False only where it would not even if the estimate were too high by the margin."""
        return self.window is None or self.tokens <= self.window * (1 + self.margin)

    @property
    def surely_fits(self) -> bool:
        """Whether it fits even if the estimate is too low by the margin."""
        return self.window is not None and self.tokens * (1 + self.margin) <= self.window

    def error(self, provider: str, model: str | None) -> ContextLengthError | None:
        """Why the request is not sent; None where it may fit."""
        if self.fits:
            return None
        return ContextLengthError(
            f"the messages have about {self.tokens:,} tokens by our estimate, and {model or provider} reads "
            f"{self.window:,}; shorten them, or ask a model with a larger context",
            prompt_tokens=self.tokens,
            context_tokens=self.window,
            provider=provider,
            model=model,
        )


def estimate(
    request: LLMRequest, provider: str, model: str, window: int | None, *, margin: float = MARGIN
) -> ContextEstimate:
    """How `request` and a context of `window` tokens compare; None where that is not known.

    Raises nothing, whatever is in the request.
    """
    texts = list(_texts(request))
    others = _MESSAGE * len(request.messages) + sum(_media(message) for message in request.messages)
    size = sum(len(text.encode(errors="replace")) for text in texts)
    guess = ContextEstimate(size // 4 + others, window, max(margin, _GUESSED))
    if window is None or guess.surely_fits:
        return guess
    counted = _counted("\n".join(texts), provider, model)
    return guess if counted is None else ContextEstimate(counted + others, window, margin, counted=True)


def window_of(provider: str, model: str, settings: Settings) -> int | None:
    """Tokens that the model reads at most: as litellm's list has it, else as the settings say; None if neither does."""
    from ...litellm_bridge.tokens import context_window

    return context_window(model, _litellm_name(provider)) or settings.provider(provider).context_window


def _litellm_name(provider: str) -> str:
    facts = facts_of(provider)
    return canonical_name(provider) if facts is None else facts.litellm_name


def _counted(text: str, provider: str, model: str) -> int | None:
    from ...litellm_bridge.runtime import load_litellm
    from ...litellm_bridge.tokens import count_tokens

    if load_litellm.cache_info().currsize == 0:
        return None
    return count_tokens(text, model, _litellm_name(provider))


def _texts(request: LLMRequest) -> Iterator[str]:
    """All that the model reads as text."""
    if request.system_prompt is not None:
        yield request.system_prompt
    for message in request.messages:
        yield message.text
        for call in message.tool_calls:
            yield call.name
            yield call.arguments_text
    for tool in request.tools or ():
        yield _json([tool.name, tool.description, tool.parameters] if isinstance(tool, Tool) else tool)
    if isinstance(request.response_format, JSONSchema):
        yield _json(request.response_format.schema)


def _media(message: LLMMessage) -> int:
    """Tokens for what is no text. What lies behind a URL, and how many pages a file has, is not known: 0."""
    parts: Sequence[object] = () if isinstance(message.content, str) else message.content
    tokens = 0
    for part in parts:
        match part:
            case TextPart():
                pass
            case ImagePart():
                tokens += _IMAGE
            case AudioPart(data=bytes() as sound):
                tokens += len(sound) // _BYTES_OF_SOUND
            case FilePart(data=bytes() as file, media_type=str() as kind) if kind.startswith("text/"):
                tokens += len(file) // 4
    return tokens


def _json(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, default=str)
