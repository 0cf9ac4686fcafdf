"""One question, by every way there is to a real model: inside the process, and over HTTP in two dialects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from homeostasis_llm_llama_cpp import serve
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from homeostasis_llm import (
    AuthenticationError,
    ChatHomeostasis,
    ContextLengthError,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    astream_chunks,
    stream_chunks,
)
from homeostasis_llm.response import merge_chunks

KEY = "sk-local-0123456789"
QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The base URL of a llama.cpp server that wants `KEY`."""
    with serve(api_key=KEY) as url:
        yield url


def _request(**fields: Any) -> LLMRequest:
    return LLMRequest(
        messages=[LLMMessage(role="user", content=QUESTION)], temperature=0, max_tokens=20, seed=0, **fields
    )


def _complete(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    return provider.complete(request)


def _stream(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    return merge_chunks(stream_chunks(provider, request)).to_response()


def _acomplete(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    return asyncio.run(provider.acomplete(request))


def _astream(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    async def collect() -> LLMResponse:
        return merge_chunks([chunk async for chunk in astream_chunks(provider, request)]).to_response()

    return asyncio.run(collect())


every_way = pytest.mark.parametrize("ask", [_complete, _stream, _acomplete, _astream])


@every_way
def test_the_embedded_model_answers(ask: Callable[[LLMProviderInterface, LLMRequest], LLMResponse]) -> None:
    answer = ask(ProviderFactory.create_provider("llama_cpp", ""), _request())

    _is_the_answer(answer, "llama_cpp")


@every_way
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_the_same_model_answers_over_http(
    dialect: str, ask: Callable[[LLMProviderInterface, LLMRequest], LLMResponse], server: str
) -> None:
    provider = ProviderFactory.create_provider(dialect, KEY, base_url=server)
    request = _request(model="smollm2-135m-instruct")
    request.seed = None if dialect == "anthropic" else 0  # a field that Anthropic's dialect lacks

    _is_the_answer(ask(provider, request), dialect)


def _is_the_answer(answer: LLMResponse, provider: str) -> None:
    assert "Paris" in answer.content
    assert answer.provider == provider
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.input_tokens is not None
    assert answer.usage.input_tokens > len(QUESTION.split())
    assert answer.usage.output_tokens is not None
    assert 0 < answer.usage.output_tokens <= 20


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_the_chat_model_answers_over_http(dialect: str, server: str) -> None:
    options: dict[str, Any] = {"temperature": 0, "max_tokens": 20, "api_key": KEY, "base_url": server}
    model = ChatHomeostasis(provider=dialect, model="smollm2-135m-instruct", **options)

    answer = model.invoke(QUESTION)

    assert "Paris" in answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] > 0


def test_a_chain_over_the_embedded_model_answers() -> None:
    model = ChatHomeostasis(provider="llama_cpp", temperature=0, max_tokens=20)
    chain = ChatPromptTemplate.from_template("What is the capital of {country}?") | model | StrOutputParser()

    assert "Paris" in chain.invoke({"country": "France"})
    assert "Paris" in asyncio.run(chain.ainvoke({"country": "France"}))
    assert "Paris" in "".join(chain.stream({"country": "France"}))


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_wrong_key_is_refused(dialect: str, server: str) -> None:
    provider = ProviderFactory.create_provider(dialect, "sk-wrong-0123456789", base_url=server)

    with pytest.raises(AuthenticationError) as caught:
        provider.complete(_request(model="m") if dialect == "openai" else LLMRequest(_request().messages, model="m"))

    assert caught.value.status_code == 401


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_prompt_of_two_megabytes_does_not_fit(dialect: str, server: str) -> None:
    provider = ProviderFactory.create_provider(dialect, KEY, base_url=server)
    prompt = LLMMessage(role="user", content="Once upon a time. " * 120_000)

    with pytest.raises(ContextLengthError) as caught:
        provider.complete(LLMRequest(messages=[prompt], model="m", max_tokens=5))

    assert caught.value.prompt_tokens is not None
    assert caught.value.context_tokens is not None
    assert caught.value.prompt_tokens > caught.value.context_tokens > 0
