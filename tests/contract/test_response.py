"""What a model answered, whole or in pieces that add up to it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm import (
    FinishReason,
    LLMChunk,
    LLMMessage,
    LLMResponse,
    Reasoning,
    ToolCall,
    ToolCallFragment,
    Usage,
)
from homeostasis_llm.provider import as_chunk
from homeostasis_llm.response import CallsInOrder, finish_reason_of, merge_chunks, parse_tool_call

from . import wild
from .refusals import refusal

Fragment = ToolCallFragment

# Types are wrong here on purpose.
response: Any = LLMResponse


# Whole answers.


def test_an_answer_is_made_as_authors_of_providers_make_it() -> None:
    made = response(
        content="four",
        provider="myllm",
        model=None,
        usage={"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        metadata={"finish_reason": "stop", "response_id": "r_1"},
    )

    assert (made.content, made.provider, made.model) == ("four", "myllm", None)
    assert made.usage["prompt_tokens"] == 3
    assert made.finish_reason == "stop"
    assert made.metadata == {"finish_reason": "stop", "response_id": "r_1"}


def test_an_answer_may_have_nothing_but_none() -> None:
    made = response(content=None, provider="myllm", model=None, usage=None, metadata=None)

    assert made.content == ""
    assert made.usage is None
    assert made.finish_reason == "unknown"
    assert made.metadata == {"finish_reason": "unknown", "response_id": None}


def test_metadata_always_says_why_the_answer_ended_and_which_it_is() -> None:
    assert LLMResponse("", finish_reason="length").metadata == {"finish_reason": "length", "response_id": None}
    assert LLMResponse("", metadata={"cached": True}).metadata["cached"] is True


def test_the_providers_own_word_stays_in_metadata() -> None:
    made = LLMResponse("", metadata={"finish_reason": "max_tokens", "response_id": "r_1"})

    assert made.finish_reason == "length"
    assert made.metadata["finish_reason"] == "max_tokens"


def test_a_finish_reason_that_is_given_counts_more_than_the_providers_word() -> None:
    made = LLMResponse("", metadata={"finish_reason": "end_turn"}, finish_reason="tool_calls")

    assert made.finish_reason == "tool_calls"
    assert made.metadata["finish_reason"] == "end_turn"


def test_the_authors_own_dict_is_left_alone() -> None:
    metadata: dict[str, Any] = {}

    LLMResponse("", metadata=metadata)

    assert metadata == {}


@pytest.mark.parametrize("word", [None, 5, -1, True, 2.5, ["stop"], {"reason": "stop"}, "", "no such word"])
def test_any_word_for_why_an_answer_ended_is_taken(word: object) -> None:
    assert LLMResponse("", metadata={"finish_reason": word}).finish_reason in get_args(FinishReason)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (response, "LLMResponse.content: field required"),
        (lambda: response(5), "LLMResponse.content: "),
        (lambda: response(["four"]), "LLMResponse.content: "),
        (lambda: response("", usage=5), "LLMResponse.usage: "),
        (lambda: response("", finish_reason="end_turn"), "LLMResponse.finish_reason: input should be 'stop', 'length'"),
        (lambda: response("", metadata=5), "LLMResponse.metadata: "),
        (lambda: response("", latency=float("nan")), "LLMResponse.latency: "),
        (lambda: response("", tool_calls=[{"name": ""}]), "LLMResponse.tool_calls[0].name: "),
    ],
)
def test_an_answer_that_is_none_is_refused_by_its_field(make: Any, field: str) -> None:
    assert refusal(make).startswith(field)


def test_reasoning_may_be_a_text_alone() -> None:
    assert response("", reasoning="because").reasoning == Reasoning("because")


def test_an_answer_reads_as_its_text() -> None:
    assert str(LLMResponse("four")) == "four"
    assert f"{LLMResponse('four')}" == "four"


def test_an_answer_becomes_the_next_message() -> None:
    calls = [ToolCall("add", {"a": 1}, "call_1")]
    made = LLMResponse("so", tool_calls=calls, server_tool_calls=[ToolCall("search")], reasoning=Reasoning("because"))

    assert made.to_message() == LLMMessage("assistant", "so", calls, reasoning=Reasoning("because"))


@pytest.mark.parametrize(
    ("sent", "read"),
    [("\ud83d\ude00", "😀"), ("a \ud83d b", "a \ufffd b"), ("\ude00", "\ufffd"), ("😀", "😀"), ("é", "é")],
)
def test_halves_of_characters_are_joined_or_replaced(sent: str, read: str) -> None:
    assert LLMResponse(sent).content == read
    assert merge_chunks([LLMChunk(half, half) for half in sent]).to_response().content == read
    assert merge_chunks([LLMChunk(half, half) for half in sent]).to_response().reasoning == Reasoning(read)
    assert LLMResponse(sent).to_message().text == read


# Why answers end.


@pytest.mark.parametrize("ours", get_args(FinishReason))
def test_our_own_words_mean_themselves(ours: str) -> None:
    assert finish_reason_of(ours) == ours


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        # OpenAI, Anthropic, Google, AWS, Cohere, Mistral, Hugging Face, Ollama, AI21, IBM, Aleph Alpha.
        (
            ("stop", "end_turn", "STOP", "stop_sequence", "COMPLETE", "completed", "eos_token", "eos", "endoftext"),
            "stop",
        ),
        (("FINISH", "done"), "stop"),
        (("length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length", "token_limit"), "length"),
        (("maximum_tokens", "LENGTH", "model_context_window_exceeded"), "length"),
        (("tool_calls", "tool_use", "TOOL_CALL", "function_call", "requires_action"), "tool_calls"),
        (("content_filter", "refusal", "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII"), "content_filter"),
        (("guardrail_intervened", "content_filtered", "ERROR_TOXIC", "MODEL_ARMOR", "sensitive"), "content_filter"),
        (("error", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "failed", "cancelled"), "error"),
        (("ERROR_LIMIT", "network_error", "insufficient_system_resource", "malformed_tool_use"), "error"),
        # Not ended, or not told.
        (("in_progress", "queued", "starting", "pause_turn", "incomplete", "OTHER", "", "null"), "unknown"),
    ],
)
def test_the_providers_words_are_understood(words: tuple[str, ...], ours: str) -> None:
    assert {word: finish_reason_of(word) for word in words} == dict.fromkeys(words, ours)


@pytest.mark.parametrize(
    ("number", "ours"),
    [(0, "unknown"), (1, "stop"), (2, "length"), (3, "content_filter"), (4, "content_filter"), (5, "unknown")],
)
def test_googles_numbers_are_understood(number: int, ours: str) -> None:
    assert finish_reason_of(number) == ours


# These say that there is no reason yet, or none at all.
UNTOLD = {None, "", "in_progress", "queued", "starting"}


@wild.needs_the_wild
@pytest.mark.parametrize("provider", wild.providers())
def test_every_recorded_word_for_why_an_answer_ended_is_known(provider: str) -> None:
    words = {r["expected"]["finish_reason_raw"] for r in wild.of(provider) if "finish_reason_raw" in r["expected"]}

    assert {word for word in words if finish_reason_of(word) == "unknown"} <= UNTOLD


@wild.needs_the_wild
@pytest.mark.parametrize(
    ("tag", "ours"),
    [("filtered", {"content_filter"}), ("cut_by_length", {"length"}), ("tool_call", {"tool_calls", "stop"})],
)
def test_recorded_words_mean_what_the_answers_show(tag: str, ours: set[str]) -> None:
    tagged = [record for record in wild.records() if tag in record["tags"] and not record["expected"].get("error")]
    words = {record["expected"].get("finish_reason_raw") for record in tagged}
    # An answer may call a tool and be cut, or blocked, or fail all the same.
    others = {"length", "unknown", "content_filter", "error"} if tag == "tool_call" else set()

    assert {finish_reason_of(word) for word in words - UNTOLD} - others == ours


# Tool calls.


@pytest.mark.parametrize(
    ("written", "arguments", "invalid"),
    [
        ('{"a": 1}', {"a": 1}, None),
        (' {"a": 1}\n', {"a": 1}, None),
        ("{}", {}, None),
        ("", {}, None),
        ("  ", {}, None),
        ("null", {}, None),
        (None, {}, None),
        ({"a": 1}, {"a": 1}, None),
        ('{"a": ', {}, '{"a": '),
        ("a = 1", {}, "a = 1"),
        ("[1]", {}, "[1]"),
        ("5", {}, "5"),
        ('"a"', {}, '"a"'),
        ('{"a": NaN}', {}, '{"a": NaN}'),
        ('{"a": -Infinity}', {}, '{"a": -Infinity}'),
        ('{"a": 1}{"b": 2}', {}, '{"a": 1}{"b": 2}'),
        ("[" * 100_000, {}, "[" * 100_000),
        ("1" * 5000, {}, "1" * 5000),
    ],
)
def test_arguments_are_read_or_kept_as_they_were_written(written: Any, arguments: object, invalid: str | None) -> None:
    call = parse_tool_call("add", written, "call_1")

    assert (call.name, call.id) == ("add", "call_1")
    assert call.arguments == arguments
    assert call.invalid_arguments == invalid


def test_a_call_without_a_name_can_still_be_shown() -> None:
    assert parse_tool_call(None, "{}").name == "unknown"
    assert parse_tool_call("", "{}").name == "unknown"


@given(st.text())
def test_whatever_a_model_writes_is_a_call(written: str) -> None:
    call = parse_tool_call("add", written)

    assert call.invalid_arguments in {None, written}
    json.dumps(call.arguments, allow_nan=False)


def test_what_was_no_json_goes_back_as_it_was_written_or_within_an_object() -> None:
    call = parse_tool_call("add", '{"a": ')

    assert call.arguments_text == '{"a": '
    assert call.arguments_object == {"INVALID_JSON": '{"a": '}


def test_good_arguments_go_back_as_they_are_in_letters_and_not_in_numbers() -> None:
    call = parse_tool_call("add", '{"a": "\u4e16界"}')

    assert call.arguments_text == '{"a": "世界"}'
    assert call.arguments_object == {"a": "世界"}


def stream(*fragments: Fragment) -> list[LLMChunk]:
    return [LLMChunk(tool_calls=[fragment]) for fragment in fragments]


ADD = ToolCall("add", {"a": 1}, "call_1")
SUB = ToolCall("sub", {"b": 2}, "call_2")

STREAMS: dict[str, list[LLMChunk]] = {
    "one call after the other": stream(
        Fragment(0, "call_1", "add"),
        Fragment(0, arguments='{"a"'),
        Fragment(0, arguments=": 1}"),
        Fragment(1, "call_2", "sub"),
        Fragment(1, arguments='{"b": 2}'),
    ),
    "two calls by turns": stream(
        Fragment(0, "call_1", "add"),
        Fragment(1, "call_2", "sub"),
        Fragment(0, arguments='{"a"'),
        Fragment(1, arguments='{"b"'),
        Fragment(0, arguments=": 1}"),
        Fragment(1, arguments=": 2}"),
    ),
    "both in one chunk": [
        LLMChunk(tool_calls=[Fragment(0, "call_1", "add", '{"a": 1}'), Fragment(1, "call_2", "sub", '{"b": 2}')])
    ],
    "the index begins at 1, after a text": stream(
        Fragment(1, "call_1", "add"), Fragment(1, arguments='{"a": 1}'), Fragment(2, "call_2", "sub", '{"b": 2}')
    ),
    "the index leaves gaps": stream(Fragment(3, "call_1", "add", '{"a": 1}'), Fragment(7, "call_2", "sub", '{"b": 2}')),
    "no index, whole calls told apart by id": stream(
        Fragment(id="call_1", name="add", arguments='{"a": 1}'), Fragment(id="call_2", name="sub", arguments='{"b": 2}')
    ),
    "no index, in pieces": stream(
        Fragment(id="call_1", name="add"),
        Fragment(arguments='{"a": 1}'),
        Fragment(id="call_2", name="sub"),
        Fragment(arguments='{"b": 2}'),
    ),
    "no index, by turns, id in every piece": stream(
        Fragment(id="call_1", name="add"),
        Fragment(id="call_2", name="sub"),
        Fragment(id="call_1", arguments='{"a": 1}'),
        Fragment(id="call_2", arguments='{"b": 2}'),
    ),
    "id and name in every piece": stream(
        Fragment(0, "call_1", "add", '{"a"'),
        Fragment(0, "call_1", "add", ": 1}"),
        Fragment(1, "call_2", "sub", '{"b"'),
        Fragment(1, "call_2", "sub", ": 2}"),
    ),
    "empty id and name in later pieces": stream(
        Fragment(0, "call_1", "add", ""),
        Fragment(0, "", "", '{"a": 1}'),
        Fragment(1, "call_2", "sub", ""),
        Fragment(1, "", "", '{"b": 2}'),
    ),
    "the id comes after the name": stream(
        Fragment(0, None, "add"), Fragment(0, "call_1", arguments='{"a": 1}'), Fragment(1, "call_2", "sub", '{"b": 2}')
    ),
    "the name comes after the id": stream(
        Fragment(0, "call_1"), Fragment(0, name="add", arguments='{"a": 1}'), Fragment(1, "call_2", "sub", '{"b": 2}')
    ),
}


@pytest.mark.parametrize("chunks", STREAMS.values(), ids=STREAMS.keys())
def test_pieces_of_tool_calls_find_their_call(chunks: list[LLMChunk]) -> None:
    assert merge_chunks(chunks).to_response().tool_calls == [ADD, SUB]


@pytest.mark.parametrize("chunks", STREAMS.values(), ids=STREAMS.keys())
@given(data=st.data())
def test_how_a_stream_is_cut_changes_no_call(chunks: list[LLMChunk], data: st.DataObject) -> None:
    cuts = data.draw(st.sets(st.integers(1, len(chunks))))
    edges = [0, *sorted(cuts), len(chunks)]
    groups = [merge_chunks(chunks[start:end]) for start, end in pairwise(edges)]

    assert merge_chunks(groups).to_response().tool_calls == [ADD, SUB]


def test_calls_without_any_id_are_told_apart_by_name() -> None:
    merged = merge_chunks(
        stream(
            Fragment(name="add", arguments='{"a": 1}'),
            Fragment(name="sub", arguments='{"b"'),
            Fragment(arguments=": 2}"),
        )
    )

    calls = merged.to_response().tool_calls
    assert [(call.name, call.arguments) for call in calls] == [("add", {"a": 1}), ("sub", {"b": 2})]
    assert len({call.id for call in calls}) == 2


def test_the_end_of_one_call_does_not_swallow_the_next() -> None:
    start, end, other = stream(
        Fragment(name="add", arguments='{"a"'), Fragment(arguments=": 1}"), Fragment(name="sub", arguments='{"b": 2}')
    )

    calls = (start + (end + other)).to_response().tool_calls

    assert [(call.name, call.arguments) for call in calls] == [("add", {"a": 1}), ("sub", {"b": 2})]


def test_calls_without_any_id_are_told_apart_by_index() -> None:
    merged = merge_chunks(stream(Fragment(0, name="add"), Fragment(1, name="add"), Fragment(0, arguments='{"a": 1}')))

    assert [call.arguments for call in merged.to_response().tool_calls] == [{"a": 1}, {}]


def test_a_call_without_arguments_is_one() -> None:
    merged = merge_chunks(stream(Fragment(0, "call_1", "now")))

    assert merged.to_response().tool_calls == [ToolCall("now", {}, "call_1")]


def test_a_call_that_was_cut_off_keeps_what_was_written() -> None:
    merged = merge_chunks(stream(Fragment(0, "call_1", "add"), Fragment(0, arguments='{"a": ')))

    [call] = merged.to_response().tool_calls
    assert (call.arguments, call.invalid_arguments) == ({}, '{"a": ')


def test_calls_are_numbered_in_the_order_they_began() -> None:
    order = CallsInOrder()

    numbers = [order.place(chunk.tool_calls[0]) for chunk in STREAMS["two calls by turns"]]

    assert numbers == [0, 1, 0, 1, 0, 1]


def test_what_the_providers_server_called_is_kept_apart() -> None:
    merged = merge_chunks(
        stream(
            Fragment(0, "srvtoolu_1", "web_search", '{"query"', server=True),
            Fragment(0, arguments=': "tea"}'),
            Fragment(1, "call_1", "add", '{"a": 1}'),
        )
    )

    answer = merged.to_response()
    assert answer.tool_calls == [ADD]
    assert answer.server_tool_calls == [ToolCall("web_search", {"query": "tea"}, "srvtoolu_1")]


def test_payloads_of_one_call_come_together() -> None:
    merged = merge_chunks(
        stream(
            Fragment(0, "call_1", "add", payload={"signature": "a", "parts": [1]}),
            Fragment(0, payload={"signature": "b", "parts": [2]}),
            Fragment(0, arguments="{}"),
        )
    )

    assert merged.to_response().tool_calls[0].payload == {"signature": "b", "parts": [1, 2]}


def test_adding_up_leaves_the_pieces_alone() -> None:
    chunks = [*STREAMS["one call after the other"], LLMChunk("a", usage=Usage(1), metadata={"a": 1})]
    before = [dataclasses.asdict(chunk) for chunk in chunks]

    merged = merge_chunks(chunks)
    merged.tool_calls[0].id = "changed"
    merged.metadata["changed"] = True

    assert [dataclasses.asdict(chunk) for chunk in chunks] == before


@pytest.mark.parametrize(
    "call",
    [
        ADD,
        ToolCall("now", {}, "call_1"),
        ToolCall("add", {"deep": {"list": [1, 2.5, None, "é"]}}, "call_1", payload={"signature": "s"}),
        ToolCall("add", {}, "call_1", invalid_arguments='{"a": '),
        ToolCall("add", {}, "call_1", invalid_arguments="[1]"),
    ],
)
def test_a_whole_call_as_a_piece_is_the_same_call_again(call: ToolCall) -> None:
    assert Fragment.of(call, index=3).to_call() == call


# Adding up.

FULL = LLMChunk(
    "fo",
    "hm",
    {"signature": "a"},
    [Fragment(0, "call_1", "add", '{"a"')],
    Usage(5, 1),
    None,
    "openai",
    "some-model-1",
    "req_1",
    0.5,
    0.25,
    {"response_id": "r_1", "finish_reason": None},
)

texts = st.text(st.characters(codec="utf-8"), max_size=5)
counts = st.none() | st.integers(0, 1000)
usages = st.none() | st.builds(Usage, counts, counts, counts, counts, counts, counts)
payloads = st.none() | st.fixed_dictionaries(
    {}, optional={"signature": texts, "blocks": st.lists(st.integers(), max_size=2)}
)
# A stream as providers make them: a call's first piece has its id and its name.
calls_in_pieces = st.lists(
    st.one_of(
        st.builds(
            lambda index, number: Fragment(index, f"call_{index}_{number}", f"tool_{number}"),
            st.integers(0, 2),
            st.integers(0, 2),
        ),
        st.builds(Fragment, st.integers(0, 2), arguments=texts, payload=payloads),
    ),
    max_size=3,
)
chunks_of_any_kind = st.builds(
    LLMChunk,
    text=texts,
    reasoning=texts,
    reasoning_payload=payloads,
    tool_calls=calls_in_pieces,
    usage=usages,
    finish_reason=st.none() | st.sampled_from(get_args(FinishReason)),
    provider=st.sampled_from(["", "openai"]),
    model=st.none() | texts,
    request_id=st.none() | texts,
    latency=st.none() | st.floats(0, 10),
    cost=st.none() | st.floats(0, 10),
    metadata=st.dictionaries(st.sampled_from("ab"), st.none() | texts),
)


@given(st.lists(chunks_of_any_kind, max_size=8))
def test_one_pass_is_the_same_as_adding_one_by_one(chunks: list[LLMChunk]) -> None:
    assert merge_chunks(chunks) == reduce(add, chunks, LLMChunk())


@given(chunks_of_any_kind)
def test_the_empty_piece_adds_nothing(chunk: LLMChunk) -> None:
    once = merge_chunks([chunk])

    assert once + LLMChunk() == once
    assert LLMChunk() + once == once


without_calls = chunks_of_any_kind.map(lambda chunk: dataclasses.replace(chunk, tool_calls=[]))


@given(without_calls, without_calls, without_calls)
def test_how_pieces_are_grouped_does_not_matter(a: LLMChunk, b: LLMChunk, c: LLMChunk) -> None:
    assert (a + b) + c == a + (b + c)


def test_every_fact_of_a_piece_reaches_the_answer() -> None:
    last = LLMChunk("ur", " so", {"signature": "b"}, [Fragment(0, arguments=": 1}")], Usage(None, 3), "tool_calls")

    answer = (FULL + last).to_response()

    assert answer == LLMResponse(
        "four",
        "openai",
        "some-model-1",
        Usage(5, 3, 8),
        {"response_id": "r_1", "finish_reason": None},
        [ADD],
        [],
        "tool_calls",
        Reasoning("hm so", "openai", {"signature": "b"}),
        "req_1",
        0.5,
        0.25,
    )


def test_what_is_told_later_counts_more() -> None:
    later = LLMChunk(finish_reason="stop", provider="groq", model="m2", request_id="req_2", latency=0.0, cost=0.0)

    merged = FULL + later

    assert (merged.finish_reason, merged.provider, merged.model, merged.request_id) == ("stop", "groq", "m2", "req_2")
    assert (merged.latency, merged.cost) == (0.0, 0.0)


def test_a_stream_that_says_nothing_is_an_empty_answer() -> None:
    answer = merge_chunks([]).to_response()

    assert (answer.content, answer.usage, answer.reasoning, answer.tool_calls) == ("", None, None, [])
    assert answer.finish_reason == "unknown"


def test_a_stream_of_many_pieces_is_all_of_them() -> None:
    merged = merge_chunks(LLMChunk(str(number % 10), metadata={"last": number}) for number in range(5000))

    assert merged.text == "0123456789" * 500
    assert merged.metadata == {"last": 4999}


def test_a_piece_may_have_the_raw_usage_of_its_provider() -> None:
    raw: Any = {"input_tokens": 5, "output_tokens": 1}

    assert LLMChunk(usage=raw).usage == Usage(5, 1, raw=raw)


@dataclass
class Cited(LLMChunk):
    """A provider's own kind of piece."""

    source: str = ""


def test_an_authors_own_kind_of_piece_adds_up_with_others() -> None:
    assert (Cited("fo", source="a book") + LLMChunk("ur")).to_response().content == "four"


@pytest.mark.parametrize(
    "answer",
    [
        LLMResponse("four", "openai", "some-model-1", Usage(1, 2), {"finish_reason": "end_turn", "response_id": "r"}),
        LLMResponse(
            "", "openai", tool_calls=[ADD, SUB], server_tool_calls=[ToolCall("search")], finish_reason="tool_calls"
        ),
        LLMResponse(
            "so", "openai", reasoning=Reasoning("because", "openai", {"signature": "s"}), latency=0.0, cost=0.0
        ),
        LLMResponse("", "openai", tool_calls=[ToolCall("add", {}, "call_1", "not json", {"a": 1})], request_id="req_1"),
    ],
)
def test_a_whole_answer_as_one_piece_is_the_same_answer_again(answer: LLMResponse) -> None:
    assert as_chunk(answer).to_response() == answer
    assert merge_chunks([LLMChunk(), as_chunk(answer)]).to_response() == answer
