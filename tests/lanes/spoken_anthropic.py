"""What Anthropic's server says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .replies import ANYBODYS, Spoken

_ANTHROPIC_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "some-model",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 4},
}


def _anthropic_error(kind: str, message: str) -> Any:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def _anthropic_events(*events: Mapping[str, Any]) -> str:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


_ANTHROPIC_BEGUN = _anthropic_events(
    {"type": "message_start", "message": {**_ANTHROPIC_MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "He"}},
)
_ANTHROPIC_END = _anthropic_events(
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
)

ANTHROPIC = Spoken(
    answer=_ANTHROPIC_MESSAGE,
    failures={
        **ANYBODYS,
        "a wrong key": {"status": 401, "json": _anthropic_error("authentication_error", "invalid x-api-key")},
        "a key that may not": {"status": 403, "json": _anthropic_error("permission_error", "not allowed")},
        "a full window": {
            "status": 400,
            "json": _anthropic_error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        },
        "an odd request": {"status": 400, "json": _anthropic_error("invalid_request_error", "max_tokens: too many")},
        "no such model": {"status": 404, "json": _anthropic_error("not_found_error", "model: m")},
        "a large request": {"status": 413, "json": _anthropic_error("request_too_large", "Too large")},
        "a rate limit": {
            "status": 429,
            "headers": {"retry-after": "7", "request-id": "req_2"},
            "json": _anthropic_error("rate_limit_error", "Slow down"),
        },
        "an empty account": {
            "status": 400,
            "json": _anthropic_error("invalid_request_error", "Your credit balance is too low"),
        },
        "too much to do": {"status": 529, "json": _anthropic_error("overloaded_error", "Overloaded")},
        "an error in a good answer": {"json": _anthropic_error("api_error", "Oops")},
        "no content": {"json": {**_ANTHROPIC_MESSAGE, "content": []}},
        "no usage": {"json": {name: told for name, told in _ANTHROPIC_MESSAGE.items() if name != "usage"}},
        "half an answer": {"json": _ANTHROPIC_MESSAGE, "cut": True},
        "half a stream": {"chunks": [_ANTHROPIC_BEGUN], "cut": True},
        "a stream without an end": {"chunks": [_ANTHROPIC_BEGUN]},
        "an error in a stream": {
            "chunks": [_ANTHROPIC_BEGUN + _anthropic_events(_anthropic_error("overloaded_error", "Overloaded"))],
        },
        "an error instead of a stream": {
            "chunks": [_anthropic_events(_anthropic_error("overloaded_error", "Overloaded"))],
        },
        "nonsense in a stream": {"chunks": [_ANTHROPIC_BEGUN + 'data: {"\n\n']},
        "an event nobody knows": {
            "chunks": [_ANTHROPIC_BEGUN, _anthropic_events({"type": "weather", "rain": True}), _ANTHROPIC_END],
        },
    },
)
