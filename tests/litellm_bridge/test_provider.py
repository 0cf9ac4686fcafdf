"""What a provider over litellm does beside answering."""

from __future__ import annotations

import asyncio
import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from homeostasis_llm import AuthenticationError, LLMConnectionError, LLMError, ServerError
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider

from ..loopback import Loopback
from .wires import KEY, ask, openai_answer

MODELS = {"object": "list", "data": [{"id": "b"}, {"id": "a"}]}
NO = {"error": {"message": "No.", "code": "invalid_api_key"}}


def test_models_are_listed_by_the_provider_itself(loopback: Loopback) -> None:
    loopback.reply(json=MODELS)

    assert LiteLLMProvider("openai", KEY, base_url=f"{loopback.url}/v1").get_available_models() == ["a", "b"]

    request = loopback.requests[0]
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_listing_that_is_refused_is_an_error(loopback: Loopback) -> None:
    loopback.reply(status=401, json=NO)

    with pytest.raises(AuthenticationError):
        LiteLLMProvider("openai", KEY, base_url=loopback.url).get_available_models()


def test_a_provider_without_a_listing_has_litellms(loopback: Loopback) -> None:
    models = LiteLLMProvider("ai21", KEY, base_url=loopback.url).get_available_models()

    assert "jamba-mini-1.7" in models
    assert loopback.requests == []


@pytest.mark.parametrize(("status", "good"), [(200, True), (401, False), (403, True)])
def test_a_key_is_checked_by_the_listing_and_costs_nothing(status: int, good: bool, loopback: Loopback) -> None:
    loopback.reply(status=status, json=MODELS if status == 200 else {"error": {"message": "No."}})

    assert LiteLLMProvider("openai", "", base_url=loopback.url).validate_key(KEY) is good

    assert [(request.method, request.headers["authorization"]) for request in loopback.requests] == [
        ("GET", f"Bearer {KEY}")
    ]


@pytest.mark.parametrize(("status", "good"), [(200, True), (401, False)])
def test_where_the_listing_is_public_a_key_is_checked_by_one_token(status: int, good: bool, loopback: Loopback) -> None:
    loopback.reply(status=status, json=openai_answer() if status == 200 else NO)

    assert LiteLLMProvider("openrouter", "", base_url=loopback.url).validate_key(KEY) is good

    assert [(request.method, request.json["max_tokens"]) for request in loopback.requests] == [("POST", 1)]


def test_a_key_check_that_nobody_answers_is_no_verdict(loopback: Loopback) -> None:
    loopback.reply(drop=True)
    loopback.reply(status=503, json={})
    provider = LiteLLMProvider("openai", "", base_url=loopback.url)

    with pytest.raises(LLMConnectionError):
        provider.validate_key(KEY)
    with pytest.raises(ServerError):
        provider.validate_key(KEY)


def test_a_copy_works_and_has_the_key(loopback: Loopback) -> None:
    loopback.always(json=openai_answer())
    provider = LiteLLMProvider("openai", KEY, base_url=loopback.url)
    provider.complete(ask())

    for twin in (copy.copy(provider), copy.deepcopy(provider)):
        twin.complete(ask())

    assert [request.headers["authorization"] for request in loopback.requests] == [f"Bearer {KEY}"] * 3


def test_a_pickle_has_no_key_and_finds_it_again(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback.always(json=openai_answer())
    provider = LiteLLMProvider("openai", KEY, base_url=loopback.url)
    provider.complete(ask())

    pickled = pickle.dumps(provider)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-found-again-0123456789")
    pickle.loads(pickled).complete(ask())  # noqa: S301  # our own bytes

    assert KEY.encode() not in pickled
    assert loopback.requests[1].headers["authorization"] == "Bearer sk-found-again-0123456789"


def test_neither_repr_nor_vars_show_the_key() -> None:
    provider = LiteLLMProvider("openai", KEY)

    assert repr(provider) == f"LiteLLMProvider(name='openai', default_model={provider.default_model!r})"
    assert KEY not in repr(vars(provider))


def test_a_closed_provider_opens_new_connections(loopback: Loopback) -> None:
    loopback.always(json=openai_answer())

    with LiteLLMProvider("openai", KEY, base_url=loopback.url) as provider:
        provider.complete(ask())
    provider.complete(ask())

    assert loopback.connections == 2


def test_many_threads_may_ask_at_once(loopback: Loopback) -> None:
    loopback.always(json=openai_answer())
    provider = LiteLLMProvider("openai", KEY, base_url=loopback.url)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: provider.complete(ask(f"{number}")).content, range(40)))

    assert answers == ["Hello"] * 40
    assert sorted(int(request.json["messages"][0]["content"]) for request in loopback.requests) == list(range(40))


def test_many_tasks_on_one_event_loop_after_another_may_ask_at_once(loopback: Loopback) -> None:
    loopback.always(json=openai_answer())
    provider = LiteLLMProvider("openai", KEY, base_url=loopback.url)

    async def many() -> list[str]:
        return [answer.content for answer in await asyncio.gather(*(provider.acomplete(ask()) for _ in range(20)))]

    assert asyncio.run(many()) == asyncio.run(many()) == ["Hello"] * 20


async def test_a_cancelled_call_gives_its_connection_back(loopback: Loopback) -> None:
    loopback.reply(json=openai_answer(), delay=60)
    loopback.reply(json=openai_answer())
    provider = LiteLLMProvider("openai", KEY, base_url=loopback.url)
    call = asyncio.create_task(provider.acomplete(ask()))
    while not loopback.requests:  # noqa: ASYNC110  # what is waited for happens in the server's thread
        await asyncio.sleep(0.01)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await provider.acomplete(ask())).content == "Hello"


def test_a_name_that_litellm_does_not_know_is_an_error_of_ours() -> None:
    with pytest.raises(LLMError, match="nobody"):
        LiteLLMProvider("nobody", KEY).complete(ask())
