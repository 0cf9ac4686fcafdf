"""A row is all it takes: our provider asks at the address it is given, shows the key, and reads the answer."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from homeostasis_llm import LLMMessage, LLMRequest, ProviderFactory
from homeostasis_llm.catalog import ProviderFacts, all_facts
from tests.loopback import Loopback

KEY = "the-key-of-a-test"

ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "some-model",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}

OTHER_WORDS = {
    "anthropic": "its own language",
    "gemini": "its own language",
    "cohere": "its own language",
    "ollama": "its own language",
    "huggingface": "what litellm adds to an address that is not its own differs",
}
"""Rows with an address that do not speak as OpenAI does. tests/conformance asks them."""

LIKE_OPENAI = [
    facts
    for facts in all_facts().values()
    if facts.auth == "bearer" and facts.base_url is not None and facts.name not in OTHER_WORDS
]


@pytest.mark.parametrize("facts", LIKE_OPENAI, ids=lambda facts: facts.name)
def test_a_row_that_speaks_as_openai_does_is_asked_and_understood(facts: ProviderFacts, loopback: Loopback) -> None:
    loopback.always(json=ANSWER)
    path = urlsplit(str(facts.base_url)).path
    question = LLMRequest(messages=[LLMMessage(role="user", content="Hello?")], model=facts.default_model or "any")

    with ProviderFactory.create_provider(facts.name, KEY, base_url=f"{loopback.url}{path}") as provider:
        answer = provider.complete(question)

    [request] = loopback.requests
    assert answer.content == "Hello!"
    assert request.path == f"{path}/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == question.model


def test_lemonade_is_asked_for_the_answer_alone(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEMONADE_API_BASE", f"{loopback.url}/v1")  # where litellm would look for the model's data
    loopback.always(json=ANSWER)

    with ProviderFactory.create_provider("lemonade", "") as provider:
        provider.complete(LLMRequest(messages=[LLMMessage(role="user", content="Hello?")]))

    assert [request.method for request in loopback.requests] == ["POST"]
