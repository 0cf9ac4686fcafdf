"""Answers, streams and errors as Anthropic's messages API sends them.

Shapes: the API reference, and exchanges recorded with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .about import About
from .failures import ANTHROPIC, worded
from .openai_wire import fragments
from .steps import Answer, Failure

_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def answer(said: Answer, about: About) -> dict[str, Any]:
    """A message."""
    content: list[dict[str, Any]] = [{"type": "text", "text": said.text}] if said.text else []
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in said.tool_calls
    ]
    body = {**_frame(said, about), "content": content, "stop_reason": _stop(said), "usage": _usage(said)}
    if said.usage is None:
        del body["usage"]
    return body


def stream(said: Answer, about: About) -> Iterator[bytes]:
    """The events of a stream."""
    begun = {**_frame(said, about), "content": [], "stop_reason": None}
    counted = _usage(said)
    if counted is not None:
        begun["usage"] = {**counted, "output_tokens": 1}
    yield _event("message_start", message=begun)
    index = 0
    if said.pieces:
        yield _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        yield _event("ping")
        for piece in said.pieces:
            yield _event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})
        yield _event("content_block_stop", index=index)
        index += 1
    for call in said.tool_calls:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        yield _event("content_block_start", index=index, content_block=block)
        for part in ["", *fragments(json.dumps(call.arguments) if call.arguments else "")]:
            yield _event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": part})
        yield _event("content_block_stop", index=index)
        index += 1
    told = {} if counted is None else {"usage": {"output_tokens": counted.get("output_tokens", 0)}}
    yield _event("message_delta", delta={"stop_reason": _stop(said), "stop_sequence": None}, **told)
    yield _event("message_stop")


def carries_text(event: bytes) -> bool:
    """Whether an event of a stream brings a piece of text or of a tool call."""
    return event.startswith(b"event: content_block_delta")


def error(failure: Failure, about: About) -> dict[str, Any]:
    """The body of an error."""
    message, kind, _, _ = worded(ANTHROPIC, failure, about)
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": _request_id(about)}


def error_event(failure: Failure, about: About) -> bytes:
    """An error amid a stream; nothing follows it."""
    return _event("error", **{name: told for name, told in error(failure, about).items() if name != "type"})


def no_such_path(method: str, path: str) -> dict[str, Any]:
    """The body of a 404 for an address that the API does not have."""
    _ = method, path
    return {"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}}


def models(names: Sequence[str]) -> dict[str, Any]:
    """The list of models, on one page."""
    return {
        "data": [
            {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"} for name in names
        ],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def headers(about: About) -> list[tuple[str, str]]:
    """What every answer has."""
    return [("request-id", _request_id(about))]


def ratelimit_headers(seconds: float, about: About) -> list[tuple[str, str]]:
    """When the limits are whole again."""
    moment = datetime.fromtimestamp(about.now, UTC) + timedelta(seconds=seconds)
    return [
        (f"anthropic-ratelimit-{what}-{name}", told)
        for what, limit in (("requests", "50"), ("tokens", "40000"))
        for name, told in (
            ("limit", limit),
            ("remaining", "0"),
            ("reset", moment.isoformat().replace("+00:00", "Z")),
        )
    ]


def _request_id(about: About) -> str:
    return f"req_{about.number:024d}"


def _frame(said: Answer, about: About) -> dict[str, Any]:
    return {
        "id": f"msg_{about.number:024d}",
        "type": "message",
        "role": "assistant",
        "model": said.model or about.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _stop(said: Answer) -> str:
    return _STOPS.get(said.finish, said.finish)


def _usage(said: Answer) -> Mapping[str, Any] | None:
    if not isinstance(said.usage, tuple):
        return said.usage
    read, written = said.usage
    return {
        "input_tokens": read,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": written,
        "service_tier": "standard",
    }


def _event(kind: str, **found: Any) -> bytes:
    # As real characters, not as \u escapes, so that a stream can break off amid one.
    said = json.dumps({"type": kind, **found}, ensure_ascii=False, separators=(",", ":")).encode()
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), said)
