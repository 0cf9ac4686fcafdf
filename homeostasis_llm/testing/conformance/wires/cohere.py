"""Cohere's chat, version 2. Source: its API reference, "Chat" and "Chat with streaming"."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ....messages import ToolCall
from ....response import FinishReason
from ...faults.recorded import Request
from ..said import Said
from ..wire import Wire, dumped, event, halves


class CohereWire(Wire):
    """Messages of parts; a stream tells the beginning and the end of each. Answers do not name their model."""

    has_parts: ClassVar[bool] = True
    names_model: ClassVar[bool] = False
    finishes: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "COMPLETE",
        "length": "MAX_TOKENS",
        "tool_calls": "TOOL_CALL",
    }
    request_id_header: ClassVar[str | None] = None

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the protocol's
        message: dict[str, Any] = {
            "role": "assistant",
            "content": [{"type": "text", "text": piece} for piece in said.pieces],
        }
        if said.tool_calls:
            message["tool_calls"] = [_call(call, json.dumps(call.arguments)) for call in said.tool_calls]
        return dumped({"id": said.id, "finish_reason": self.finishes[said.finish], "message": message, **_usage(said)})

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:  # noqa: ARG002  # the protocol's
        start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        events: list[dict[str, Any]] = [
            {"id": said.id, "type": "message-start", "delta": {"message": start}},
            *_texts(said),
            *_calls(said),
            {"type": "message-end", "delta": {"finish_reason": self.finishes[said.finish], **_usage(said)}},
        ]
        return [event(each, each["type"]) for each in events]

    def error(self, status: int, message: str) -> bytes:  # noqa: ARG002  # the status says it
        return dumped({"message": message})

    def error_event(self, message: str) -> bytes | None:
        return event({"type": "message-end", "delta": {"error": message, "finish_reason": "ERROR"}}, "message-end")

    def models(self, names: Sequence[str]) -> bytes | None:
        return dumped({"models": [{"name": name, "endpoints": ["chat"]} for name in names]})


def _texts(said: Said) -> Iterator[dict[str, Any]]:
    if said.pieces:
        begin = {"content": {"type": "text", "text": ""}}
        yield {"type": "content-start", "index": 0, "delta": {"message": begin}}
        for piece in said.pieces:
            yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}
        yield {"type": "content-end", "index": 0}


def _calls(said: Said) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(said.tool_calls):
        yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": _call(call, "")}}}
        for piece in halves(json.dumps(call.arguments)):
            fragment = {"tool_calls": {"function": {"arguments": piece}}}
            yield {"type": "tool-call-delta", "index": index, "delta": {"message": fragment}}
        yield {"type": "tool-call-end", "index": index}


def _call(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _usage(said: Said) -> dict[str, Any]:
    if said.usage is None:
        return {}
    counts = dict(zip(("input_tokens", "output_tokens"), said.usage, strict=True))
    return {"usage": {"billed_units": counts, "tokens": counts}}
