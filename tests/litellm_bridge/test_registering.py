"""Providers of ours answer litellm's own functions, from a local server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from homeostasis_llm import ProviderFactory, register_with_litellm
from homeostasis_llm.litellm_bridge.runtime import load_litellm
from tests.http.zorb import Zorb

from ..loopback import Loopback

KEY = "not-a-real-key-0123456789"
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "api_key": KEY}

ANSWER: dict[str, Any] = {
    "id": "w-1",
    "model": "palmyra-x5",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def _events(*deltas: dict[str, Any], finish: str = "stop") -> list[bytes]:
    told = [{"id": "w-1", "model": "palmyra-x5", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    told.append({"id": "w-1", "model": "palmyra-x5", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    told.append({"id": "w-1", "model": "palmyra-x5", "choices": [], "usage": ANSWER["usage"]})
    return [b"data: %b\n\n" % json.dumps(event).encode() for event in told]


@pytest.fixture
def litellm() -> Iterator[Any]:
    found = load_litellm()
    before = (list(found.custom_provider_map), list(found.provider_list), list(found._custom_providers))
    register_with_litellm()
    yield found
    found.custom_provider_map, found.provider_list[:], found._custom_providers[:] = before


def test_every_plugin_is_there_once_however_often_it_is_called(litellm: Any) -> None:
    names = register_with_litellm()

    assert {"llama_cpp", "native_aleph_alpha", "writer", "yandexgpt"} <= set(names)
    assert [item["provider"] for item in litellm.custom_provider_map] == names


def test_what_a_host_application_has_put_there_stays(litellm: Any) -> None:
    own = {"provider": "somebodys", "custom_handler": litellm.CustomLLM()}
    litellm.custom_provider_map = [own, *litellm.custom_provider_map]

    register_with_litellm()

    assert own in litellm.custom_provider_map


@pytest.mark.usefixtures("litellm")
def test_a_name_of_litellms_stays_litellms() -> None:
    ProviderFactory.register("openai", Zorb, replace=True)
    try:
        assert "openai" not in register_with_litellm()
    finally:
        ProviderFactory.unregister("openai")


def test_litellm_asks_our_provider(litellm: Any, loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)

    answer = litellm.completion(
        model="writer/palmyra-x5", api_base=loopback.url, temperature=0.0, max_tokens=9, best_of=2, **ASKED
    )

    sent = loopback.requests[0]
    assert answer.choices[0].message.content == "Hello."
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 2)
    assert sent.path == "/v1/chat"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert {name: sent.json[name] for name in ("model", "temperature", "max_tokens", "best_of")} == {
        "model": "palmyra-x5",
        "temperature": 0.0,
        "max_tokens": 9,
        "best_of": 2,
    }


def test_litellm_asks_our_provider_from_an_event_loop(litellm: Any, loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)

    answer = asyncio.run(litellm.acompletion(model="writer/palmyra-x5", api_base=loopback.url, **ASKED))

    assert answer.choices[0].message.content == "Hello."


def test_a_stream_comes_in_pieces_with_its_usage(litellm: Any, loopback: Loopback) -> None:
    loopback.reply(chunks=_events({"content": "Hel"}, {"content": "lo."}))

    pieces = list(
        litellm.completion(
            model="writer/palmyra-x5",
            api_base=loopback.url,
            stream=True,
            stream_options={"include_usage": True},
            **ASKED,
        )
    )

    assert [piece.choices[0].delta.content for piece in pieces if piece.choices[0].delta.content] == ["Hel", "lo."]
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices[0].finish_reason] == ["stop"]
    assert pieces[-1].usage.total_tokens == 5


def test_a_stream_of_an_event_loop_brings_tool_calls(litellm: Any, loopback: Loopback) -> None:
    calls = [
        {"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a":'}},
        {"index": 0, "function": {"arguments": " 1}"}},
        {"index": 1, "id": "c2", "function": {"name": "add", "arguments": '{"a": 2}'}},
    ]
    loopback.reply(chunks=_events(*({"tool_calls": [call]} for call in calls), finish="tool_calls"))
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}

    async def read() -> Any:
        # Without that, litellm imports a package that it does not declare as soon as there are tools.
        stream = await litellm.acompletion(
            model="writer/palmyra-x5", api_base=loopback.url, stream=True, tools=[tool], _skip_mcp_handler=True, **ASKED
        )
        return litellm.stream_chunk_builder([piece async for piece in stream])

    (choice,) = asyncio.run(read()).choices
    assert choice.finish_reason == "tool_calls"
    assert [(call.id, call.function.arguments) for call in choice.message.tool_calls] == [
        ("c1", '{"a": 1}'),
        ("c2", '{"a": 2}'),
    ]
    assert loopback.requests[0].json["tools"][0]["function"]["name"] == "add"


def test_a_conversation_with_tools_and_images_arrives(litellm: Any, loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, _IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
    ]

    litellm.completion(model="writer/palmyra-x5", api_base=loopback.url, messages=messages, api_key=KEY)

    sent = loopback.requests[0].json["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool"]
    assert sent[1]["content"] == [{"type": "text", "text": "Look"}, _IMAGE]
    assert sent[2]["tool_calls"][0]["function"] == call["function"]


_IMAGE = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (400, "BadRequestError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailableError"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_failures_are_litellms_own(status: int, name: str, stream: bool, litellm: Any, loopback: Loopback) -> None:
    body = {"tpe": "Zorb", "errors": [{"description": "that went wrong", "key": "zorb", "extras": {}}], "extras": {}}
    loopback.reply(status=status, json=body)

    with pytest.raises(getattr(litellm, name), match="that went wrong") as caught:
        list(litellm.completion(model="writer/palmyra-x5", api_base=loopback.url, stream=stream, **ASKED))

    assert KEY not in str(caught.value)
    assert len(loopback.requests) == 1


def test_the_router_asks_the_next_when_ours_is_down(litellm: Any, loopback: Loopback) -> None:
    loopback.reply(status=503, json={})
    loopback.reply(json={"completions": [{"completion": "Hello.", "finish_reason": "end_of_text"}]})
    router = litellm.Router(
        model_list=[
            _deployment("first", "writer/palmyra-x5", loopback.url),
            _deployment("second", "native_aleph_alpha/luminous-base", loopback.url),
        ],
        fallbacks=[{"first": ["second"]}],
        num_retries=0,
    )

    answer = router.completion(model="first", messages=ASKED["messages"])

    assert answer.choices[0].message.content == "Hello."
    assert [request.path for request in loopback.requests] == ["/v1/chat", "/complete"]


def _deployment(name: str, model: str, url: str) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": model, "api_base": url, "api_key": KEY}}


def test_a_provider_that_is_registered_here_is_there_as_well(litellm: Any, loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)
    ProviderFactory.register("zorb", Zorb)
    try:
        assert "zorb" in register_with_litellm()
        answer = litellm.completion(model="zorb/zorb-1", api_base=loopback.url, **ASKED)
    finally:
        ProviderFactory.unregister("zorb")

    assert answer.choices[0].message.content == "Hello."
    assert loopback.requests[0].path == "/v1/chat/completions"
