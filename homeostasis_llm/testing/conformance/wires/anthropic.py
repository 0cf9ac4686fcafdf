"""Anthropic's messages. Source: its API reference, "Messages" and "Streaming messages"."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ....response import FinishReason
from ...faults.recorded import Request
from ..said import Said
from ..wire import Wire, dumped, event, halves

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicWire(Wire):
    """Messages, whose content are blocks."""

    has_parts: ClassVar[bool] = True
    finishes: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "content_filter": "refusal",
    }
    comment: ClassVar[bytes | None] = b': comment\n\nevent: ping\ndata: {"type": "ping"}\n\n'
    request_id_header: ClassVar[str | None] = "request-id"

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the protocol's
        calls = [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in said.tool_calls
        ]
        texts = [{"type": "text", "text": piece} for piece in said.pieces]
        counts = {"usage": _usage(said)} if said.usage else {}
        return dumped({**self._message(said), "content": [*texts, *calls], **self._end(said), **counts})

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:  # noqa: ARG002  # the protocol's
        counts = _usage(said)
        start = {**self._message(said), "content": [], "stop_reason": None, "stop_sequence": None}
        usage = {"usage": {"output_tokens": counts["output_tokens"]}} if said.usage else {}
        events: list[dict[str, Any]] = [
            {
                "type": "message_start",
                "message": {**start, **({"usage": {**counts, "output_tokens": 1}} if usage else {})},
            },
            *_text_block(said),
            *_call_blocks(said),
            {"type": "message_delta", "delta": self._end(said), **usage},
            {"type": "message_stop"},
        ]
        return [event(each, each["type"]) for each in events]

    def error(self, status: int, message: str) -> bytes:
        kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return dumped({"type": "error", "error": {"type": kind, "message": message}})

    def error_event(self, message: str) -> bytes | None:
        return event({"type": "error", "error": {"type": "overloaded_error", "message": message}}, "error")

    def _message(self, said: Said) -> dict[str, Any]:
        return {"id": said.id, "type": "message", "role": "assistant", "model": said.model}

    def _end(self, said: Said) -> dict[str, Any]:
        return {"stop_reason": self.finishes[said.finish], "stop_sequence": None}


def _text_block(said: Said) -> Iterator[dict[str, Any]]:
    if said.pieces:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        for piece in said.pieces:
            delta = {"type": "text_delta", "text": piece}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}


def _call_blocks(said: Said) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(said.tool_calls, start=1 if said.pieces else 0):
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        # Without arguments there is one piece, and nothing in it.
        for piece in halves(json.dumps(call.arguments, ensure_ascii=False)) if call.arguments else ("",):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}


def _usage(said: Said) -> dict[str, int]:
    read, written = said.usage or (0, 0)
    return {"input_tokens": read, "output_tokens": written}
