"""Count tokens: what one call consumed, whichever dialect the provider counts in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Self

from ._value import Value, value

Path = tuple[str, ...]

# Where each count stands in the dialects, the first one present wins. A count that a dialect keeps apart from
# `input` or `output` although it belongs there is in _APART too.
# Sources: the providers' API references for chat completions (OpenAI), messages (Anthropic), generateContent and
# interactions (Google), converse and the models' own forms (AWS), chat (Cohere, Ollama), complete (Aleph Alpha),
# generation (IBM), completion (llama.cpp).
_PATHS: dict[str, tuple[Path, ...]] = {
    "input_tokens": (
        ("prompt_tokens",),
        ("input_tokens",),
        ("promptTokenCount",),
        ("inputTokens",),
        ("prompt_eval_count",),
        ("tokens", "input_tokens"),
        ("billed_units", "input_tokens"),
        ("total_input_tokens",),
        ("inputTextTokenCount",),
        ("prompt_token_count",),
        ("input_token_count",),
        ("num_tokens_prompt_total",),
        ("tokens_evaluated",),
    ),
    "output_tokens": (
        ("completion_tokens",),
        ("output_tokens",),
        ("candidatesTokenCount",),
        ("outputTokens",),
        ("eval_count",),
        ("tokens", "output_tokens"),
        ("billed_units", "output_tokens"),
        ("total_output_tokens",),
        ("generation_token_count",),
        ("generated_token_count",),
        ("num_tokens_generated",),
        ("tokens_predicted",),
    ),
    "total_tokens": (("total_tokens",), ("totalTokenCount",), ("totalTokens",)),
    "cached_tokens": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("prompt_token_details", "cached_tokens"),
        ("cache_read_input_tokens",),
        ("cachedContentTokenCount",),
        ("cacheReadInputTokens",),
        ("cacheReadInputTokenCount",),
        ("prompt_cache_hit_tokens",),
        ("cached_tokens",),
        ("total_cached_tokens",),
    ),
    "cache_write_tokens": (
        ("cache_creation_input_tokens",),
        ("cacheWriteInputTokens",),
        ("cacheWriteInputTokenCount",),
        ("cache_write_tokens",),
        ("prompt_tokens_details", "cache_creation_tokens"),
        ("prompt_tokens_details", "cache_write_tokens"),
    ),
    "reasoning_tokens": (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "thinking_tokens"),
        ("completion_token_details", "reasoning_tokens"),
        ("thoughtsTokenCount",),
        ("reasoning_tokens",),
        ("total_thought_tokens",),
    ),
}

# Counts that dialects keep apart from where they belong, in one spelling or another.
_APART: dict[str, tuple[tuple[str, ...], ...]] = {
    "input_tokens": (
        # Anthropic and AWS: neither what was read from the cache nor what was written to it.
        ("cache_read_input_tokens",),
        ("cache_creation_input_tokens",),
        ("cacheReadInputTokens", "cacheReadInputTokenCount"),
        ("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
        # Google: not what its own tools found.
        ("toolUsePromptTokenCount", "total_tool_use_tokens"),
    ),
    # Google: no thoughts.
    "output_tokens": (("thoughtsTokenCount", "total_thought_tokens"),),
}

_ALIASES: dict[str, str] = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "cache_read_input_tokens": "cached_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
}


@value
class Usage(Value):
    """Tokens as the provider counted them; None where it did not say.

    Also reads as a dict in both common dialects (`usage["prompt_tokens"]` is `usage["input_tokens"]`), and by the names
    of the dict it was made from: `Usage.of(...)`.
    """

    input_tokens: int | None = None
    """Tokens read, cached ones included (Anthropic and AWS report those apart: they are added)."""
    output_tokens: int | None = None
    """Tokens written, reasoning included."""
    total_tokens: int | None = None
    """Input and output; their sum where the provider names no total."""
    cached_tokens: int | None = None
    """Of the input: read from the provider's prompt cache."""
    cache_write_tokens: int | None = None
    """Of the input: written to the provider's prompt cache."""
    reasoning_tokens: int | None = None
    """Of the output: thought, not shown."""
    raw: dict[str, Any] | None = None
    """The provider's own dict, where there was one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.total_tokens is None and self.input_tokens is not None and self.output_tokens is not None:
            self.total_tokens = self.input_tokens + self.output_tokens

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """Read a provider's own dict, in any of the common dialects; what cannot be read is None."""
        counts = {name: _first(raw, paths) for name, paths in _PATHS.items()}
        # prompt_tokens already holds everything, wherever the cached ones are also named.
        if "prompt_tokens" not in raw:
            for name, parts in _APART.items():
                # A stream may tell what it wrote long after what it read; thoughts alone are an output.
                if counts[name] is not None or name == "output_tokens":
                    for spellings in parts:
                        counts[name] = _sum(counts[name], _first(raw, tuple((key,) for key in spellings)))
        read, written, thought = (counts[name] for name in ("input_tokens", "output_tokens", "reasoning_tokens"))
        if read is not None and written is not None and thought and counts["total_tokens"] == read + written + thought:
            counts["output_tokens"] = written + thought  # xAI: completion_tokens has no thoughts, its total does
        return cls(**counts, raw=dict(raw))

    def __getitem__(self, key: str) -> Any:
        name = _ALIASES.get(key, key)
        if name in _COUNTS:
            return getattr(self, name)
        if self.raw is not None and key in self.raw:
            return self.raw[key]
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The count of that name in either dialect, `default` where it is unknown."""
        found = self[key] if key in self else default  # noqa: SIM401  # this is `get`
        return default if found is None else found

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The names of all counts that are known, in both dialects, then those of the provider's own dict."""
        known = [name for name in (*_COUNTS, *_ALIASES) if getattr(self, _ALIASES.get(name, name)) is not None]
        return [*known, *(key for key in self.raw or {} if key not in known)]

    @property
    def _says_nothing(self) -> bool:
        return self.input_tokens is None and self.output_tokens is None and self.total_tokens is None

    def __add__(self, other: Usage) -> Usage:
        """The sum of two calls; a count that neither knows stays unknown."""
        counts: dict[str, Any] = {name: _sum(getattr(self, name), getattr(other, name)) for name in _COUNTS}
        if not (self._says_nothing or other._says_nothing) and None in {self.total_tokens, other.total_tokens}:
            counts["total_tokens"] = None  # one call's total is not that of both
        return Usage(**counts)

    def updated(self, later: Usage) -> Usage:
        """What one stream reported twice: `later`'s counts, and this one's where `later` is silent."""
        counts: dict[str, Any] = {name: _later(getattr(self, name), getattr(later, name)) for name in _COUNTS}
        if later.total_tokens is None and not later._says_nothing:
            counts["total_tokens"] = None  # to be summed again
        return Usage(**counts, raw={**(self.raw or {}), **(later.raw or {})} or None)


_COUNTS: tuple[str, ...] = tuple(field.name for field in fields(Usage) if field.name != "raw")


def _count(found: object) -> int | None:
    # bool is an int; AWS and Cohere send whole numbers as floats.
    if type(found) is int:
        return found
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
        return None
    return int(found)


def _first(raw: Mapping[str, Any], paths: tuple[Path, ...]) -> int | None:
    for path in paths:
        found: Any = raw
        for step in path:
            # To ask whether something is a Mapping takes several times as long as to ask the same of a dict.
            found = found.get(step) if isinstance(found, dict) or isinstance(found, Mapping) else None  # noqa: SIM101
            if found is None:
                break
        else:
            if (count := _count(found)) is not None:
                return count
    return None


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else one + other


def _later(earlier: int | None, later: int | None) -> int | None:
    return earlier if later is None else later
