"""A chat model over a manager: what it is made of, shown, stored and copied; who is asked for which model."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, loads
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from homeostasis_llm import (
    ChatHomeostasis,
    InvalidRequestError,
    LLMChunk,
    LLMManager,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    Reasoning,
    RetryConfig,
    ServerError,
    ToolCall,
    UnknownProviderError,
)

from .providers import Echo, Scripted, Streaming

SECRET = "key-that-nobody-may-see-0123456789"
DOWN = ServerError("out of order")
ONCE = RetryConfig(max_retries=0)


def over(*providers: Any, **options: Any) -> ChatHomeostasis:
    return ChatHomeostasis(manager=LLMManager(providers=providers, retry_config=ONCE), **options)


class Keyed(Echo):
    """Known by name."""

    name = "keyed"


@pytest.fixture
def _known_by_name() -> Iterator[None]:
    ProviderFactory.register("keyed", Keyed)
    yield
    ProviderFactory.unregister("keyed")


# --------------------------------------------------------------------------------------------- construction


def test_a_model_without_any_name_is_over_a_manager() -> None:
    model = ChatHomeostasis()

    assert (model.provider, model.manager, model.model) == (None, None, None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"api_key": SECRET}, "ChatHomeostasis.api_key: belongs to one provider; name it, as in provider='openai'"),
        ({"base_url": "http://127.0.0.1:1"}, "ChatHomeostasis.base_url: belongs to one provider"),
        ({"manager": LLMManager(), "provider": "openai"}, "ChatHomeostasis.manager: asks its own providers"),
        ({"manager": LLMManager(), "max_retries": 1}, "ChatHomeostasis.max_retries: is the manager's affair"),
        ({"manager": "openai"}, "ChatHomeostasis.manager: "),
        ({"max_retries": -1}, "ChatHomeostasis.max_retries: "),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        ChatHomeostasis(**arguments)

    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_call_cannot_have_retries_of_its_own() -> None:
    provider = Scripted()

    with pytest.raises(InvalidRequestError, match="max_retries is said once for all calls"):
        over(provider).invoke("hi", max_retries=3)

    assert provider.asked == []


# --------------------------------------------------------------------------------------- who is asked, for what


def test_the_next_answers_with_the_name_of_its_model() -> None:
    message = over(Scripted(DOWN, name="first"), Echo()).invoke("hi")

    assert message.text == "HI"
    told = message.response_metadata
    assert (told["provider"], told["model_name"]) == ("echo", "echo-1")


def test_a_provider_of_the_manager_may_be_named_before_the_model() -> None:
    first, second = Scripted(name="first"), Scripted(name="second")

    over(first, second).invoke("hi", model="second:m")

    assert first.asked == []
    assert [request.model for request in second.asked] == ["m"]


@pytest.mark.parametrize("model", ["llama3:8b", "ft:gpt-4:org::id", "m:"])
async def test_other_colons_belong_to_the_model(model: str) -> None:
    provider = Scripted()

    over(provider).invoke("hi", model=model)
    await over(provider).ainvoke("hi", model=model)

    assert [request.model for request in provider.asked] == [model, model]


def test_a_provider_that_the_manager_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="'openai:gpt-x' is not among the manager's: scripted"):
        over(Scripted()).invoke("hi", model="openai:gpt-x")


def test_without_a_manager_an_unknown_provider_is_refused_when_the_model_is_made() -> None:
    with pytest.raises(UnknownProviderError, match="did you mean 'openai'"):
        ChatHomeostasis(model="opnai:gpt-x")


def test_the_request_of_the_caller_is_left_as_it_is() -> None:
    from homeostasis_llm import LLMMessage
    from homeostasis_llm.langchain.managed import Managed

    request = LLMRequest(messages=[LLMMessage(role="user", content="hi")], model="scripted:m")

    Managed(LLMManager(providers=[Scripted()])).complete(request)

    assert request.model == "scripted:m"


class Watched(Streaming):
    """Says when its async stream is closed."""

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk | str]:
        try:
            for piece in self.complete_stream(request):
                yield piece
        finally:
            self.closed += 1


async def test_an_abandoned_stream_is_closed_at_once() -> None:
    provider = Watched("a", "b", "c")
    stream = over(provider).astream("hi")

    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # it is an async generator

    assert provider.closed >= 1


# -------------------------------------------------------------------------- what belongs to one provider alone


def test_what_one_provider_wants_back_comes_to_the_next_with_its_owners_name() -> None:
    thought = Reasoning(text="hm", provider="first", payload={"signature": "s"})
    call = ToolCall(name="add", id="c1", payload={"thought_signature": "t"})
    answer = LLMResponse(content="", provider="first", reasoning=thought, tool_calls=[call])
    first, second = Scripted(answer, DOWN, name="first"), Scripted("3", name="second")
    model = over(first, second)

    asked = model.invoke("1 + 2?")
    stored = AIMessage.model_validate(json.loads(asked.model_dump_json()))
    model.invoke([HumanMessage("1 + 2?"), stored, ToolMessage("3", tool_call_id="c1")])

    for provider in (first, second):
        back = provider.asked[-1].messages[1]
        assert back.reasoning is not None
        assert (back.reasoning.provider, back.tool_calls[0].provider) == ("first", "first")
        assert back.tool_calls[0].payload == {"thought_signature": "t"}


# ------------------------------------------------------------------------------------ shown, stored, copied


@pytest.mark.usefixtures("_known_by_name")
def test_a_model_without_names_is_stored_and_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", SECRET)
    model = ChatHomeostasis(temperature=0, max_retries=1)
    model.invoke("hi")

    stored = dumps(model)
    with pytest.warns(match="unfinished|beta"):
        loaded = loads(stored, allowed_objects=[ChatHomeostasis], valid_namespaces=["homeostasis_llm"])

    assert SECRET not in stored
    assert loaded.asdict() == model.asdict()
    assert loaded.invoke("hi").text == "HI"


def test_a_manager_that_is_an_object_is_shown_but_not_stored() -> None:
    stored = dumpd(over(Echo()))

    assert stored["kwargs"]["manager"]["type"] == "not_implemented"


@pytest.mark.usefixtures("_known_by_name")
@pytest.mark.parametrize(
    "way",
    [repr, str, dumps, lambda model: str(vars(model)), lambda model: pickle.dumps(model).decode(errors="replace")],
    ids=["repr", "str", "dumps", "vars", "pickle"],
)
def test_no_key_is_shown(way: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", SECRET)
    model = ChatHomeostasis(manager=LLMManager(providers=["keyed"]))
    model.invoke("hi")

    assert SECRET not in way(model)


@pytest.mark.usefixtures("_known_by_name")
@pytest.mark.parametrize(
    "twin",
    [lambda model: pickle.loads(pickle.dumps(model)), copy.copy, copy.deepcopy, lambda model: model.model_copy()],  # noqa: S301  # our own
    ids=["pickle", "copy", "deepcopy", "model_copy"],
)
def test_a_twin_answers_too(twin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", SECRET)
    given = ChatHomeostasis(manager=LLMManager(providers=["keyed"]))
    own = ChatHomeostasis()
    for model in (given, own):
        model.invoke("hi")

        assert twin(model).invoke("ho").text == "HO"


@pytest.mark.usefixtures("_known_by_name")
def test_a_copy_may_be_over_one_provider() -> None:
    model = over(Scripted())

    assert model.model_copy(update={"provider": "keyed"}).invoke("hi").text == "HI"
    assert model.invoke("hi").text == "Hello!"


def test_the_trace_says_that_it_is_not_one_provider() -> None:
    model = over(Scripted(), temperature=0)
    model.invoke("hi")

    assert model._get_ls_params() == {
        "ls_provider": "homeostasis",
        "ls_model_type": "chat",
        "ls_temperature": 0,
    }
    assert model._get_ls_params(model="gpt-x")["ls_model_name"] == "gpt-x"


def test_the_cache_tells_managers_apart() -> None:
    cache = InMemoryCache()

    assert over(Scripted("one", name="one"), cache=cache).invoke("hi").text == "one"
    assert over(Scripted("two", name="two"), cache=cache).invoke("hi").text == "two"
    assert len(cache._cache) == 2
