"""The whole way: a LangChain program, a chat model, litellm's translation, HTTP, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.exceptions import ModelAuthenticationError, ModelRateLimitError
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from homeostasis_llm import AuthenticationError, ChatHomeostasis, RateLimitError
from tests.loopback import Loopback

KEY = "key-that-nobody-may-see-0123456789"
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-9-0613",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
USAGE = {
    "input_tokens": 9,
    "output_tokens": 2,
    "total_tokens": 11,
    "input_token_details": {"cache_read": 4},
    "output_token_details": {"reasoning": 1},
}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Point(BaseModel):
    x: int


@pytest.fixture
def model(loopback: Loopback) -> ChatHomeostasis:
    return ChatHomeostasis(model="openai:gpt-9", api_key=KEY, base_url=f"{loopback.url}/v1", temperature=0)


def events(*pieces: dict[str, Any]) -> list[str]:
    """A stream of OpenAI's, of one delta each and the usage last."""
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-9-0613"}
    told: list[dict[str, Any]] = [
        {**chunk, "choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces
    ]
    told.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    told.append({**chunk, "choices": [], "usage": ANSWER["usage"]})
    return [*(f"data: {json.dumps(event)}\n\n" for event in told), "data: [DONE]\n\n"]


def test_an_answer_comes_with_all_that_was_told_of_it(model: ChatHomeostasis, loopback: Loopback) -> None:
    loopback.always(json=ANSWER, headers={"x-request-id": "req-1"})

    message = model.invoke([SystemMessage("Be brief."), HumanMessage("hi")])

    assert message.text == "hello"
    assert message.usage_metadata is not None
    assert USAGE.items() <= message.usage_metadata.items()
    told = message.response_metadata
    assert (told["model_name"], told["id"], told["provider"]) == ("gpt-9-0613", "chatcmpl-1", "openai")
    assert (told["finish_reason"], told["request_id"]) == ("stop", "req-1")
    [request] = loopback.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == "gpt-9"
    assert request.json["temperature"] == 0
    assert [message["role"] for message in request.json["messages"]] == ["system", "user"]


def test_a_stream_says_the_same_piece_by_piece(model: ChatHomeostasis, loopback: Loopback) -> None:
    loopback.always(chunks=events({"role": "assistant", "content": ""}, {"content": "hel"}, {"content": "lo"}))

    first, *rest = model.stream("hi")
    whole = first + rest

    assert [piece.text for piece in (first, *rest)] == ["hel", "lo", ""]
    assert whole.usage_metadata is not None
    assert USAGE.items() <= whole.usage_metadata.items()
    told = whole.response_metadata
    assert (told["model_name"], told["id"], told["finish_reason"]) == ("gpt-9-0613", "chatcmpl-1", "stop")
    assert loopback.requests[0].json["stream_options"] == {"include_usage": True}


async def test_async_callers_get_the_same(model: ChatHomeostasis, loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)
    loopback.reply(chunks=events({"content": "hel"}, {"content": "lo"}))

    assert (await model.ainvoke("hi")).text == "hello"
    assert [piece.text async for piece in model.astream("hi")] == ["hel", "lo", ""]


def test_tools_and_their_answers_are_sent_as_the_provider_writes_them(
    model: ChatHomeostasis, loopback: Loopback
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    asking = {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}}
    loopback.reply(json={**ANSWER, "choices": [{**asking, "finish_reason": "tool_calls"}]})
    loopback.reply(json=ANSWER)
    agent = model.bind_tools([add], tool_choice="any", parallel_tool_calls=False)

    asked = agent.invoke("1 + 2?")
    result = add.invoke(asked.tool_calls[0])
    agent.invoke([HumanMessage("1 + 2?"), asked, result])

    assert isinstance(result, ToolMessage)
    first, second = (request.json for request in loopback.requests)
    assert first["tools"][0]["function"]["name"] == "add"
    assert (first["tool_choice"], first["parallel_tool_calls"]) == ("required", False)
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "tool"]
    assert json.loads(second["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"a": 1, "b": 2}
    assert second["messages"][2]["tool_call_id"] == "c1"


def test_a_form_reaches_the_provider_as_a_schema(model: ChatHomeostasis, loopback: Loopback) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": '{"x": 1}'}, "finish_reason": "stop"}
    loopback.always(json={**ANSWER, "choices": [choice]})

    assert model.with_structured_output(Point, strict=True).invoke("?") == Point(x=1)

    told = loopback.requests[0].json["response_format"]["json_schema"]
    assert (told["name"], told["strict"], told["schema"]["additionalProperties"]) == ("Point", True, False)


def test_thoughts_go_back_signed_to_anthropic(loopback: Loopback) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    asking = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1, "b": 2}}
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-9",
        "content": [thought, {"type": "text", "text": "let me see"}, asking],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 5,
            "output_tokens": 2,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 1,
        },
    }
    loopback.always(json=answer)
    model = ChatHomeostasis(model="anthropic:claude-9", api_key=KEY, base_url=loopback.url, max_tokens=2048)
    agent = model.bind_tools([add])

    asked = agent.invoke("1 + 2?")
    agent.invoke([HumanMessage("1 + 2?"), asked, add.invoke(asked.tool_calls[0])])

    assert [block["type"] for block in asked.content_blocks] == ["reasoning", "text", "tool_call"]
    assert asked.usage_metadata is not None
    assert asked.usage_metadata["input_tokens"] == 10
    assert asked.usage_metadata["input_token_details"] == {"cache_read": 4, "cache_creation": 1}
    assert loopback.requests[1].json["messages"][1]["content"][0] == thought


@pytest.mark.parametrize(
    ("status", "ours", "theirs"),
    [(401, AuthenticationError, ModelAuthenticationError), (429, RateLimitError, ModelRateLimitError)],
)
def test_a_refusal_is_ours_and_langchains_and_holds_no_key(
    status: int, ours: type[Exception], theirs: type[Exception], model: ChatHomeostasis, loopback: Loopback
) -> None:
    loopback.always(status=status, json={"error": {"message": f"not with {KEY}"}}, headers={"retry-after": "7"})

    with pytest.raises(theirs) as caught:
        model.invoke("hi")

    assert isinstance(caught.value, ours)
    assert KEY not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert len(loopback.requests) == 1


def test_a_busy_provider_is_asked_again_as_often_as_one_says(model: ChatHomeostasis, loopback: Loopback) -> None:
    loopback.reply(status=429, json={"error": {"message": "slow down"}}, headers={"retry-after": "0"})
    loopback.reply(json=ANSWER)

    assert model.model_copy(update={"max_retries": 1}).invoke("hi").text == "hello"
    assert len(loopback.requests) == 2
