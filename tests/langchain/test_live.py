"""A chain over the embedded model: a real answer, without key or network."""

from __future__ import annotations

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from homeostasis_llm import ChatHomeostasis, ContextLengthError, ModelNotFoundError

MODEL = ChatHomeostasis(provider="llama_cpp", temperature=0, max_tokens=16)
CHAIN = ChatPromptTemplate.from_template("What is the capital of {country}?") | MODEL | StrOutputParser()
QUESTION = {"country": "France"}


def test_a_chain_answers_and_streams_the_same() -> None:
    answer = CHAIN.invoke(QUESTION)

    assert "Paris" in answer
    assert "".join(CHAIN.stream(QUESTION)) == answer


async def test_a_chain_answers_async_callers_the_same() -> None:
    answer = CHAIN.invoke(QUESTION)

    assert await CHAIN.ainvoke(QUESTION) == answer
    assert "".join([piece async for piece in CHAIN.astream(QUESTION)]) == answer


def test_usage_is_counted_in_answers_and_in_streams_alike() -> None:
    whole = MODEL.invoke("Hello").usage_metadata
    first, *rest = MODEL.stream("Hello")
    streamed = (first + rest).usage_metadata

    assert whole is not None
    assert streamed is not None
    for count in ("input_tokens", "output_tokens", "total_tokens"):
        assert whole[count] == streamed[count] > 0


def test_a_prompt_that_does_not_fit_says_so_with_both_numbers() -> None:
    with pytest.raises(ContextLengthError) as caught:
        MODEL.invoke("word " * 20_000)

    assert (caught.value.prompt_tokens or 0) > (caught.value.context_tokens or 0) > 0


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelNotFoundError, match="no-such-model"):
        MODEL.invoke("Hello", model="no-such-model")
