"""Tokens, whichever dialect the provider counts in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm import Usage

from . import wild

COUNTS = ("input_tokens", "output_tokens", "total_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


def counts(usage: Usage) -> tuple[int | None, ...]:
    return tuple(getattr(usage, name) for name in COUNTS)


DIALECTS: dict[str, tuple[dict[str, Any], tuple[int | None, ...]]] = {
    "OpenAI, chat": (
        {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0},
        },
        (20, 9, 29, 8, None, 5),
    ),
    "OpenAI, chat, without details": (
        {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29},
        (20, 9, 29, None, None, None),
    ),
    "OpenAI, chat, details null": (
        {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29, "prompt_tokens_details": None},
        (20, 9, 29, None, None, None),
    ),
    "OpenAI, responses": (
        {
            "input_tokens": 20,
            "input_tokens_details": {"cached_tokens": 8},
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 5},
            "total_tokens": 29,
        },
        (20, 9, 29, 8, None, 5),
    ),
    "Anthropic": ({"input_tokens": 20, "output_tokens": 9}, (20, 9, 29, None, None, None)),
    "Anthropic, with its cache": (
        {
            "input_tokens": 3,
            "cache_creation_input_tokens": 418,
            "cache_read_input_tokens": 1111,
            "cache_creation": {"ephemeral_5m_input_tokens": 418, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 33,
            "output_tokens_details": {"thinking_tokens": 15},
        },
        (1532, 33, 1565, 1111, 418, 15),
    ),
    "Anthropic, written to the cache only": (
        {"input_tokens": 3, "cache_creation_input_tokens": 418, "output_tokens": 33},
        (421, 33, 454, None, 418, None),
    ),
    "Anthropic, in a gateway's words": (
        {
            "prompt_tokens": 1532,
            "completion_tokens": 33,
            "total_tokens": 1565,
            "cache_read_input_tokens": 1111,
            "cache_creation_input_tokens": 418,
        },
        (1532, 33, 1565, 1111, 418, None),
    ),
    "Google": (
        {
            "promptTokenCount": 22,
            "cachedContentTokenCount": 10,
            "candidatesTokenCount": 16,
            "thoughtsTokenCount": 1107,
            "totalTokenCount": 1145,
        },
        (22, 1123, 1145, 10, None, 1107),
    ),
    "Google, thoughts and nothing said": (
        {"promptTokenCount": 5, "thoughtsTokenCount": 4, "totalTokenCount": 9},
        (5, 4, 9, None, None, 4),
    ),
    "Google, with what its own tools found": (
        {
            "promptTokenCount": 343,
            "toolUsePromptTokenCount": 877,
            "candidatesTokenCount": 82,
            "thoughtsTokenCount": 159,
            "totalTokenCount": 1461,
        },
        (1220, 241, 1461, None, None, 159),
    ),
    "Google, interactions": (
        {
            "total_input_tokens": 10,
            "total_cached_tokens": 0,
            "total_output_tokens": 33,
            "total_tool_use_tokens": 0,
            "total_thought_tokens": 311,
            "total_tokens": 354,
        },
        (10, 344, 354, 0, None, 311),
    ),
    "AWS, converse": ({"inputTokens": 433, "outputTokens": 16, "totalTokens": 449}, (433, 16, 449, None, None, None)),
    "AWS, converse, with its cache": (
        {
            "inputTokens": 13,
            "outputTokens": 5,
            "totalTokens": 1522,
            "cacheReadInputTokens": 1504,
            "cacheReadInputTokenCount": 1504,
            "cacheWriteInputTokens": 0,
            "cacheWriteInputTokenCount": 0,
        },
        (1517, 5, 1522, 1504, 0, None),
    ),
    "AWS, Nova": (
        {
            "inputTokens": 5,
            "outputTokens": 10,
            "totalTokens": 19,
            "cacheReadInputTokenCount": 3,
            "cacheWriteInputTokenCount": 1,
        },
        (9, 10, 19, 3, 1, None),
    ),
    "AWS, Llama": ({"prompt_token_count": 158, "generation_token_count": 128}, (158, 128, 286, None, None, None)),
    "Cohere, v1": (
        {
            "billed_units": {"input_tokens": 58.0, "output_tokens": 119.0},
            "tokens": {"input_tokens": 69.0, "output_tokens": 119.0},
        },
        (69, 119, 188, None, None, None),
    ),
    "Cohere, v1, billed units alone": (
        {"billed_units": {"input_tokens": 58, "output_tokens": 119}},
        (58, 119, 177, None, None, None),
    ),
    "Cohere, v2": (
        {
            "billed_units": {"input_tokens": 701, "output_tokens": 86},
            "tokens": {"input_tokens": 1199, "output_tokens": 88},
            "cached_tokens": 448,
        },
        (1199, 88, 1287, 448, None, None),
    ),
    "Ollama": (
        {"prompt_eval_count": 26, "eval_count": 298, "eval_duration": 4799921000},
        (26, 298, 324, None, None, None),
    ),
    "DeepSeek": (
        {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "prompt_cache_hit_tokens": 8,
            "prompt_cache_miss_tokens": 12,
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        (20, 9, 29, 8, None, 5),
    ),
    "Moonshot": (
        {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29, "cached_tokens": 8},
        (20, 9, 29, 8, None, None),
    ),
    "OpenRouter": (
        {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "cost": 0.00015,
            "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
        },
        (20, 9, 29, 8, 2, None),
    ),
    "xAI, thoughts beside the answer": (
        {
            "prompt_tokens": 12,
            "completion_tokens": 2,
            "total_tokens": 334,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 320},
        },
        (12, 322, 334, 2, None, 320),
    ),
    "Writer": (
        {
            "prompt_tokens": 40,
            "completion_tokens": 300,
            "total_tokens": 340,
            "prompt_token_details": {"cached_tokens": 4},
            "completion_token_details": {"reasoning_tokens": 5},
        },
        (40, 300, 340, 4, None, 5),
    ),
    "Aleph Alpha": ({"num_tokens_prompt_total": 9, "num_tokens_generated": 1000}, (9, 1000, 1009, None, None, None)),
    "IBM": ({"input_token_count": 9, "generated_token_count": 3}, (9, 3, 12, None, None, None)),
    "llama.cpp": (
        {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        (20, 9, 29, 0, None, None),
    ),
    "llama.cpp, completion": ({"tokens_evaluated": 20, "tokens_predicted": 9}, (20, 9, 29, None, None, None)),
    "input alone": ({"prompt_tokens": 20}, (20, None, None, None, None, None)),
    "output alone, in the midst of a stream": (
        {"output_tokens": 9, "cache_read_input_tokens": 4},
        (None, 9, None, 4, None, None),
    ),
    "zeroes": ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, (0, 0, 0, None, None, None)),
    "nothing": ({}, (None,) * 6),
    "nonsense": (
        {"prompt_tokens": "many", "completion_tokens": True, "total_tokens": None, "cached_tokens": [1]},
        (None,) * 6,
    ),
    "no numbers": ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, (None,) * 6),
}


@pytest.mark.parametrize(("raw", "expected"), DIALECTS.values(), ids=DIALECTS.keys())
def test_every_dialect_is_read(raw: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    usage = Usage.of(raw)

    assert counts(usage) == expected
    assert usage.raw == raw


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["input_tokens", "cached_tokens", "reasoning_tokens"]), inner)
    ),
    max_leaves=4,
)
known_words = sorted({key for raw, _ in DIALECTS.values() for key in raw})


@given(st.dictionaries(st.sampled_from(known_words) | st.text(max_size=3), json_values))
def test_whatever_a_provider_counts_is_read(raw: dict[str, Any]) -> None:
    usage = Usage.of(raw)

    assert all(count is None or type(count) is int for count in counts(usage))


# As a dict, which is how clients of the original read it.


@pytest.mark.parametrize("raw", [raw for raw, expected in DIALECTS.values() if None not in expected[:2]])
def test_both_common_dialects_can_be_asked(raw: dict[str, Any]) -> None:
    usage = Usage.of(raw)

    assert usage["prompt_tokens"] == usage["input_tokens"] == usage.input_tokens
    assert usage["completion_tokens"] == usage["output_tokens"] == usage.output_tokens
    assert usage["total_tokens"] == usage.get("total_tokens") == usage.total_tokens
    assert {"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"} <= set(usage)


def test_the_providers_own_words_can_be_asked_too() -> None:
    usage = Usage.of({"promptTokenCount": 5, "trafficType": "ON_DEMAND"})

    assert usage["promptTokenCount"] == 5
    assert usage.get("trafficType") == "ON_DEMAND"
    assert "trafficType" in usage
    assert "promptTokenCount" in usage.keys()  # noqa: SIM118  # `keys` is the test


def test_our_counts_go_before_the_providers_of_the_same_name() -> None:
    usage = Usage.of({"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 1})

    assert usage["input_tokens"] == 13
    assert usage["cache_read_input_tokens"] == 10
    assert usage.raw == {"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 1}


def test_what_was_not_told_is_none_and_not_zero() -> None:
    usage = Usage.of({"prompt_tokens": 5, "completion_tokens": 1})

    assert usage["cached_tokens"] is None
    assert usage.get("cached_tokens") is None
    assert usage.get("cached_tokens", 0) == 0
    assert "cached_tokens" not in usage
    assert "cache_read_input_tokens" not in usage


def test_zero_was_told() -> None:
    usage = Usage.of({"prompt_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}})

    assert usage.get("cached_tokens", 7) == 0
    assert usage.get("prompt_tokens", 7) == 0
    assert "cached_tokens" in usage
    assert "completion_tokens" not in usage


def test_a_word_nobody_knows_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        Usage(1, 2)["colour"]
    assert Usage(1, 2).get("colour") is None
    assert Usage(1, 2).get("colour", "blue") == "blue"
    assert "colour" not in Usage(1, 2)
    assert 5 not in Usage(1, 2)


def test_usage_becomes_a_dict() -> None:
    usage = Usage.of({"prompt_tokens": 5, "completion_tokens": 1, "cost": 0.5})

    made = dict(usage)

    assert made == {
        "input_tokens": 5,
        "output_tokens": 1,
        "total_tokens": 6,
        "prompt_tokens": 5,
        "completion_tokens": 1,
        "cost": 0.5,
    }
    assert json.loads(json.dumps(made)) == made
    assert list(usage) == list(made)


# Totals and sums.


def test_a_total_that_was_not_told_is_the_sum() -> None:
    assert Usage(5, 1).total_tokens == 6
    assert Usage(0, 0).total_tokens == 0
    assert Usage(5, None).total_tokens is None


def test_a_total_that_was_told_stays() -> None:
    assert Usage(66, 6, 100).total_tokens == 100


def test_two_calls_add_up() -> None:
    assert Usage(5, 1, 6, 2, 3, 1) + Usage(10, 2, 12, 4, 6, 2) == Usage(15, 3, 18, 6, 9, 3)


def test_what_only_one_call_told_is_kept_and_what_none_told_stays_unknown() -> None:
    total = Usage(5, 1, cached_tokens=2) + Usage(10, 2)

    assert total == Usage(15, 3, 18, 2)
    assert total.cache_write_tokens is None


def test_the_total_of_one_call_is_not_that_of_both() -> None:
    assert Usage(5, None) + Usage(10, 2, 12) == Usage(15, 2, 17)
    assert (Usage(5) + Usage(None, None, 12)).total_tokens is None


some_counts = st.none() | st.integers(0, 10_000)
some_usage = st.builds(Usage, some_counts, some_counts, some_counts, some_counts, some_counts, some_counts)


@given(some_usage)
def test_nothing_told_adds_nothing(usage: Usage) -> None:
    assert usage + Usage() == usage
    assert Usage() + usage == usage
    assert usage.updated(Usage()) == usage
    assert Usage().updated(usage) == usage


@given(some_usage, some_usage)
def test_the_order_of_calls_does_not_matter(one: Usage, other: Usage) -> None:
    assert one + other == other + one


@given(some_usage, some_usage, some_usage)
def test_how_a_streams_counts_are_grouped_does_not_matter(a: Usage, b: Usage, c: Usage) -> None:
    assert a.updated(b).updated(c) == a.updated(b.updated(c))


def test_a_stream_may_tell_input_first_and_output_last() -> None:
    start = Usage.of({"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 1})
    end = Usage.of({"output_tokens": 33})

    whole = start.updated(end)

    assert counts(whole) == (13, 33, 46, 10, None, None)
    assert whole.raw == {"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 33}


def test_the_last_count_of_a_stream_is_for_all_of_it() -> None:
    assert Usage(5, 1, 6).updated(Usage(5, 9, 14)) == Usage(5, 9, 14)
    assert Usage(5, 1, 100).updated(Usage(None, 0)) == Usage(5, 0, 5)


# What providers really send.


def raw_usage(answer: Any) -> Any:  # noqa: PLR0911  # a list of places
    """Where an answer has its counts."""
    if not isinstance(answer, dict):
        return raw_usage(answer[0]) if answer else None
    for key in ("usage", "usageMetadata"):
        if answer.get(key):
            return answer[key]
    if answer.get("meta"):  # Cohere, v1
        return answer["meta"]
    if isinstance(answer.get("results"), list) and "tokenCount" not in answer["results"][0]:  # IBM
        return answer["results"][0]
    if any(key in answer for key in ("eval_count", "prompt_token_count", "num_tokens_prompt_total")):
        return answer
    if "input_tokens" in answer or "inputTokens" in answer:  # Anthropic's and AWS's counting of a prompt
        return answer
    return None


# Whose counts stand in the headers alone, or nowhere.
UNCOUNTED = {
    "bedrock": {"invoke"},
    "gemini": {"other:count_tokens"},
    "vertex_ai": {"other:count_tokens"},
    "huggingface": {"other:tgi_generate"},
    "openai": {"other:count_tokens"},
}


def meant(record: wild.Record, raw: Any) -> dict[str, int]:
    """What the record's counts mean in our way of counting: the records keep to each provider's own."""
    told: dict[str, int] = dict(record["expected"].get("usage", {}))
    if record["api"] in {"messages", "converse", "invoke"}:
        told["input"] += told.get("cached", 0) + told.get("cache_write", 0)
    if record["api"] in {"generate_content", "other:interactions"} and "input" in told:
        told["input"] += raw.get("toolUsePromptTokenCount", 0) + raw.get("total_tool_use_tokens", 0)
    thoughts_apart = record["api"] in {"generate_content", "other:interactions"} or (
        record["provider"] == "xai" and record["api"] == "chat_completions"
    )
    if thoughts_apart and "reasoning" in told:
        told["output"] = told.get("output", 0) + told["reasoning"]
    return told


@wild.needs_the_wild
@pytest.mark.parametrize("provider", wild.providers())
def test_recorded_counts_are_read_as_they_were_meant(provider: str) -> None:
    wrong: dict[str, object] = {}
    for record in wild.of(provider):
        if record["status"] >= 300 or record["body_format"] != "json" or record["api"] == "models":
            continue
        raw = raw_usage(json.loads(wild.body(record)))
        if raw is None:
            if "usage" in record["expected"] and record["api"] not in UNCOUNTED.get(provider, ()):
                wrong[record["id"]] = "not found"
            continue
        usage, expected = Usage.of(raw), meant(record, raw)
        read = dict(zip(("input", "output", "total", "cached", "cache_write", "reasoning"), counts(usage), strict=True))
        if {name: read[name] for name in expected} != expected:
            wrong[record["id"]] = (read, expected)

    assert wrong == {}


@wild.needs_the_wild
def test_recorded_totals_are_the_sum_of_what_was_read_and_written() -> None:
    strange: dict[str, object] = {}
    for record in wild.records():
        if record["status"] < 300 and record["body_format"] == "json" and record["api"] != "models":
            raw = raw_usage(json.loads(wild.body(record)))
            usage = Usage() if raw is None else Usage.of(raw)
            if None not in counts(usage)[:3] and usage.total_tokens != sum(counts(usage)[:2]):  # type: ignore[arg-type]  # just asked
                strange[record["id"]] = raw

    # Google's own OpenAI-like door counts thoughts in the total and tells them nowhere.
    assert list(strange) == ["41ff2fb074af"]
