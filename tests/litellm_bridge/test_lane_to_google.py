"""What Google is sent and answers, on both lanes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homeostasis_llm import LLMMessage, LLMRequest, LLMResponse
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.messages import ImagePart
from homeostasis_llm.response import merge_chunks

from ..lanes.both import on
from ..loopback import Loopback
from .wires import KEY

MODEL = "gemini-3-flash-preview"

each_lane = pytest.mark.parametrize("lane", ["full", "direct"])
each_way = pytest.mark.parametrize("streamed", [False, True])


def called(**more: Any) -> dict[str, Any]:
    """An answer that calls two tools, the first of them signed."""
    first = {"functionCall": {"name": "weather", "args": {"place": "Oslo"}, **more}, "thoughtSignature": "c2ln"}
    second = {"functionCall": {"name": "clock", "args": {}}}
    candidate = {"content": {"role": "model", "parts": [first, second]}, "finishReason": "STOP"}
    counts = {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": MODEL, "responseId": "1"}


def asked(provider: LiteLLMProvider, request: LLMRequest, *, streamed: bool) -> LLMResponse:
    """The answer, whole or in pieces."""
    return merge_chunks(provider.complete_stream(request)).to_response() if streamed else provider.complete(request)


def answers(loopback: Loopback, *, streamed: bool, **more: Any) -> None:
    """Has the server answer with `called`."""
    told = called(**more)
    loopback.reply(**({"chunks": [f"data: {json.dumps(told)}\n\n"]} if streamed else {"json": told}))


@each_way
@each_lane
def test_a_thoughts_signature_comes_back_with_the_call_that_had_it(
    lane: str, streamed: bool, loopback: Loopback
) -> None:
    answers(loopback, streamed=streamed)
    answers(loopback, streamed=streamed)
    provider = LiteLLMProvider("gemini", KEY, base_url=loopback.url)
    question = LLMMessage(role="user", content="Weather and time?")

    with on(lane):
        answer = asked(provider, LLMRequest(messages=[question], model=MODEL), streamed=streamed)
        results = [LLMMessage(role="tool", tool_call_id=call.id, content="?") for call in answer.tool_calls]
        turns = [question, answer.to_message(), *results]
        asked(provider, LLMRequest(messages=turns, model=MODEL), streamed=streamed)

    said = loopback.requests[-1].json["contents"][1]["parts"]
    assert [(part["function_call"]["name"], part.get("thoughtSignature")) for part in said] == [
        ("weather", "c2ln"),
        ("clock", None),
    ]


@each_lane
def test_a_thoughts_signature_comes_back_from_whoever_keeps_but_the_ids_of_calls(lane: str, loopback: Loopback) -> None:
    answers(loopback, streamed=False)
    answers(loopback, streamed=False)
    provider = LiteLLMProvider("gemini", KEY, base_url=loopback.url)
    question = LLMMessage(role="user", content="Weather and time?")

    with on(lane):
        answer = provider.complete(LLMRequest(messages=[question], model=MODEL))
        for call in answer.tool_calls:
            call.payload = None
        results = [LLMMessage(role="tool", tool_call_id=call.id, content="?") for call in answer.tool_calls]
        provider.complete(LLMRequest(messages=[question, answer.to_message(), *results], model=MODEL))

    assert loopback.requests[-1].json["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"


@each_way
@each_lane
def test_a_call_has_googles_own_id_where_it_gives_one(lane: str, streamed: bool, loopback: Loopback) -> None:
    answers(loopback, streamed=streamed, id="call-7")
    provider = LiteLLMProvider("gemini", KEY, base_url=loopback.url)
    request = LLMRequest(messages=[LLMMessage(role="user", content="Weather?")], model=MODEL)

    with on(lane):
        first, second = asked(provider, request, streamed=streamed).tool_calls

    assert first.id == "call-7__thought__c2ln"
    assert second.id.startswith("call_")


def test_a_picture_that_must_be_fetched_for_google_takes_the_full_lane(loopback: Loopback) -> None:
    provider = LiteLLMProvider("gemini", KEY, base_url=loopback.url)
    files = "https://generativelanguage.googleapis.com/v1beta/files/1"  # the one place that it need not be fetched from
    lanes = []
    for picture in (ImagePart(url=files), ImagePart(data=b"\x89PNG\r\n\x1a\n", media_type="image/png")):
        answers(loopback, streamed=False)
        with on("direct"):
            provider.complete(LLMRequest(messages=[LLMMessage(role="user", content=[picture])], model=MODEL))
        lanes.append(loopback.requests[-1].headers["user-agent"].partition("/")[0])

    assert lanes[1] == "homeostasis-llm"
    assert lanes[0] != "homeostasis-llm"
