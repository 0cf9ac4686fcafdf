"""Whole answers, from a real server through litellm to our values."""

from __future__ import annotations

import pytest

from homeostasis_llm import LLMMessage, LLMProviderInterface, LLMRequest, ToolCall
from homeostasis_llm.catalog import all_facts
from homeostasis_llm.litellm_bridge.pricing import list_price
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.litellm_bridge.runtime import load_litellm

from ..loopback import Loopback
from .wires import KEY, anthropic_answer, ask, openai_answer, tool_call


@pytest.fixture
def openai(loopback: Loopback) -> LLMProviderInterface:
    return LiteLLMProvider("openai", KEY, base_url=loopback.url)


@pytest.fixture
def anthropic(loopback: Loopback) -> LLMProviderInterface:
    return LiteLLMProvider("anthropic", KEY, base_url=loopback.url)


def test_an_answer_tells_who_answered_what_and_at_which_cost(openai: LLMProviderInterface, loopback: Loopback) -> None:
    usage = {
        "prompt_tokens": 30,
        "completion_tokens": 12,
        "total_tokens": 42,
        "prompt_tokens_details": {"cached_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    loopback.reply(json=openai_answer("Grüße 🌍", usage=usage), headers={"x-request-id": "req_7"})

    answer = openai.complete(ask())

    assert answer.content == "Grüße 🌍"
    assert (answer.provider, answer.model) == ("openai", "some-model-2026-01-01")
    assert (answer.finish_reason, answer.metadata["finish_reason"]) == ("stop", "stop")
    assert (answer.metadata["response_id"], answer.request_id) == ("chatcmpl-1", "req_7")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (30, 12, 42)
    assert (answer.usage.cached_tokens, answer.usage.reasoning_tokens) == (20, 5)
    assert answer.latency is not None
    assert answer.latency > 0


def test_usage_that_nobody_told_is_unknown_and_not_guessed(openai: LLMProviderInterface, loopback: Loopback) -> None:
    untold = openai_answer()
    del untold["usage"]
    loopback.reply(json=untold)

    assert openai.complete(ask()).usage is None


def test_the_price_is_unknown_at_a_base_url_of_ones_own(openai: LLMProviderInterface, loopback: Loopback) -> None:
    loopback.reply(json=openai_answer())

    assert openai.complete(ask(model="gpt-4o")).cost is None


def test_the_price_is_that_of_litellms_list() -> None:
    million = load_litellm().Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)

    # Source: litellm 1.106.2's price list, gpt-4o: 2.50 and 10.00 US dollars for a million tokens.
    assert list_price("gpt-4o", "openai", million) == pytest.approx(12.5)
    assert list_price("a-model-nobody-lists", "openai", million) is None
    assert list_price("gpt-4o", "openai", None) is None


def test_what_a_default_model_costs_can_be_looked_up_by_whichever_route_it_is_asked() -> None:
    counted = {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000, "total_tokens": 2_000_000}
    prices = {
        facts.name: list_price(facts.default_model, facts.litellm_name, counted)
        for facts in all_facts().values()
        if facts.default_model
    }

    assert prices["ai21"] == pytest.approx(0.6)
    assert all(price is None or price >= 0 for price in prices.values())


def test_an_answer_that_only_calls_tools_has_empty_text(openai: LLMProviderInterface, loopback: Loopback) -> None:
    calls = [tool_call("add", '{"a": 1}'), tool_call("now", "", "call_2"), tool_call("bad", '{"a": ', "call_3")]
    loopback.reply(json=openai_answer(None, "tool_calls", tool_calls=calls))

    answer = openai.complete(ask())

    assert answer.content == ""
    assert answer.finish_reason == "tool_calls"
    assert answer.tool_calls == [
        ToolCall(name="add", arguments={"a": 1}, id="call_1"),
        ToolCall(name="now", arguments={}, id="call_2"),
        ToolCall(name="bad", arguments={}, id="call_3", invalid_arguments='{"a": '),
    ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [("length", "length"), ("content_filter", "content_filter"), ("tool_calls", "tool_calls"), ("stop", "stop")],
)
def test_the_finish_reason_is_told_in_our_word_and_in_theirs(
    word: str, reason: str, openai: LLMProviderInterface, loopback: Loopback
) -> None:
    loopback.reply(json=openai_answer(finish=word))

    answer = openai.complete(ask())

    assert (answer.finish_reason, answer.metadata["finish_reason"]) == (reason, word)


def test_reasoning_is_found_under_either_of_its_names(openai: LLMProviderInterface, loopback: Loopback) -> None:
    loopback.reply(json=openai_answer(reasoning_content="Let me see."))
    loopback.reply(json=openai_answer(reasoning="Let me see."))

    for answer in (openai.complete(ask()), openai.complete(ask())):
        assert answer.reasoning is not None
        assert (answer.reasoning.text, answer.reasoning.provider) == ("Let me see.", "openai")


def test_cached_tokens_are_part_of_the_input_also_where_the_provider_counts_them_apart(
    anthropic: LLMProviderInterface, loopback: Loopback
) -> None:
    loopback.reply(json=anthropic_answer())

    usage = anthropic.complete(ask()).usage

    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (15, 4, 19)
    assert (usage.cached_tokens, usage.cache_write_tokens) == (10, 2)


def test_the_providers_own_word_survives_litellms_translation(
    anthropic: LLMProviderInterface, loopback: Loopback
) -> None:
    loopback.reply(json=anthropic_answer(stop="max_tokens"))

    answer = anthropic.complete(ask())

    assert (answer.finish_reason, answer.metadata["finish_reason"]) == ("length", "max_tokens")
    assert (answer.model, answer.metadata["response_id"]) == ("claude-some-1", "msg_1")


def test_what_the_providers_server_called_is_not_ours_to_call(
    anthropic: LLMProviderInterface, loopback: Loopback
) -> None:
    ran = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}}
    wanted = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}}
    loopback.reply(json=anthropic_answer(ran, wanted, stop="tool_use"))

    answer = anthropic.complete(ask())

    assert [call.name for call in answer.tool_calls] == ["add"]
    assert [(call.name, call.arguments) for call in answer.server_tool_calls] == [("web_search", {"query": "weather"})]


def test_thoughts_go_back_signed_to_whom_they_came_from_and_to_nobody_else(
    anthropic: LLMProviderInterface, openai: LLMProviderInterface, loopback: Loopback
) -> None:
    thought = {"type": "thinking", "thinking": "Let me see.", "signature": "c2lnbmVk"}
    loopback.reply(json=anthropic_answer(thought, {"type": "text", "text": "Four."}))
    first = anthropic.complete(ask("2+2?"))
    turns = [LLMMessage(role="user", content="2+2?"), first.to_message(), LLMMessage(role="user", content="Sure?")]
    loopback.reply(json=anthropic_answer())
    loopback.reply(json=openai_answer())

    anthropic.complete(LLMRequest(messages=turns, reasoning_effort="low", max_tokens=4000))
    openai.complete(LLMRequest(messages=turns, model="m"))

    to_anthropic, to_openai = (request.json["messages"][1] for request in loopback.requests[1:])
    assert thought in to_anthropic["content"]
    assert to_openai == {"role": "assistant", "content": "Four."}


async def test_async_answers_are_the_same(openai: LLMProviderInterface, loopback: Loopback) -> None:
    loopback.always(json=openai_answer())

    sync, not_sync = openai.complete(ask()), await openai.acomplete(ask())

    sync.latency = not_sync.latency = None
    assert sync == not_sync
    assert loopback.requests[0].json == loopback.requests[1].json
