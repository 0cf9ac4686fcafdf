"""What an answer of a provider becomes for a LangChain program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.ai import UsageMetadata

from homeostasis_llm import ChatHomeostasis, LLMChunk, LLMResponse, Reasoning, ToolCall, ToolCallFragment, Usage

from .providers import Scripted, Streaming

ADD = ToolCall(name="add", arguments={"a": 1}, id="c1")
BROKEN = ToolCall(name="add", id="c2", invalid_arguments="{'a': 1}")
SEARCH = ToolCall(name="web_search", arguments={"query": "x"}, id="s1")


def invoked(answer: LLMResponse, **options: Any) -> AIMessage:
    return ChatHomeostasis(provider=Scripted(answer), **options).invoke("hi")


def streamed(answer: LLMResponse, **options: Any) -> AIMessage:
    """The same answer through the stream that every provider has, added up."""
    return added_up(ChatHomeostasis(provider=Scripted(answer), **options).stream("hi"))


def added_up(pieces: Iterator[AIMessageChunk]) -> AIMessageChunk:
    first, *rest = pieces
    return first + rest if rest else first


either_way = pytest.mark.parametrize("asked", [invoked, streamed])
Asked = Callable[..., AIMessage]


@either_way
def test_plain_text_is_a_string(asked: Asked) -> None:
    assert asked(LLMResponse(content="hello")).content == "hello"


@either_way
def test_an_answer_without_text_is_an_empty_string(asked: Asked) -> None:
    assert asked(LLMResponse(content="", tool_calls=[ADD])).content == ""


@either_way
def test_tool_calls_that_can_be_read_and_those_that_cannot_are_told_apart(asked: Asked) -> None:
    message = asked(LLMResponse(content="", tool_calls=[ADD, BROKEN]))

    assert message.tool_calls == [{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]
    [invalid] = message.invalid_tool_calls
    assert (invalid["name"], invalid["id"], invalid["args"]) == ("add", "c2", "{'a': 1}")


@either_way
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_the_standard_blocks_hold_thoughts_searches_text_and_calls(asked: Asked, version: str) -> None:
    answer = LLMResponse(
        content="hello",
        reasoning=Reasoning(text="hm"),
        tool_calls=[ADD],
        server_tool_calls=[SEARCH],
        finish_reason="stop",
    )

    message = asked(answer, output_version=version)

    told = [{key: found for key, found in block.items() if key != "index"} for block in message.content_blocks]
    assert told == [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "server_tool_call", "id": "s1", "name": "web_search", "args": {"query": "x"}},
        {"type": "text", "text": "hello"},
        {"type": "tool_call", "id": "c1", "name": "add", "args": {"a": 1}},
    ]
    assert message.text == "hello"


@either_way
def test_what_the_providers_server_called_is_seen_but_not_to_be_run(asked: Asked) -> None:
    message = asked(LLMResponse(content="found", server_tool_calls=[SEARCH]))

    assert message.tool_calls == []
    assert [block["type"] for block in message.content_blocks] == ["server_tool_call", "text"]


@either_way
def test_usage_is_told_with_cached_and_reasoning_tokens(asked: Asked) -> None:
    usage = Usage(input_tokens=10, output_tokens=5, cached_tokens=4, cache_write_tokens=0, reasoning_tokens=3)

    message = asked(LLMResponse(content="hi", usage=usage))

    assert message.usage_metadata == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_token_details": {"cache_read": 4, "cache_creation": 0},
        "output_token_details": {"reasoning": 3},
    }


@either_way
@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (None, None),
        (Usage(), None),
        (Usage(input_tokens=3), None),
        (Usage(input_tokens=0, output_tokens=0), UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0)),
        (
            Usage(input_tokens=1, output_tokens=2, total_tokens=7),
            UsageMetadata(input_tokens=1, output_tokens=2, total_tokens=7),
        ),
    ],
)
def test_a_count_that_is_not_known_is_not_told_as_zero(
    asked: Asked, usage: Usage | None, told: UsageMetadata | None
) -> None:
    assert asked(LLMResponse(content="hi", usage=usage)).usage_metadata == told


@either_way
def test_the_facts_of_the_answer_are_in_its_metadata(asked: Asked) -> None:
    answer = LLMResponse(
        content="hi",
        provider="acme",
        model="acme-9-0613",
        metadata={"finish_reason": "end_turn", "response_id": "r1", "system_fingerprint": "fp"},
        finish_reason="stop",
        request_id="req-1",
        latency=0.5,
        cost=0.0,
    )

    message = asked(answer)

    assert message.response_metadata == {
        "id": "r1",
        "model_name": "acme-9-0613",
        "model_provider": "homeostasis",
        "provider": "acme",
        "finish_reason": "stop",
        "raw_finish_reason": "end_turn",
        "request_id": "req-1",
        "latency": 0.5,
        "cost": 0.0,
        "system_fingerprint": "fp",
    }


@either_way
def test_an_answer_that_says_nothing_of_itself_is_that_of_who_was_asked(asked: Asked) -> None:
    message = asked(LLMResponse(content="hi"), model="scripted-2")

    assert message.response_metadata["provider"] == "scripted"
    assert message.response_metadata["model_name"] == "scripted-2"


@either_way
def test_without_a_model_named_anywhere_the_providers_default_answered(asked: Asked) -> None:
    assert asked(LLMResponse(content="hi")).response_metadata["model_name"] == "scripted-1"


@either_way
@pytest.mark.parametrize("metadata", [{}, {"response_id": "chatcmpl-1"}])
def test_langchain_numbers_a_message_for_providers_use_a_number_twice(asked: Asked, metadata: dict[str, str]) -> None:
    first, second = (asked(LLMResponse(content="hi", metadata=dict(metadata))).id for _ in range(2))

    assert first is not None
    assert second is not None
    assert first.startswith("lc_run-")
    assert first != second


def pieces_of(*chunks: LLMChunk | str, **options: Any) -> list[AIMessageChunk]:
    return list(ChatHomeostasis(provider=Streaming(*chunks), **options).stream("hi"))


def test_text_arrives_piece_by_piece() -> None:
    pieces = pieces_of("he", "llo")

    assert [piece.content for piece in pieces] == ["he", "llo", ""]
    assert [piece.chunk_position for piece in pieces] == [None, None, "last"]


def test_usage_is_told_once_even_where_the_provider_tells_it_with_every_piece() -> None:
    running = [
        LLMChunk(text=text, usage=Usage(input_tokens=9, output_tokens=out)) for text, out in (("a", 1), ("b", 2))
    ]

    pieces = pieces_of(*running)

    assert [piece.usage_metadata for piece in pieces[:-1]] == [None, None]
    added = added_up(iter(pieces))
    assert added.usage_metadata == {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}


def test_a_call_is_put_together_from_its_fragments() -> None:
    pieces = pieces_of(
        LLMChunk(tool_calls=[ToolCallFragment(index=0, id="c1", name="add", arguments='{"a"')]),
        LLMChunk(tool_calls=[ToolCallFragment(index=0, id="c1", name="add", arguments=": 1}")]),
        LLMChunk(tool_calls=[ToolCallFragment(index=1, id="c2", name="sub")]),
        LLMChunk(tool_calls=[ToolCallFragment(index=1, arguments='{"a": 2}')]),
    )

    assert pieces[0].tool_call_chunks == [
        {"name": "add", "args": '{"a"', "id": "c1", "index": 0, "type": "tool_call_chunk"}
    ]
    assert [(call["name"], call["args"], call["id"]) for call in added_up(iter(pieces)).tool_calls] == [
        ("add", {"a": 1}, "c1"),
        ("sub", {"a": 2}, "c2"),
    ]


def test_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    pieces = pieces_of(
        LLMChunk(tool_calls=[ToolCallFragment(index=0, id="c1", name="add", arguments='{"a": 1}')]),
        LLMChunk(tool_calls=[ToolCallFragment(index=0, id="c2", name="sub", arguments='{"a"')]),
        LLMChunk(tool_calls=[ToolCallFragment(index=0, arguments=": 2}")]),
    )

    assert [(call["name"], call["args"]) for call in added_up(iter(pieces)).tool_calls] == [
        ("add", {"a": 1}),
        ("sub", {"a": 2}),
    ]


def test_calls_that_share_an_index_and_have_no_ids_are_told_apart_by_their_names() -> None:
    pieces = pieces_of(
        LLMChunk(tool_calls=[ToolCallFragment(index=0, name="add", arguments='{"a": 1}')]),
        LLMChunk(tool_calls=[ToolCallFragment(index=0, name="sub", arguments='{"a": 2}')]),
    )

    calls = added_up(iter(pieces)).tool_calls
    assert [(call["name"], call["args"]) for call in calls] == [("add", {"a": 1}), ("sub", {"a": 2})]
    assert len({call["id"] for call in calls}) == 2


def test_a_call_without_a_number_is_given_one() -> None:
    pieces = pieces_of(
        LLMChunk(tool_calls=[ToolCallFragment(index=0, name="add", arguments='{"a"')]),
        LLMChunk(tool_calls=[ToolCallFragment(index=0, arguments=": 1}")]),
    )

    [call] = added_up(iter(pieces)).tool_calls
    assert call["args"] == {"a": 1}
    assert str(call["id"]).startswith("call_")


def test_a_number_that_comes_late_is_kept() -> None:
    pieces = pieces_of(
        LLMChunk(tool_calls=[ToolCallFragment(index=0, name="add", arguments='{"a"')]),
        LLMChunk(tool_calls=[ToolCallFragment(index=0, id="c7", arguments=": 1}")]),
    )

    [call] = added_up(iter(pieces)).tool_calls
    assert (call["args"], call["id"]) == ({"a": 1}, "c7")


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_text_and_calls_of_one_piece_do_not_mix(version: str) -> None:
    call = ToolCallFragment(index=0, id="c1", name="add", arguments='{"a": 1}')

    message = added_up(
        iter(pieces_of(LLMChunk(text="one "), LLMChunk(text="two", tool_calls=[call]), output_version=version))
    )

    assert message.text == "one two"
    assert [block["type"] for block in message.content_blocks] == ["text", "tool_call"]
    assert message.tool_calls[0]["args"] == {"a": 1}


def test_thoughts_stream_as_reasoning_blocks_before_the_text() -> None:
    pieces = pieces_of(
        LLMChunk(), LLMChunk(reasoning="h"), LLMChunk(reasoning="m"), LLMChunk(text="he"), LLMChunk(text="y")
    )

    assert [piece.content_blocks for piece in pieces[:2]] == [
        [{"type": "reasoning", "reasoning": "h", "index": 0}],
        [{"type": "reasoning", "reasoning": "m", "index": 0}],
    ]
    assert added_up(iter(pieces)).content_blocks == [
        {"type": "reasoning", "reasoning": "hm", "index": 0},
        {"type": "text", "text": "hey", "index": 1},
    ]


def test_a_call_that_the_server_runs_is_told_whole_when_it_is() -> None:
    pieces = pieces_of(
        LLMChunk(tool_calls=[ToolCallFragment(index=0, id="s1", name="web_search", arguments='{"query"', server=True)]),
        LLMChunk(tool_calls=[ToolCallFragment(index=0, arguments=': "x"}', server=True)]),
        LLMChunk(text="found"),
    )

    assert [block["type"] for piece in pieces for block in piece.content_blocks] == ["server_tool_call", "text"]
    message = added_up(iter(pieces))
    assert message.content_blocks[0] == {
        "type": "server_tool_call",
        "id": "s1",
        "name": "web_search",
        "args": {"query": "x"},
        "index": 0,
    }
    assert message.tool_calls == []


def test_every_piece_has_the_number_of_its_message() -> None:
    pieces = pieces_of(LLMChunk(text="a", metadata={"response_id": "r1"}), LLMChunk(text="b"))

    (number,) = {piece.id for piece in pieces}
    assert number is not None
    assert number.startswith("lc_run-")


def test_a_number_that_comes_after_the_first_piece_does_not_change_the_message() -> None:
    pieces = pieces_of(LLMChunk(text="a"), LLMChunk(text="b", metadata={"response_id": "r1"}))

    assert len({piece.id for piece in pieces}) == 1
    assert added_up(iter(pieces)).response_metadata["id"] == "r1"


def test_what_a_provider_wants_back_is_told_once_and_whole() -> None:
    block = {"type": "thinking", "signature": "s"}
    call = ToolCallFragment(index=0, id="c1", name="add", payload={"thought_signature": "t"})

    message = added_up(
        iter(
            pieces_of(
                LLMChunk(reasoning="hm", reasoning_payload={"blocks": [block]}),
                LLMChunk(reasoning_payload={"blocks": [block]}, tool_calls=[call]),
            )
        )
    )

    assert message.additional_kwargs == {
        "homeostasis": {
            "provider": "streaming",
            "reasoning": {"blocks": [block, block]},
            "tool_calls": {"c1": {"thought_signature": "t"}},
        }
    }


def test_a_stream_without_a_word_is_an_empty_answer() -> None:
    [only] = pieces_of()

    assert (only.content, only.chunk_position) == ("", "last")


def test_a_stream_that_is_abandoned_is_closed_at_once() -> None:
    provider = Streaming("a", "b", "c")
    pieces = ChatHomeostasis(provider=provider).stream("hi")

    next(pieces)
    pieces.close()  # type: ignore[attr-defined]  # a generator, though typed as an iterator

    assert provider.closed == 1


async def test_an_async_stream_that_is_abandoned_is_closed_at_once() -> None:
    provider = Streaming("a", "b", "c")
    pieces: Any = ChatHomeostasis(provider=provider)._astream([HumanMessage("hi")])

    await anext(pieces)
    await pieces.aclose()

    assert provider.closed == 1


async def test_the_async_stream_says_the_same() -> None:
    chunks = [LLMChunk(reasoning="hm"), LLMChunk(text="hey"), LLMChunk(usage=Usage(input_tokens=1, output_tokens=2))]

    pieces = [piece async for piece in ChatHomeostasis(provider=Streaming(*chunks)).astream("hi")]

    expected = pieces_of(*chunks)
    assert [piece.content for piece in pieces] == [piece.content for piece in expected]
    assert added_up(iter(pieces)).usage_metadata == added_up(iter(expected)).usage_metadata


async def test_the_async_answer_says_the_same() -> None:
    answer = LLMResponse(content="hello", reasoning=Reasoning(text="hm"), tool_calls=[ADD], latency=0.5)

    message = await ChatHomeostasis(provider=Scripted(answer)).ainvoke("hi")

    assert message.model_dump(exclude={"id"}) == invoked(answer).model_dump(exclude={"id"})
