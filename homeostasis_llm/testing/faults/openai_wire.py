"""Answers, streams and errors as OpenAI's chat completions API sends them.

Shapes: the API reference, and exchanges recorded with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .about import About
from .failures import OPENAI, worded
from .steps import Answer, Failure

LAST = b"data: [DONE]\n\n"


def answer(said: Answer, about: About) -> dict[str, Any]:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None, "annotations": []}
    if said.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in said.tool_calls
        ]
    elif not said.text:
        message["content"] = ""
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish}
    body = {**_frame("chat.completion", said, about), "choices": [choice], "usage": _usage(said)}
    if said.usage is None:
        del body["usage"]
    return {**body, "service_tier": "default", "system_fingerprint": "fp_0000000000"}


def stream(said: Answer, about: About) -> Iterator[bytes]:
    """The events of a stream. The usage comes last, where the request asks for it."""
    frame = _frame("chat.completion.chunk", said, about)
    counted = about.wants_usage and said.usage is not None

    def event(choices: list[dict[str, Any]], usage: Mapping[str, Any] | None = None) -> bytes:
        return _event({**frame, "choices": choices, **({"usage": usage} if counted else {})})

    def choice(delta: dict[str, Any], finish: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]

    yield event(choice({"role": "assistant", "content": "" if said.pieces else None, "refusal": None}))
    for piece in said.pieces:
        yield event(choice({"content": piece}))
    for index, call in enumerate(said.tool_calls):
        named = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield event(choice({"tool_calls": [named]}))
        for part in fragments(json.dumps(call.arguments)):
            yield event(choice({"tool_calls": [{"index": index, "function": {"arguments": part}}]}))
    yield event(choice({}, said.finish))
    if counted:
        yield event([], _usage(said))
    yield LAST


def carries_text(event: bytes) -> bool:
    """Whether an event of a stream brings a piece of text or of a tool call."""
    try:
        delta = json.loads(event.partition(b"data:")[2])["choices"][0]["delta"]
    except (ValueError, LookupError, TypeError):
        return False
    return bool(delta.get("content") or delta.get("tool_calls") or delta.get("reasoning_content"))


def error(failure: Failure, about: About) -> dict[str, Any]:
    """The body of an error."""
    message, kind, code, param = worded(OPENAI, failure, about)
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_event(failure: Failure, about: About) -> bytes:
    """An error amid a stream; nothing follows it."""
    return _event(error(failure, about))


def no_such_path(method: str, path: str) -> dict[str, Any]:
    """The body of a 404 for an address that the API does not have."""
    message = f"Invalid URL ({method} {path})"
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def models(names: Sequence[str]) -> dict[str, Any]:
    """The list of models."""
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "system"} for name in names],
    }


def headers(about: About) -> list[tuple[str, str]]:
    """What every answer has."""
    return [("x-request-id", f"req_{about.number:032x}"), ("openai-version", "2020-10-01")]


def ratelimit_headers(seconds: float, about: About) -> list[tuple[str, str]]:
    """When the limits are whole again."""
    _ = about
    wait = _span(seconds)
    return [
        ("x-ratelimit-limit-requests", "500"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", wait),
        ("x-ratelimit-limit-tokens", "30000"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", wait),
    ]


def fragments(text: str, size: int = 8) -> list[str]:
    """A tool call's arguments, as a stream brings them."""
    return [text[place : place + size] for place in range(0, len(text), size)]


def _span(seconds: float) -> str:
    """`120ms`, `7s`, `1m30s`, as in OpenAI's headers."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"


def _frame(kind: str, said: Answer, about: About) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{about.number:029d}",
        "object": kind,
        "created": int(about.now),
        "model": said.model or about.model,
    }


def _usage(said: Answer) -> Mapping[str, Any] | None:
    if not isinstance(said.usage, tuple):
        return said.usage
    read, written = said.usage
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _event(found: Mapping[str, Any]) -> bytes:
    # As real characters, not as \u escapes, so that a stream can break off amid one.
    return b"data: %b\n\n" % json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
