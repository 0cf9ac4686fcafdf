"""Read what Yandex Cloud answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeostasis_llm import FinishReason, LLMChunk, LLMResponse, ServerEvent, ToolCall, ToolCallFragment, Usage

_PARTIAL = "ALTERNATIVE_STATUS_PARTIAL"

_FINISHES: dict[str, FinishReason] = {
    "ALTERNATIVE_STATUS_FINAL": "stop",
    "ALTERNATIVE_STATUS_TRUNCATED_FINAL": "length",
    "ALTERNATIVE_STATUS_CONTENT_FILTER": "content_filter",
    "ALTERNATIVE_STATUS_TOOL_CALLS": "tool_calls",
}

Told = Mapping[str, Any]


def response(result: Told) -> LLMResponse:
    """An answer."""
    alternative = result["alternatives"][0]
    return LLMResponse(
        content=alternative["message"].get("text"),
        usage=_usage(result),
        metadata={"finish_reason": alternative.get("status"), "model_version": result.get("modelVersion")},
        finish_reason=_FINISHES.get(alternative.get("status", ""), "unknown"),
        tool_calls=_calls(alternative["message"]),
    )


class Growth:
    """Reads the events of one stream, each of which repeats what the ones before it said."""

    def __init__(self) -> None:
        self._text = ""
        self._calls = 0

    def __call__(self, event: ServerEvent) -> LLMChunk:
        """What is new. Raises `ValueError` where the text does not go on as it began."""
        result = event.json["result"]
        alternative = result["alternatives"][0]
        text = alternative["message"].get("text") or self._text
        if not text.startswith(self._text):
            raise ValueError("the text of a stream has changed what it had said")
        new, self._text = text[len(self._text) :], text
        calls = _calls(alternative["message"])
        fragments = [ToolCallFragment.of(call, index=place) for place, call in enumerate(calls) if place >= self._calls]
        self._calls = max(self._calls, len(calls))
        made = LLMChunk(
            text=new,
            tool_calls=fragments,
            usage=_usage(result),
            metadata={"model_version": result.get("modelVersion")},
        )
        status = alternative.get("status")
        if status != _PARTIAL:
            made.finish_reason = _FINISHES.get(status or "", "unknown")
            made.metadata["finish_reason"] = status
        return made


def _calls(message: Told) -> list[ToolCall]:
    told = (message.get("toolCallList") or {}).get("toolCalls") or ()
    # They have no ids: ours tie the results to them.
    return [
        ToolCall(name=call["functionCall"]["name"], arguments=dict(call["functionCall"].get("arguments") or {}))
        for call in told
    ]


def _usage(result: Told) -> Usage | None:
    told = result.get("usage")
    if not told:
        return None
    details = told.get("completionTokensDetails") or {}
    return Usage(
        input_tokens=_count(told.get("inputTextTokens")),
        output_tokens=_count(told.get("completionTokens")),
        total_tokens=_count(told.get("totalTokens")),
        reasoning_tokens=_count(details.get("reasoningTokens")),
        raw=dict(told),
    )


def _count(found: object) -> int | None:
    # A 64-bit number is a string in protobuf's JSON.
    return int(found) if isinstance(found, (str, int)) else None
