"""What Writer really sent is read as it stands there, from a local server, whole and in pieces."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from homeostasis_llm_writer import WriterProvider

from homeostasis_llm import LLMMessage, LLMRequest, LLMResponse, Usage, finish_reason_of, merge_chunks
from tests.loopback import Loopback

Record = Mapping[str, Any]

WILD = Path(__file__).parents[4] / "shared" / "wild" / "writer.jsonl.gz"

pytestmark = pytest.mark.skipif(not WILD.exists(), reason="the recordings are not beside the checkout: ../shared/wild")

_REQUEST = LLMRequest(messages=[LLMMessage(role="user", content="Hi")], model="palmyra-x4")


def _records() -> list[Record]:
    if not WILD.exists():
        return []
    with gzip.open(WILD, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _asked(loopback: Loopback, record: Record, pieces: int) -> WriterProvider:
    body = record["body"].encode()
    content_type = record["response_headers"]["content-type"]
    chunks = [body[place : place + pieces] for place in range(0, len(body), pieces)]
    loopback.reply(chunks=chunks, status=record["status"], headers={"content-type": content_type})
    api = "completions" if record["api"] == "completions" else "chat"
    return WriterProvider("not-a-real-key-0123", base_url=loopback.url, api=api)


def _check(read: LLMResponse, record: Record) -> None:
    expected = record["expected"]
    usage = expected.get("usage")
    assert read.content == expected["text"]
    assert [(call.name, call.arguments) for call in read.tool_calls] == [
        (call["name"], call["arguments"]) for call in expected.get("tool_calls", [])
    ]
    assert read.finish_reason == finish_reason_of(expected["finish_reason_raw"])
    assert read.model == (expected["model"] or "palmyra-x4")
    assert _counts(read.usage) == usage


def _counts(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    told = {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cached": usage.cached_tokens,
        "reasoning": usage.reasoning_tokens,
    }
    return {name: count for name, count in told.items() if count is not None}


def test_there_are_recordings_of_both_apis() -> None:
    assert {record["api"] for record in _records()} == {"writer_chat", "completions"}


@pytest.mark.parametrize("pieces", [7, 1 << 20])
@pytest.mark.parametrize("record", _records(), ids=lambda record: str(record["id"]))
def test_a_recording_is_read_right(record: Record, pieces: int, loopback: Loopback) -> None:
    with _asked(loopback, record, pieces) as provider:
        if record["stream"]:
            read = merge_chunks(provider.complete_stream(_REQUEST)).to_response()
        else:
            read = provider.complete(_REQUEST)

    _check(read, record)
    assert loopback.requests[0].path == {"writer_chat": "/v1/chat"}.get(record["api"], "/v1/completions")


@pytest.mark.parametrize("record", _records(), ids=lambda record: str(record["id"]))
def test_a_recording_is_read_right_from_an_event_loop(record: Record, loopback: Loopback) -> None:
    async def read(provider: WriterProvider) -> LLMResponse:
        if record["stream"]:
            return merge_chunks([chunk async for chunk in provider.acomplete_stream(_REQUEST)]).to_response()
        return await provider.acomplete(_REQUEST)

    with _asked(loopback, record, 64) as provider:
        _check(asyncio.run(read(provider)), record)
