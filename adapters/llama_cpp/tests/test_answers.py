"""What an answer is like, whole and in pieces."""

from __future__ import annotations

import json

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider

from homeostasis_llm import LLMChunk, LLMMessage, LLMRequest, TextPart

from .asked import CAPITAL, asked


def test_the_packaged_model_knows_the_capital_of_france_without_any_option() -> None:
    with LlamaCppProvider() as provider:
        response = provider.complete(asked(CAPITAL))

    assert "Paris" in response.content
    assert (response.provider, response.model) == ("llama_cpp", "smollm2-135m-instruct")
    assert response.finish_reason == "stop"


def test_an_answer_tells_what_it_took(provider: LlamaCppProvider) -> None:
    response = provider.complete(asked(CAPITAL))

    assert response.usage is not None
    assert response.usage["prompt_tokens"] == response.usage.input_tokens
    assert response.usage.input_tokens is not None
    assert response.usage.output_tokens is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.usage.cached_tokens == 0
    assert response.latency is not None
    assert response.latency > 0
    assert response.cost == 0.0


def test_what_was_remembered_of_a_prompt_counts_as_cached(provider: LlamaCppProvider) -> None:
    request = asked("Remember this sentence, please.", max_tokens=2, extra={"cache_prompt": True})

    provider.complete(request)
    again = provider.complete(request)

    assert again.usage is not None
    assert again.usage.cached_tokens is not None
    assert again.usage.cached_tokens > 10


def test_each_answer_has_a_number_of_its_own(provider: LlamaCppProvider) -> None:
    one, other = (provider.complete(asked("Hello", max_tokens=1)) for _ in range(2))

    assert one.request_id
    assert one.metadata["response_id"] == one.request_id
    assert one.request_id != other.request_id


def test_the_pieces_of_a_stream_make_the_answer(provider: LlamaCppProvider) -> None:
    pieces = list(provider.complete_stream(asked(CAPITAL)))

    assert len([piece for piece in pieces if piece.text]) > 4
    whole = sum(pieces[1:], pieces[0])
    response = provider.complete(asked(CAPITAL))
    assert whole.text == response.content
    assert (whole.finish_reason, whole.model, whole.cost) == ("stop", response.model, 0.0)
    assert whole.usage is not None
    assert whole.usage.raw == (response.usage and response.usage.raw)


async def test_the_async_twins_say_the_same(provider: LlamaCppProvider) -> None:
    streamed = [piece async for piece in provider.acomplete_stream(asked(CAPITAL))]
    response = await provider.acomplete(asked(CAPITAL))

    assert len(streamed) > 4
    assert "".join(piece.text for piece in streamed) == response.content == provider.complete(asked(CAPITAL)).content


def test_no_character_is_ever_torn_between_two_pieces(provider: LlamaCppProvider) -> None:
    text = "你好, 🦊🎉 Ünïcödé 👩‍🚀!"

    pieces = _literally(provider, text)

    assert "".join(piece.text for piece in pieces) == text
    assert len([piece for piece in pieces if piece.text]) > 5
    assert not any("\N{REPLACEMENT CHARACTER}" in piece.text for piece in pieces)


def _literally(provider: LlamaCppProvider, text: str) -> list[LLMChunk]:
    """The stream of an answer that can be nothing but `text`."""
    grammar = f"%llguidance {{}}\nstart: {json.dumps(text, ensure_ascii=False)}"
    return list(provider.complete_stream(asked("Say it.", extra={"grammar": grammar}, max_tokens=100)))


def test_an_answer_ends_before_a_stop_word(provider: LlamaCppProvider) -> None:
    response = provider.complete(asked(CAPITAL, stop=[" Paris"]))

    assert response.content.rstrip() == "The capital of France is"
    assert response.finish_reason == "stop"


def test_an_answer_ends_at_max_tokens(provider: LlamaCppProvider) -> None:
    response = provider.complete(asked("Tell me a story.", max_tokens=5))

    assert response.finish_reason == "length"
    assert response.usage is not None
    assert response.usage.output_tokens == 5


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_gives_the_same_answer_again(provider: LlamaCppProvider, seed: int) -> None:
    request = asked("Invent a name for a ship.", temperature=1.5, seed=seed, max_tokens=12)

    assert provider.complete(request).content == provider.complete(request).content


def test_another_seed_gives_another_answer(provider: LlamaCppProvider) -> None:
    answers = {
        provider.complete(asked("Invent a name for a ship.", temperature=1.5, seed=seed, max_tokens=12)).content
        for seed in (0, 7, 8)
    }

    assert len(answers) > 1


def test_a_temperature_and_a_probability_of_zero_are_choices(provider: LlamaCppProvider) -> None:
    coldest = provider.complete(asked("Invent a name for a ship.", temperature=0.0, max_tokens=8)).content

    assert (
        provider.complete(asked("Invent a name for a ship.", temperature=3.0, top_p=0.0, max_tokens=8)).content
        == coldest
    )


def test_without_a_temperature_an_answer_is_the_same_again(provider: LlamaCppProvider) -> None:
    assert len({provider.complete(asked("Tell me a story.", max_tokens=12)).content for _ in range(3)}) == 1


def test_parameters_of_llama_cpp_reach_it(provider: LlamaCppProvider) -> None:
    hot = {"temperature": 5.0, "max_tokens": 8}

    assert (
        provider.complete(asked(CAPITAL, **hot, extra={"top_k": 1})).content
        == provider.complete(asked(CAPITAL, temperature=0, max_tokens=8)).content
    )


def test_a_system_prompt_is_obeyed_and_replaces_the_models_own(provider: LlamaCppProvider) -> None:
    plain, told = asked("Hello", max_tokens=1), asked("Hello", max_tokens=1, system_prompt="Hi")

    def read(request: LLMRequest) -> int:
        usage = provider.complete(request).usage
        assert usage is not None
        return usage.input_tokens or 0

    assert read(told) < read(plain)
    in_the_messages = LLMRequest(messages=[LLMMessage(role="system", content="Hi"), *plain.messages], max_tokens=1)
    assert read(in_the_messages) == read(told)


def test_parts_of_text_are_read_as_one(provider: LlamaCppProvider) -> None:
    parts = LLMMessage(role="user", content=[TextPart("What is the capital "), TextPart("of France?")])

    assert "Paris" in provider.complete(LLMRequest(messages=[parts])).content


def test_a_message_with_a_name_and_one_after_another_of_the_same_role_are_read(provider: LlamaCppProvider) -> None:
    messages = [
        LLMMessage(role="user", content="Hello", name="Ada"),
        LLMMessage(role="user", content="Are you there?"),
        LLMMessage(role="assistant", content="Yes."),
        LLMMessage(role="assistant", content="I am."),
        LLMMessage(role="user", content="How are you?"),
    ]

    assert provider.complete(LLMRequest(messages=messages, max_tokens=6)).content
