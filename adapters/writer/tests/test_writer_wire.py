"""What Writer is sent, and what of its answers is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from homeostasis_llm_writer import WriterProvider

from homeostasis_llm import (
    InvalidRequestError,
    LLMMessage,
    LLMRequest,
    ModelNotFoundError,
    Tool,
    ToolCall,
    UnsuitableRequestError,
    merge_chunks,
)
from tests.loopback import Loopback

HI = LLMMessage(role="user", content="Hi")
GRAPH = {"type": "graph", "function": {"graph_ids": ["g1"], "description": "Ours", "subqueries": False}}
FOUND = {"sources": [{"file_id": "f1", "snippet": "We close at six."}], "status": "finished", "subqueries": []}


def _provider(loopback: Loopback, api: str = "chat") -> WriterProvider:
    return WriterProvider("not-a-real-key-0123456789", base_url=loopback.url, api=api)


def _choice(of: str, index: int = 0, finish: str | None = None, **message: Any) -> dict[str, Any]:
    told = {"role": "assistant", "content": "At six.", "graph_data": None, "web_search_data": None, **message}
    both = {"message": told, "delta": told} if of == "chunk" else {"message": told}
    return {"index": index, "finish_reason": finish, **both}


def _answer(*choices: dict[str, Any]) -> dict[str, Any]:
    return {"id": "w-1", "model": "palmyra-x5", "created": 7, "service_tier": None, "choices": choices, "usage": None}


def test_what_writers_own_tools_found_is_kept(loopback: Loopback) -> None:
    loopback.reply(json=_answer(_choice("answer", finish="stop", graph_data=FOUND, web_search_data={"sources": None})))

    with _provider(loopback) as provider:
        read = provider.complete(LLMRequest(messages=[HI], tools=[GRAPH]))

    assert loopback.requests[0].json["tools"] == [GRAPH]
    assert read.metadata["graph_data"] == FOUND
    assert read.metadata["response_id"] == "w-1"
    assert read.metadata["created"] == 7
    assert "web_search_data" not in read.metadata
    assert "service_tier" not in read.metadata


def test_a_stream_keeps_it_too_says_each_piece_once_and_is_the_first_choices(loopback: Loopback) -> None:
    events = [
        _answer(_choice("chunk", content="At ")),
        _answer(_choice("chunk", index=1, content="No idea.")),
        _answer(_choice("chunk", content="six.", graph_data=FOUND)),
        _answer(_choice("chunk", content=None, finish="stop")),
    ]
    loopback.reply(chunks=[b"data: %b\n\n" % json.dumps(event).encode() for event in events])

    with _provider(loopback) as provider:
        read = merge_chunks(provider.complete_stream(LLMRequest(messages=[HI]))).to_response()

    assert read.content == "At six."
    assert read.finish_reason == "stop"
    assert read.metadata["graph_data"] == FOUND
    assert loopback.requests[0].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"value": "auto"}),
        ("required", {"value": "required"}),
        ("add", {"value": {"type": "function", "function": {"name": "add"}}}),
    ],
)
def test_the_choice_of_tools_has_the_form_of_writers_clients(
    choice: str, sent: dict[str, Any], loopback: Loopback
) -> None:
    loopback.reply(json=_answer(_choice("answer", finish="stop")))

    with _provider(loopback) as provider:
        provider.complete(LLMRequest(messages=[HI], tools=[Tool(name="add")], tool_choice=choice))

    assert loopback.requests[0].json["tool_choice"] == sent


def test_a_failure_is_told_in_writers_words(loopback: Loopback) -> None:
    error = {"description": "no such model", "key": "fail.model", "extras": {}}
    loopback.reply(status=404, json={"tpe": "NotFound", "errors": [error], "extras": {}})

    with _provider(loopback) as provider, pytest.raises(ModelNotFoundError, match="no such model") as caught:
        provider.complete(LLMRequest(messages=[HI]))

    assert caught.value.code == "fail.model"


def test_a_completion_is_one_prompt_of_all_messages(loopback: Loopback) -> None:
    loopback.reply(json={"choices": [{"text": "At six."}], "model": "palmyra-x5"})

    with _provider(loopback, "completions") as provider:
        read = provider.complete(LLMRequest(messages=[HI], system_prompt="Be brief.", seed=7))

    assert loopback.requests[0].json == {"model": "palmyra-x5", "prompt": "Be brief.\n\nHi", "random_seed": 7}
    assert (read.content, read.finish_reason) == ("At six.", "unknown")


def test_completions_refuse_tools_and_an_unknown_api_is_named(loopback: Loopback) -> None:
    called = LLMMessage(role="assistant", content="", tool_calls=[ToolCall(name="add")])

    with _provider(loopback, "completions") as provider:
        for request in (LLMRequest(messages=[HI], tools=[GRAPH]), LLMRequest(messages=[HI, called])):
            with pytest.raises(UnsuitableRequestError, match="completions"):
                provider.complete(request)
    with _provider(loopback, "zorb") as provider, pytest.raises(InvalidRequestError, match="chat or completions"):
        provider.complete(LLMRequest(messages=[HI]))
    assert loopback.requests == []


def test_the_models_are_listed(loopback: Loopback) -> None:
    loopback.reply(json={"models": [{"name": "Palmyra X5", "id": "palmyra-x5"}, {"name": "P", "id": "palmyra-x4"}]})

    with _provider(loopback) as provider:
        assert provider.get_available_models() == ["palmyra-x4", "palmyra-x5"]
    assert loopback.requests[0].path == "/v1/models"
