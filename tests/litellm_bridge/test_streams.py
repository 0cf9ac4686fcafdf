"""Streams, from a real server through litellm to our chunks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from homeostasis_llm import (
    AuthenticationError,
    LLMChunk,
    LLMConnectionError,
    LLMError,
    LLMProviderInterface,
    OverloadedError,
    RateLimitError,
    ToolCall,
    astream_chunks,
    stream_chunks,
)
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.response import merge_chunks

from ..loopback import Loopback
from .wires import DONE, KEY, anthropic_event, anthropic_stream, ask, openai_event, openai_stream

Collect = Callable[[LLMProviderInterface], list[LLMChunk]]


def _sync(provider: LLMProviderInterface) -> list[LLMChunk]:
    return list(stream_chunks(provider, ask()))


def _async(provider: LLMProviderInterface) -> list[LLMChunk]:
    async def collect() -> list[LLMChunk]:
        return [chunk async for chunk in astream_chunks(provider, ask())]

    return asyncio.run(collect())


both = pytest.mark.parametrize("collect", [_sync, _async], ids=["sync", "async"])


def _provider(name: str, loopback: Loopback) -> LLMProviderInterface:
    return LiteLLMProvider(name, KEY, base_url=loopback.url)


@both
@pytest.mark.parametrize(
    ("name", "stream", "tokens"), [("openai", openai_stream, (3, 4)), ("anthropic", anthropic_stream, (15, 9))]
)
def test_a_stream_adds_up_to_the_answer(
    name: str, stream: Any, tokens: tuple[int, int], collect: Collect, loopback: Loopback
) -> None:
    loopback.reply(chunks=stream("Grü", "ße ", "🌍"), headers={"x-request-id": "req_7"})

    chunks = collect(_provider(name, loopback))

    assert [chunk.text for chunk in chunks if chunk.text] == ["Grü", "ße ", "🌍"]
    answer = merge_chunks(chunks).to_response()
    assert (answer.content, answer.provider, answer.finish_reason) == ("Grüße 🌍", name, "stop")
    assert answer.request_id == "req_7"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == tokens
    assert (answer.model or "").startswith(("some-model-2026", "claude-some"))
    assert str(answer.metadata["response_id"]).startswith(("chatcmpl-1", "msg_1"))


def test_a_stream_always_asks_for_usage(loopback: Loopback) -> None:
    loopback.reply(chunks=openai_stream("Hi"))

    _sync(_provider("openai", loopback))

    assert loopback.requests[0].json["stream_options"] == {"include_usage": True}


@both
def test_a_stream_without_usage_leaves_it_unknown(collect: Collect, loopback: Loopback) -> None:
    loopback.reply(chunks=[openai_event({"content": "Hi"}), openai_event({}, "stop"), DONE])

    assert merge_chunks(collect(_provider("openai", loopback))).usage is None


@both
@pytest.mark.parametrize("size", [1, 7, 64])
def test_where_the_wire_is_cut_makes_no_difference(size: int, collect: Collect, loopback: Loopback) -> None:
    whole = "".join(str(event) for event in openai_stream("Grü", "ße ", "🌍")).encode()
    loopback.reply(chunks=[whole[start : start + size] for start in range(0, len(whole), size)])

    assert "".join(chunk.text for chunk in collect(_provider("openai", loopback))) == "Grüße 🌍"


@both
def test_tool_calls_come_in_fragments_that_add_up(collect: Collect, loopback: Loopback) -> None:
    def fragment(index: int, arguments: str, **first: Any) -> str:
        named = {"name": first.pop("name")} if first else {}
        call = {"index": index, **first, "function": {**named, "arguments": arguments}}
        return openai_event({"tool_calls": [{**call, **({"type": "function"} if named else {})}]})

    loopback.reply(
        chunks=[
            fragment(0, "", id="call_1", name="add"),
            fragment(0, '{"a": '),
            fragment(1, "", id="call_2", name="now"),
            fragment(0, "1}"),
            openai_event({}, "tool_calls"),
            DONE,
        ]
    )

    answer = merge_chunks(collect(_provider("openai", loopback))).to_response()

    assert answer.finish_reason == "tool_calls"
    assert answer.tool_calls == [
        ToolCall(name="add", arguments={"a": 1}, id="call_1"),
        ToolCall(name="now", arguments={}, id="call_2"),
    ]


@both
def test_a_stream_that_ends_properly_without_a_word_is_an_empty_answer(collect: Collect, loopback: Loopback) -> None:
    loopback.reply(chunks=[openai_event({"role": "assistant"}), openai_event({}, "stop"), DONE])

    answer = merge_chunks(collect(_provider("openai", loopback))).to_response()

    assert (answer.content, answer.finish_reason) == ("", "stop")


@both
@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("openai", [openai_event({"content": "Hel"}), openai_event({"content": "lo"})]),
        ("anthropic", anthropic_stream("Hel", "lo")[:-3]),
    ],
)
@pytest.mark.parametrize("cut", [True, False], ids=["connection lost", "closed in good order"])
def test_a_stream_that_breaks_off_is_an_error_with_what_had_come(  # a table and two fixtures
    name: str, beginning: Iterable[str], cut: bool, collect: Collect, loopback: Loopback
) -> None:
    loopback.reply(chunks=list(beginning), cut=cut)

    with pytest.raises(LLMConnectionError) as caught:
        collect(_provider(name, loopback))

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hello"
    assert caught.value.retryable
    assert len(loopback.requests) == 1


@both
@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"error": {"message": "too busy", "type": "overloaded_error"}}, OverloadedError),
        ({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, RateLimitError),
        ({"error": {"message": "upstream", "code": 429, "metadata": {}}}, RateLimitError),
    ],
)
def test_an_error_inside_a_stream_is_that_error_with_what_had_come(
    told: dict[str, Any], kind: type[LLMError], collect: Collect, loopback: Loopback
) -> None:
    loopback.reply(chunks=[openai_event({"content": "Hel"}), f"data: {json.dumps(told)}\n\n"])

    with pytest.raises(kind) as caught:
        collect(_provider("openai", loopback))

    assert type(caught.value) is kind
    assert told["error"]["message"] in str(caught.value)
    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hel"


@both
def test_an_error_event_of_anthropics_is_that_error(collect: Collect, loopback: Loopback) -> None:
    overloaded = {"type": "overloaded_error", "message": "Overloaded"}
    loopback.reply(chunks=[*anthropic_stream("Hel")[:3], anthropic_event(type="error", error=overloaded)])

    with pytest.raises(OverloadedError) as caught:
        collect(_provider("anthropic", loopback))

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hel"


@both
def test_a_refusal_before_the_stream_is_the_same_error_as_without_one(collect: Collect, loopback: Loopback) -> None:
    loopback.reply(status=401, json={"error": {"message": "bad key", "code": "invalid_api_key"}})

    with pytest.raises(AuthenticationError) as caught:
        collect(_provider("openai", loopback))

    assert caught.value.partial is None


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_an_abandoned_stream_closes_its_connection(name: str, loopback: Loopback) -> None:
    stream = openai_stream("a", "b", "c") if name == "openai" else anthropic_stream("a", "b", "c")
    loopback.always(chunks=stream)
    provider = _provider(name, loopback)

    for _ in range(3):
        chunks = stream_chunks(provider, ask())
        assert next(chunks).text == "a"
        chunks.close()  # type: ignore[attr-defined]  # it is a generator
    _sync(provider)

    # What was left unread cannot be used again: each abandoned stream had a connection of its own, closed at once.
    assert loopback.connections == 4


async def test_an_abandoned_async_stream_closes_its_connection(loopback: Loopback) -> None:
    # One that has come to its end meanwhile would leave a connection that can be used again.
    loopback.always(chunks=[*openai_stream("a", "b", "c"), 60.0])
    provider = _provider("openai", loopback)

    for _ in range(3):
        chunks = astream_chunks(provider, ask())
        assert (await anext(chunks)).text == "a"
        await chunks.aclose()  # type: ignore[attr-defined]  # it is a generator

    assert loopback.connections == 3
