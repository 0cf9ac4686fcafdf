"""Answers in the wire formats of OpenAI and Anthropic, as their API references show them."""

from __future__ import annotations

import json
from typing import Any

from homeostasis_llm import LLMMessage, LLMRequest

KEY = "sk-test-not-a-real-key-0123456789"


def ask(text: str = "Hi", **fields: Any) -> LLMRequest:
    """A request with one message."""
    fields.setdefault("model", "some-model")
    return LLMRequest(messages=[LLMMessage(role="user", content=text)], **fields)


def openai_answer(
    content: str | None = "Hello", finish: str = "stop", usage: dict[str, Any] | None = None, **message: Any
) -> dict[str, Any]:
    """A chat completion."""
    counted = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7} if usage is None else usage
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "some-model-2026-01-01",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
        ],
        "usage": counted,
    }


def tool_call(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    """A tool call of a chat completion."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def openai_event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    """One event of a chat completion's stream; without a delta, one without choices, as that with the usage is."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "some-model-2026-01-01"}
    return f"data: {json.dumps({**event, 'choices': choices, **more})}\n\n"


DONE = "data: [DONE]\n\n"


def openai_stream(*texts: str, finish: str = "stop") -> list[bytes | str | float]:
    """A whole stream of those texts, with usage."""
    return [
        openai_event({"role": "assistant", "content": ""}),
        *(openai_event({"content": text}) for text in texts),
        openai_event({}, finish),
        openai_event(usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}),
        DONE,
    ]


def anthropic_answer(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    """A message of Anthropic's."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-some-1",
        "content": list(content) or [{"type": "text", "text": "Hello"}],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_read_input_tokens": 10,
            "cache_creation_input_tokens": 2,
            "output_tokens": 4,
        },
    }


def anthropic_event(**event: Any) -> str:
    """One event of Anthropic's stream."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def anthropic_stream(*texts: str) -> list[bytes | str | float]:
    """A whole stream of those texts."""
    start = {**anthropic_answer(), "content": [], "stop_reason": None}
    return [
        anthropic_event(type="message_start", message=start),
        anthropic_event(type="content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *(
            anthropic_event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": text})
            for text in texts
        ),
        anthropic_event(type="content_block_stop", index=0),
        anthropic_event(
            type="message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 9}
        ),
        anthropic_event(type="message_stop"),
    ]
