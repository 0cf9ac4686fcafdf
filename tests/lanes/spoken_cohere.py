"""What Cohere's server says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .replies import ANYBODYS, Spoken

_COHERE_MESSAGE = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
_COHERE_USAGE = {
    "billed_units": {"input_tokens": 1, "output_tokens": 2},
    "tokens": {"input_tokens": 3, "output_tokens": 4},
}


def _cohere_events(*events: Mapping[str, Any]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


_COHERE_BEGUN = _cohere_events(
    {"type": "message-start", "id": "1", "delta": {"message": {**_COHERE_MESSAGE, "content": [], "tool_plan": ""}}},
    {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "He"}}}},
)
_COHERE_END = _cohere_events(
    {"type": "content-end", "index": 0},
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _COHERE_USAGE}},
)

COHERE = Spoken(
    answer={"id": "1", "finish_reason": "COMPLETE", "message": _COHERE_MESSAGE, "usage": _COHERE_USAGE},
    failures={
        **ANYBODYS,
        "a wrong key": {"status": 401, "json": {"id": "1", "message": "invalid api token"}},
        "an odd request": {"status": 400, "json": {"message": "invalid request: temperature must be below 1"}},
        "a full window": {
            "status": 400,
            "json": {"message": "too many tokens: total number of tokens exceeds the limit of 4096"},
        },
        "no such model": {"status": 404, "json": {"message": "model 'm' not found"}},
        "nonsense": {"status": 422, "json": {"message": "unprocessable"}},
        "a rate limit": {"status": 429, "headers": {"retry-after": "7"}, "json": {"message": "Slow down"}},
        "stopped": {"status": 499, "json": {"message": "request cancelled"}},
        "an error in a good answer": {"json": {"message": "Oops"}},
        "no content, and no count": {
            "json": {"id": "1", "finish_reason": "COMPLETE", "message": {"role": "assistant"}}
        },
        "text beside a call": {
            "json": {
                "id": "1",
                "finish_reason": "TOOL_CALL",
                "message": {
                    **_COHERE_MESSAGE,
                    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "b", "arguments": "{}"}}],
                },
                "usage": _COHERE_USAGE,
            }
        },
        "half an answer": {"json": {"message": _COHERE_MESSAGE}, "cut": True},
        "half a stream": {"chunks": [_COHERE_BEGUN], "cut": True},
        "a stream without an end": {"chunks": [_COHERE_BEGUN]},
        "a stream that an error ended": {
            "chunks": [
                _COHERE_BEGUN
                + _cohere_events({"type": "message-end", "delta": {"error": "Oops", "finish_reason": "ERROR"}})
            ],
        },
        "nonsense in a stream": {"chunks": [_COHERE_BEGUN + 'data: {"\n\n']},
        "an unknown event": {"chunks": [_COHERE_BEGUN, _cohere_events({"type": "weather"}), _COHERE_END]},
    },
)
