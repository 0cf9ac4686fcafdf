"""What cannot be done is said, before anything is asked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider

from homeostasis_llm import (
    AudioPart,
    ContextLengthError,
    FilePart,
    ImagePart,
    InvalidRequestError,
    LLMMessage,
    LLMRequest,
    LLMTimeoutError,
    Timeout,
    UnsuitableRequestError,
)

from .asked import CAPITAL, CONTEXT_TOKENS, WEATHER, asked


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"seed": -1}, "LLMRequest.seed: must be between 0 and 4294967294, got -1"),
        ({"seed": 2**32}, "LLMRequest.seed: must be between 0 and 4294967294, got 4294967296"),
        ({"extra": {"top_q": 1}}, "LLMRequest.extra: llama.cpp knows no parameter 'top_q'; did you mean 'top_k'?"),
        ({"extra": {"n": 2}}, "LLMRequest.extra: 'n' is not for extra"),
        ({"extra": {"top_k": "many"}}, "llama.cpp: Field 'top_k':"),
        ({"extra": {"grammar": "root ::= x"}, "response_format": "json"}, "LLMRequest.extra: a grammar cannot be kept"),
        ({"extra": {"grammar": "root ::= x"}, "tools": [WEATHER]}, "LLMRequest.extra: a grammar cannot be kept"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_naming_the_field(
    provider: LlamaCppProvider, fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(problem)) as caught:
        provider.complete(asked("Hello", **fields))

    assert (caught.value.provider, caught.value.model) == ("llama_cpp", "smollm2-135m-instruct")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"reasoning_effort": "high"}, "LLMRequest.reasoning_effort: smollm2-135m-instruct cannot be told"),
        ({"tools": [{"type": "web_search"}]}, "LLMRequest.tools[0]: is no function"),
    ],
)
def test_what_another_provider_may_do_is_left_to_it(
    provider: LlamaCppProvider, fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UnsuitableRequestError, match=re.escape(problem)):
        provider.complete(asked("Hello", **fields))


@pytest.mark.parametrize(
    "part",
    [
        ImagePart(data=b"\x89PNG\r\n\x1a\n"),
        AudioPart(data=b"RIFF", media_type="audio/wav"),
        FilePart(data=b"%PDF", media_type="application/pdf"),
    ],
    ids=lambda part: part.type,
)
def test_only_text_can_be_read(provider: LlamaCppProvider, part: ImagePart | AudioPart | FilePart) -> None:
    request = LLMRequest(messages=[LLMMessage(role="user", content="Hello"), LLMMessage(role="user", content=[part])])

    with pytest.raises(UnsuitableRequestError, match=rf"messages\[1\]\.content: has '{part.type}', and only text"):
        provider.complete(request)


def test_to_think_not_at_all_is_what_this_model_does(provider: LlamaCppProvider) -> None:
    assert provider.complete(asked("Hello", reasoning_effort="none", max_tokens=1)).content


def test_what_does_not_fit_the_context_says_both_numbers(provider: LlamaCppProvider) -> None:
    with pytest.raises(ContextLengthError) as caught:
        provider.complete(asked("word " * 3000))

    assert caught.value.context_tokens == CONTEXT_TOKENS
    assert caught.value.prompt_tokens is not None
    assert caught.value.prompt_tokens > 3000
    assert f"context has {CONTEXT_TOKENS}" in caught.value.message


def test_two_megabytes_of_prompt_are_refused_for_the_context(provider: LlamaCppProvider) -> None:
    with pytest.raises(ContextLengthError):
        provider.complete(asked("Great stories are long. " * 90_000))


def test_an_answer_that_fills_the_context_ends_there() -> None:
    with LlamaCppProvider(context_tokens=256, parallel=1, threads=1) as small:
        response = small.complete(asked("word " * 220, max_tokens=500, extra={"ignore_eos": True}))

    assert response.finish_reason == "length"
    assert response.usage is not None
    assert response.usage.total_tokens is not None
    assert response.usage.total_tokens == 256


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (0.001, "no complete answer within 0.001 s (timeout.total)"),
        (Timeout(total=0.001), "no complete answer within 0.001 s (timeout.total)"),
        (Timeout(first_byte=0.001), "no further piece of the answer within 0.001 s (timeout.first_byte)"),
    ],
)
def test_patience_ends_when_the_request_says(provider: LlamaCppProvider, limit: Timeout | float, said: str) -> None:
    with pytest.raises(LLMTimeoutError) as caught:
        provider.complete(asked("Tell me a story.", timeout=limit))

    assert (caught.value.message, caught.value.provider) == (said, "llama_cpp")


async def test_patience_ends_for_async_callers_too(provider: LlamaCppProvider) -> None:
    with pytest.raises(LLMTimeoutError, match=r"timeout\.total"):
        await provider.acomplete(asked("Tell me a story.", timeout=0.001))


def test_what_had_been_said_when_patience_ended_is_on_the_error(provider: LlamaCppProvider) -> None:
    limit = Timeout(between_chunks=0.0001)

    with pytest.raises(LLMTimeoutError, match="between_chunks") as caught:
        provider.complete(asked("Tell me a story.", timeout=limit))

    assert caught.value.partial is not None
    assert caught.value.partial.content


def test_the_provider_has_a_patience_for_requests_that_say_none() -> None:
    hasty = LlamaCppProvider(context_tokens=CONTEXT_TOKENS, threads=1, timeout=0.001)

    with pytest.raises(LLMTimeoutError):
        hasty.complete(asked("Tell me a story."))
    assert hasty.complete(asked(CAPITAL, timeout=60)).content


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"base_url": "http://127.0.0.1"}, "LlamaCppProvider: has no option 'base_url'"),
        ({"context_tokens": 0}, "context_tokens: must be a whole number of at least 256, got 0"),
        ({"parallel": True}, "parallel: must be a whole number of at least 1, got True"),
        ({"threads": 1.5}, "threads: must be a whole number of at least 1, got 1.5"),
        ({"model": ""}, "model: is empty"),
        ({"timeout": -1}, "Timeout.total: input should be greater than 0, got -1"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(problem)):
        LlamaCppProvider("", **options)
