"""Read what Aleph Alpha answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeostasis_llm import FinishReason, LLMChunk, LLMResponse, Usage, finish_reason_of

_FINISHES: dict[str, FinishReason] = {"end_of_text": "stop", "stop_sequence_reached": "stop"}
"""Its words that nobody else uses."""

_COUNTS = ("num_tokens_prompt_total", "num_tokens_generated")

Told = Mapping[str, Any]


def response(told: Told) -> LLMResponse:
    """An answer. Of several completions, the first."""
    completion = told["completions"][0]
    word = completion.get("finish_reason")
    return LLMResponse(
        content=completion["completion"],
        usage=_usage(told),
        metadata={"finish_reason": word, "model_version": told.get("model_version")},
        finish_reason=_finish_reason(word),
    )


def chunk(told: Told) -> LLMChunk | None:
    """A piece of a stream; None where it belongs to another completion than the first, or is of an unknown type."""
    if told.get("index", 0) != 0:
        return None
    match told["type"]:
        case "stream_chunk":
            return LLMChunk(text=told["completion"])
        case "stream_summary":
            word = told.get("finish_reason")
            return LLMChunk(
                finish_reason=_finish_reason(word),
                metadata={"finish_reason": word, "model_version": told.get("model_version")},
            )
        case "completion_summary":
            return LLMChunk(usage=_usage(told))
    return None


def _usage(told: Told) -> Usage | None:
    counts = {name: told[name] for name in _COUNTS if told.get(name) is not None}
    return Usage.of(counts) if counts else None


def _finish_reason(word: str | None) -> FinishReason:
    return _FINISHES.get(word or "") or finish_reason_of(word)
