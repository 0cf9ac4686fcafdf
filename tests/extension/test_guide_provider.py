"""A provider written by the former extension guide works in every door, unchanged."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from homeostasis_llm import (
    APIKeyManager,
    ChatHomeostasis,
    KeyValidationError,
    LLMError,
    LLMManager,
    LLMMessage,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    RetryConfig,
)
from homeostasis_llm.cli import homeostasis
from tests.loopback import Loopback

from .guide_provider import MyLLMProvider, MyLLMRequest

KEY = "ml-made-up-0123456789"

ANSWER = {
    "id": "answer-1",
    "model": "myllm-base",
    "choices": [{"message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}
STREAM = [
    *(f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n" for text in ("Pa", "ris", ".")),
    "data: [DONE]\n\n",
]
MODELS = {"data": [{"id": "myllm-base"}, {"id": "myllm-large"}]}


@pytest.fixture(autouse=True)
def wire(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """The provider is registered, and asks a server that answers as told."""
    monkeypatch.setenv("HOMEOSTASIS_MYLLM_BASE_URL", loopback.url)
    ProviderFactory.register("myllm", MyLLMProvider)
    yield loopback
    ProviderFactory.unregister("myllm")


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key is in the environment."""
    monkeypatch.setenv("HOMEOSTASIS_MYLLM_API_KEY", KEY)


def question(text: str = "What is the capital of France?") -> LLMRequest:
    return LLMRequest(messages=[LLMMessage(role="user", content=text)])


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(homeostasis, ["llm", *arguments], input=stdin, catch_exceptions=False)


# ----------------------------------------------------------------------------------------------------------- the class


def test_it_is_made_by_name_with_a_key_and_a_base_url(wire: Loopback) -> None:
    wire.reply(json=ANSWER)

    provider = ProviderFactory.create_provider("myllm", KEY, base_url=wire.url)
    response = provider.complete(question())

    assert (response.content, response.provider, response.finish_reason) == ("Paris.", "myllm", "stop")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (9, 2)
    assert wire.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_it_is_listed_and_its_name_is_taken() -> None:
    assert "myllm" in ProviderFactory.get_supported_providers()
    assert "myllm" in APIKeyManager.SUPPORTED_PROVIDERS
    with pytest.raises(LLMError, match=r"the name is taken by .*MyLLMProvider"):
        ProviderFactory.register("myllm", MyLLMProvider)


def test_the_models_of_others_are_mapped_to_its_own(wire: Loopback) -> None:
    wire.always(json=ANSWER)
    provider = MyLLMProvider(KEY, base_url=wire.url)

    for model in ("gpt-4", "myllm-small", None):
        provider.complete(LLMRequest(messages=question().messages, model=model))

    assert [sent.json["model"] for sent in wire.requests] == ["myllm-large", "myllm-small", "myllm-base"]


@pytest.mark.usefixtures("key")
def test_a_request_of_its_own_reaches_it_through_the_manager_with_all_its_fields(wire: Loopback) -> None:
    wire.reply(json=ANSWER)

    LLMManager(APIKeyManager()).complete(
        MyLLMRequest(messages=question().messages, temperature=0.0, top_k=3, safe_mode=False), "myllm"
    )

    sent = wire.requests[0].json
    assert (sent["top_k"], sent["safe_mode"], sent["temperature"]) == (3, False, 0.0)


def test_its_rate_limit_sleeps_and_stops_nobody_else(wire: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.always(json=ANSWER)
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    provider = MyLLMProvider(KEY, base_url=wire.url)
    provider.min_request_interval = 3600.0

    for _ in range(2):
        provider.complete(question())

    assert len(slept) == 1
    assert 3000 < slept[0] <= 3600


def test_async_callers_get_it_without_a_line_of_its_own(wire: Loopback) -> None:
    wire.reply(json=ANSWER)
    wire.reply(chunks=STREAM)
    provider = MyLLMProvider(KEY, base_url=wire.url)

    async def both() -> tuple[LLMResponse, list[object]]:
        return await provider.acomplete(question()), [piece async for piece in provider.acomplete_stream(question())]

    response, pieces = asyncio.run(both())

    assert response.content == "Paris."
    assert pieces == ["Pa", "ris", "."]


def test_the_guides_own_unit_tests_patch_what_it_calls() -> None:
    with patch("requests.Session.post") as post, patch("requests.get") as get:
        post.return_value.json.return_value = ANSWER
        get.return_value.status_code = 200
        provider = MyLLMProvider("test-key")

        assert provider.complete(question()).content == "Paris."
        assert provider.validate_key("test-key")


# --------------------------------------------------------------------------------------------------------- the manager


def test_the_guides_integration_test_passes(wire: Loopback) -> None:
    wire.always(json=MODELS)
    keys = APIKeyManager()

    assert keys.set_key("myllm", KEY, validate=True)

    assert keys.get_key("myllm") == KEY
    assert "myllm" in LLMManager(keys).get_available_providers()
    assert [(sent.method, sent.path) for sent in wire.requests] == [("GET", "/models")]


def test_a_key_that_its_own_check_refuses_is_not_stored(wire: Loopback) -> None:
    wire.always(status=401, json={"error": "no"})
    keys = APIKeyManager()

    with pytest.raises(KeyValidationError):
        keys.set_key("myllm", KEY)

    assert keys.get_key("myllm") is None


@pytest.mark.usefixtures("key")
def test_the_manager_asks_it_and_streams_from_it(wire: Loopback) -> None:
    wire.reply(json=ANSWER)
    wire.reply(chunks=STREAM)
    manager = LLMManager(APIKeyManager())

    assert manager.complete(question()).content == "Paris."
    assert "".join(chunk.text for chunk in manager.complete_stream(question())) == "Paris."


@pytest.mark.usefixtures("key")
def test_the_manager_goes_on_from_it_when_it_fails(wire: Loopback) -> None:
    wire.always(status=503, json={"error": "busy"})
    manager = LLMManager(providers=["myllm", "llama_cpp"], retry_config=RetryConfig(max_retries=0))

    response = manager.complete(LLMRequest(messages=question().messages, max_tokens=8, temperature=0))

    assert [(one.provider, one.outcome) for one in response.attempts or ()] == [
        ("myllm", "failed"),
        ("llama_cpp", "answered"),
    ]
    assert len(wire.requests) == 1


# -------------------------------------------------------------------------------------------------------- the terminal


def test_the_terminal_stores_and_checks_its_key_and_asks_it(wire: Loopback) -> None:
    wire.reply(json=MODELS)
    assert run("set-key", "myllm", stdin=f"{KEY}\n").exit_code == 0
    wire.reply(json=MODELS)
    checked = run("validate-key", "myllm")
    wire.reply(json=MODELS)
    tested = run("test-providers", "--providers", "myllm")
    wire.reply(chunks=STREAM)
    streamed = run("ask", "What is the capital of France?", "--provider", "myllm")
    wire.reply(json=ANSWER)
    whole = run("ask", "What is the capital of France?", "--provider", "myllm", "--no-stream")
    wire.reply(json=MODELS)
    listed = run("models", "myllm")

    assert (checked.exit_code, tested.exit_code) == (0, 0)
    assert checked.stdout.startswith("myllm: verified")
    assert streamed.stdout == whole.stdout == "Paris.\n"
    assert listed.stdout == "myllm-base\nmyllm-large\n"
    assert KEY not in checked.output + tested.output + streamed.output


@pytest.mark.usefixtures("key")
def test_the_terminal_lists_it_with_its_key() -> None:
    (told,) = [one for one in json.loads(run("providers", "--json").stdout) if one["name"] == "myllm"]

    assert (told["source"], told["has_key"], told["problem"]) == ("registered", True, None)


@pytest.mark.usefixtures("key")
def test_it_can_be_put_into_the_fallback_order(wire: Loopback) -> None:
    assert run("set-fallback-order", "myllm", "openai").exit_code == 0
    wire.reply(json=ANSWER)

    assert LLMManager(APIKeyManager()).complete(question()).provider == "myllm"


# ------------------------------------------------------------------------------------------------------------ LangChain


@pytest.mark.usefixtures("key")
def test_it_is_a_chat_model_in_a_chain_and_streams_there(wire: Loopback) -> None:
    chain = ChatPromptTemplate.from_template("Name {what}.") | ChatHomeostasis(provider="myllm") | StrOutputParser()
    wire.reply(json=ANSWER)
    wire.reply(chunks=STREAM)

    assert chain.invoke({"what": "a city"}) == "Paris."
    assert list(filter(None, chain.stream({"what": "a city"}))) == ["Pa", "ris", "."]
    assert wire.requests[0].json["messages"] == [{"role": "user", "content": "Name a city."}]


# ----------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.usefixtures("key")
def test_its_own_refusal_of_a_long_text_reaches_the_caller_as_it_said_it(wire: Loopback) -> None:
    with pytest.raises(LLMError, match="Request exceeds the context length"):
        LLMManager(providers=["myllm"], retry_config=RetryConfig(max_retries=0)).complete(question("x" * 3000))

    assert wire.requests == []


def test_its_error_does_not_tell_a_key_that_is_in_the_address(wire: Loopback) -> None:
    wire.always(status=401, json={"error": f"wrong key {KEY}"})
    provider = MyLLMProvider(KEY, base_url=f"{wire.url}/{KEY}")

    with pytest.raises(LLMError, match="401") as caught:
        provider.complete(question())

    assert KEY not in str(caught.value)
    assert KEY not in repr(provider)
