"""What was measured on the alternatives, each as a test of ours: one name of a fault, one test that it is not here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langchain_core.language_models import BaseChatModel

from homeostasis_llm import (
    AllProvidersFailedError,
    AuthenticationError,
    ChatHomeostasis,
    LLMError,
    LLMManager,
    LLMProviderInterface,
    ModelNotFoundError,
    ProviderFactory,
    RateLimitError,
    RetryConfig,
)
from homeostasis_llm.response import merge_chunks
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import answer, error, reset
from tests.manager.scripted import HELLO, Time

KEY = "sk-test-not-a-real-key-0123456789"
GOOD = answer(chunks=["One", " two", " three."])


@pytest.fixture
def first() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def second() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.always(GOOD)
        yield server


def two(first: FaultServer, second: FaultServer) -> list[LLMProviderInterface]:
    return [
        ProviderFactory.create_provider("openai", KEY, base_url=first.url),
        ProviderFactory.create_provider("anthropic", KEY, base_url=second.url),
    ]


def test_failing_over_does_not_end_where_tokens_have_flowed(first: FaultServer, second: FaultServer) -> None:
    first.always(reset(after_chunks=1, of=GOOD))
    second.always(answer(chunks=[" two", " three."]))

    chunks = list(LLMManager(providers=two(first, second)).complete_stream(HELLO, on_break="continue"))

    assert merge_chunks(chunks).text == "One two three."
    assert (first.count, second.count) == (1, 1)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_retries_do_not_multiply(first: FaultServer, retries: int) -> None:
    """Where two layers retry twice each, a 429 costs six requests and half a minute."""
    first.always(error(429))
    time = Time()
    manager = LLMManager(
        providers=[ProviderFactory.create_provider("openai", KEY, base_url=first.url)],
        retry_config=RetryConfig(max_retries=retries),
        sleep=time.sleep,
    )

    with pytest.raises(RateLimitError):
        manager.complete(HELLO)

    assert first.count == 1 + retries
    assert len(time.waits) == retries
    assert sum(time.waits) <= 1.5


def test_retries_of_the_chat_model_do_not_multiply_either(first: FaultServer) -> None:
    first.always(error(500))
    manager = LLMManager(
        providers=[ProviderFactory.create_provider("openai", KEY, base_url=first.url)],
        retry_config=RetryConfig(max_retries=2, base_delay=0),
    )

    with pytest.raises(LLMError):
        ChatHomeostasis(manager=manager).invoke("Hello?")

    assert first.count == 3


def test_a_dead_primary_with_one_fallback_is_left_alone(first: FaultServer, second: FaultServer) -> None:
    first.always(error(503))
    manager = LLMManager(providers=two(first, second), retry_config=RetryConfig(max_retries=0))

    for _ in range(30):
        manager.complete(HELLO)

    assert second.count == 30
    assert first.count <= 8  # five until the breaker opens; probes, should this take so long


def test_an_error_is_classified_by_what_it_is_and_not_by_its_words(first: FaultServer, second: FaultServer) -> None:
    first.always(
        error(404, {"error": {"message": "connection to model gpt-500 timeout: invalid network ssl 401 rate limit"}})
    )

    response = LLMManager(providers=two(first, second)).complete(HELLO)

    assert (first.count, second.count) == (1, 1)
    assert response.attempts[0].error == ModelNotFoundError.default_type


def test_a_bad_key_is_told_as_a_bad_key(first: FaultServer) -> None:
    first.always(error(401))
    manager = LLMManager(providers=[ProviderFactory.create_provider("openai", KEY, base_url=first.url)])

    for _ in range(3):
        with pytest.raises(AuthenticationError) as caught:
            manager.complete(HELLO)
        assert caught.value.status_code == 401
        assert caught.value.provider == "openai"

    assert first.count == 1


def test_two_bad_keys_are_told_as_bad_keys(first: FaultServer, second: FaultServer) -> None:
    first.always(error(401))
    second.always(error(401))

    with pytest.raises(AllProvidersFailedError) as caught:
        LLMManager(providers=two(first, second)).complete(HELLO)

    assert {type(each) for each in caught.value.errors.values()} == {AuthenticationError}
    assert "authentication 401" in str(caught.value)


def test_a_chat_model_with_fallbacks_is_still_a_chat_model(first: FaultServer, second: FaultServer) -> None:
    first.always(error(401))

    model = ChatHomeostasis(manager=LLMManager(providers=two(first, second)))

    assert isinstance(model, BaseChatModel)
    assert callable(
        model.bind_tools(
            [{"name": "look", "description": "", "parameters": {"type": "object", "properties": {}}}]
        ).invoke
    )
    message = model.invoke("Hello?")
    assert message.text == "One two three."
    assert message.response_metadata["provider"] == "anthropic"
