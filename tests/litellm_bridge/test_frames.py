"""AWS's binary streams, from a real server through litellm to our values."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from homeostasis_llm import LLMChunk, LLMConnectionError, LLMProviderInterface, LLMResponse, RateLimitError
from homeostasis_llm.litellm_bridge.frames import frame_at, framed_events
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.response import merge_chunks

from ..loopback import Loopback
from .wires import KEY, anthropic_answer, ask

BINARY = {"content-type": "application/vnd.amazon.eventstream"}


def _frame(payload: object, kind: str = "chunk", header: str = ":event-type") -> bytes:
    message_type = "exception" if header == ":exception-type" else "event"
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(told)) + told.encode()
        for name, told in ((header, kind), (":content-type", "application/json"), (":message-type", message_type))
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return frame + struct.pack(">I", zlib.crc32(frame))


def _invoked(event: object) -> bytes:
    return _frame({"bytes": base64.b64encode(json.dumps(event).encode()).decode()})


def _sync(provider: LLMProviderInterface, model: str) -> LLMResponse:
    chunks = [chunk for chunk in provider.complete_stream(ask(model=model)) if isinstance(chunk, LLMChunk)]
    return merge_chunks(chunks).to_response()


def _async(provider: LLMProviderInterface, model: str) -> LLMResponse:
    async def collect() -> list[LLMChunk]:
        return [chunk async for chunk in provider.acomplete_stream(ask(model=model)) if isinstance(chunk, LLMChunk)]

    return merge_chunks(asyncio.run(collect())).to_response()


both = pytest.mark.parametrize("answer_of", [_sync, _async], ids=["sync", "async"])
Ask = Callable[[LLMProviderInterface, str], LLMResponse]


def _bedrock(loopback: Loopback) -> LLMProviderInterface:
    return LiteLLMProvider("bedrock", KEY, base_url=loopback.url)


@both
def test_a_converse_stream_is_counted_wherever_its_count_comes(answer_of: Ask, loopback: Loopback) -> None:
    loopback.reply(
        headers=BINARY,
        chunks=[
            _frame({"contentBlockIndex": 0, "delta": {"text": "Grüße 🌍"}}, "contentBlockDelta"),
            _frame({"usage": {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}}, "metadata"),
            _frame({"stopReason": "guardrail_intervened"}, "messageStop"),
        ],
    )

    answer = answer_of(_bedrock(loopback), "converse/amazon.nova-lite-v1:0")

    assert answer.content == "Grüße 🌍"
    assert (answer.metadata["finish_reason"], answer.finish_reason) == ("guardrail_intervened", "content_filter")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 20)


@both
def test_an_invoked_models_own_events_are_read(answer_of: Ask, loopback: Loopback) -> None:
    start = {**anthropic_answer(), "content": [], "stop_reason": None}
    loopback.reply(
        headers=BINARY,
        chunks=[
            _invoked({"type": "message_start", "message": start}),
            _invoked({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            _invoked({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
            _invoked({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 9}}),
            _invoked({"type": "message_stop"}),
        ],
    )

    answer = answer_of(_bedrock(loopback), "invoke/anthropic.claude-3-sonnet-20240229-v1:0")

    assert (answer.content, answer.model) == ("Hi", "claude-some-1")
    assert (answer.metadata["finish_reason"], answer.finish_reason) == ("max_tokens", "length")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (15, 9)


@both
def test_an_exception_in_a_stream_is_what_aws_says_it_is(answer_of: Ask, loopback: Loopback) -> None:
    loopback.reply(
        headers=BINARY,
        chunks=[
            _frame({"contentBlockIndex": 0, "delta": {"text": "Hi"}}, "contentBlockDelta"),
            _frame({"message": "Too many requests."}, "throttlingException", ":exception-type"),
        ],
    )

    with pytest.raises(RateLimitError, match="Too many requests") as caught:
        answer_of(_bedrock(loopback), "converse/amazon.nova-lite-v1:0")

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hi"


@both
def test_a_stream_that_breaks_off_is_no_answer(answer_of: Ask, loopback: Loopback) -> None:
    loopback.reply(
        headers=BINARY, chunks=[_frame({"contentBlockIndex": 0, "delta": {"text": "Hi"}}, "contentBlockDelta")]
    )

    with pytest.raises(LLMConnectionError, match="before it was finished"):
        answer_of(_bedrock(loopback), "converse/amazon.nova-lite-v1:0")


@both
def test_what_a_guardrail_blocked_is_whole(answer_of: Ask, loopback: Loopback) -> None:
    blocked = {"outputText": "Blocked", "inputTextTokenCount": 6, "totalOutputTextTokenCount": 3, "index": 0}
    loopback.reply(headers=BINARY, chunks=[_invoked({**blocked, "amazon-bedrock-guardrailAction": "INTERVENED"})])

    answer = answer_of(_bedrock(loopback), "invoke/amazon.titan-text-express-v1")

    assert answer.content == "Blocked"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (6, 3)


@pytest.mark.parametrize(
    ("model", "body", "finish"),
    [
        (
            "invoke/amazon.titan-text-lite-v1",
            {"inputTextTokenCount": 5, "results": [{"outputText": "Hi", "completionReason": "LENGTH"}]},
            ("LENGTH", "length"),
        ),
        (
            "invoke/cohere.command-text-v14",
            {"generations": [{"id": "1", "text": "Hi", "finish_reason": "MAX_TOKENS"}]},
            ("MAX_TOKENS", "length"),
        ),
    ],
)
def test_older_models_are_counted_in_headers(
    model: str, body: dict[str, Any], finish: tuple[str, str], loopback: Loopback
) -> None:
    counts = {"x-amzn-bedrock-input-token-count": "5", "x-amzn-bedrock-output-token-count": "10"}
    loopback.reply(json=body, headers=counts)

    answer = _bedrock(loopback).complete(ask(model=model))

    assert answer.content == "Hi"
    assert (answer.metadata["finish_reason"], answer.finish_reason) == finish
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 10)


@pytest.mark.parametrize("lost", range(0, 120, 7))
def test_frames_are_found_again_where_the_beginning_is_lost(lost: int) -> None:
    wire = _frame({"first": 1}) + _frame({"second": 2}) + _frame({"third": 3})

    found = list(framed_events(wire[lost:]))

    assert found[-1] == {"third": 3}
    assert len(found) == sum(lost <= start for start in (0, len(wire) // 3, 2 * len(wire) // 3))


def test_half_a_frame_at_the_end_is_not_read() -> None:
    wire = _frame({"first": 1}) + _frame({"second": 2})

    assert list(framed_events(wire[:-1])) == [{"first": 1}]


def test_a_payload_that_is_no_json_is_passed_over() -> None:
    assert list(framed_events(_frame({"bytes": base64.b64encode(b"\xff plain").decode()}) + _frame({"a": 1}))) == [
        {"a": 1}
    ]


def test_a_frame_is_known_to_be_damaged() -> None:
    wire = _frame({"a": 1})
    damaged = wire[:-6] + bytes([wire[-6] ^ 1]) + wire[-5:]

    whole, broken = frame_at(wire, 0), frame_at(damaged, 0)

    assert whole is not None
    assert broken is not None
    assert (whole.intact, broken.intact) == (True, False)
    with pytest.raises(ValueError, match="no frame"):
        frame_at(wire, 1)


def test_a_frame_that_would_not_hold_itself_is_none() -> None:
    prelude = struct.pack(">II", 0, 0)

    assert list(framed_events(prelude + struct.pack(">I", zlib.crc32(prelude)) + _frame({"a": 1}))) == [{"a": 1}]
