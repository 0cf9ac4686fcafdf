"""Recordings work by every way to a model: each dialect and client under litellm, the chat model, the manager."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from homeostasis_llm import (
    ChatHomeostasis,
    LLMManager,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    ProviderFactory,
    RetryConfig,
    astream_chunks,
    stream_chunks,
)
from homeostasis_llm.testing.cassettes import use_cassette
from tests.loopback import Loopback

REQUEST = LLMRequest(messages=[LLMMessage(role="user", content="Where?")], max_tokens=9)

CHAT = {
    "model": "m",
    "service_tier": "default",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
}
CHAT_EVENTS = [
    'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Pa"}}]}\n\n',
    'data: {"choices": [{"index": 0, "delta": {"content": "ris"}}]}\n\n',
    'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n',
    "data: [DONE]\n\n",
]
ANSWERS: dict[str, dict[str, Any]] = {
    "openai": CHAT,
    "mistral": CHAT,
    "groq": CHAT,
    "openrouter": CHAT,
    "deepseek": CHAT,
    "anthropic": {
        "type": "message",
        "model": "m",
        "role": "assistant",
        "content": [{"type": "text", "text": "Paris"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "gemini": {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Paris"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1},
    },
    # litellm passes no client of ours on to this one; for async calls it has one of its own, over aiohttp.
    "cohere": {
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Paris"}]},
        "finish_reason": "COMPLETE",
        "usage": {"tokens": {"input_tokens": 1, "output_tokens": 1}},
    },
}


def made(name: str, address: str) -> LLMProviderInterface:
    base_url = f"{address}/v1" if ANSWERS[name] is CHAT else address
    return ProviderFactory.create_provider(name, "of-nobody-4711", base_url=base_url, default_model="m")


@pytest.mark.parametrize("recorded_by", ["sync", "async"])
@pytest.mark.parametrize("name", ANSWERS)
async def test_every_dialect_is_recorded_and_played_by_sync_and_async_calls(
    name: str, recorded_by: str, loopback: Loopback, tmp_path: Path
) -> None:
    loopback.always(json=ANSWERS[name])
    file = tmp_path / "it.yaml"

    async def answer(address: str, way: str) -> str:
        with made(name, address) as provider:
            response = provider.complete(REQUEST) if way == "sync" else await provider.acomplete(REQUEST)
        return response.content

    with use_cassette(file, "once") as cassette:
        assert await answer(loopback.url, recorded_by) == "Paris"
    asked = len(loopback.requests)

    assert len(cassette.data) == asked == 1
    for way in ("sync", "async"):
        with use_cassette(file):
            assert await answer("http://localhost", way) == "Paris"
    assert len(loopback.requests) == asked
    assert "of-nobody-4711" not in file.read_text(encoding="utf-8")


async def test_streams_through_a_provider_and_the_chat_model_come_in_their_pieces(
    loopback: Loopback, tmp_path: Path
) -> None:
    loopback.always(chunks=CHAT_EVENTS)
    with use_cassette(tmp_path / "it.yaml", "once"), made("openai", loopback.url) as provider:
        list(stream_chunks(provider, REQUEST))

    async def pieces(way: str) -> list[str]:
        with use_cassette(tmp_path / "it.yaml"), made("openai", "http://localhost") as provider:
            model = ChatHomeostasis(provider=provider, max_tokens=9)
            match way:
                case "provider":
                    return [chunk.text for chunk in stream_chunks(provider, REQUEST)]
                case "provider, async":
                    return [chunk.text async for chunk in astream_chunks(provider, REQUEST)]
                case "model":
                    return [str(chunk.text) for chunk in model.stream("Where?")]
                case _:
                    return [str(chunk.text) async for chunk in model.astream("Where?")]

    for way in ("provider", "provider, async", "model", "model, async"):
        assert [piece for piece in await pieces(way) if piece] == ["Pa", "ris"], way


def manager(address: str, slept: list[float]) -> LLMManager:
    async def asleep(seconds: float) -> None:
        slept.append(seconds)

    first, second = (made(name, address) for name in ("groq", "openai"))
    return LLMManager(
        providers=[first, second],
        retry_config=RetryConfig(max_retries=1),
        sleep=slept.append,
        asleep=asleep,
        random=lambda: 0.5,
    )


Ask = Callable[[LLMManager], Awaitable[str]]


async def _complete(asked: LLMManager) -> str:
    return asked.complete(REQUEST).content


async def _acomplete(asked: LLMManager) -> str:
    return (await asked.acomplete(REQUEST)).content


@pytest.mark.parametrize("ask", [_complete, _acomplete])
async def test_a_failover_is_recorded_and_played_without_its_waits(
    ask: Ask, loopback: Loopback, tmp_path: Path
) -> None:
    slow_down = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    loopback.reply(status=429, json=slow_down, headers={"retry-after": "7"})
    loopback.reply(status=500, json={"error": {"message": "broken"}})
    loopback.always(json=CHAT)
    waited: list[float] = []
    with use_cassette(tmp_path / "it.yaml", "once") as cassette:
        assert await ask(manager(loopback.url, waited)) == "Paris"
    statuses = [response["status"]["code"] for response in cassette.responses]
    waited_in_replay: list[float] = []

    with use_cassette(tmp_path / "it.yaml"):
        assert await ask(manager("http://localhost", waited_in_replay)) == "Paris"

    assert statuses[0] == 429
    assert statuses[-1] == 200
    assert 7 not in waited_in_replay
