"""Storing, showing and copying a chat model; its key goes nowhere."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.prompts import ChatPromptTemplate

from homeostasis_llm import ChatHomeostasis, LLMRequest, LLMResponse, ProviderFactory, Timeout

from .providers import Echo, Scripted

SECRET = "key-that-nobody-may-see-0123456789"

# `load` and `loads` are unfinished, LangChain itself says.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")


class Keyed(Scripted):
    """Known by name; answers with its key."""

    def __init__(self, api_key: str | None = None) -> None:
        super().__init__(name="keyed")
        self.api_key = api_key

    def complete(self, request: LLMRequest) -> LLMResponse:
        super().complete(request)
        return LLMResponse(content=f"with {self.api_key!r}")


@pytest.fixture(autouse=True)
def _known_by_name() -> Iterator[None]:
    ProviderFactory.register("keyed", Keyed)
    yield
    ProviderFactory.unregister("keyed")


def full() -> ChatHomeostasis:
    return ChatHomeostasis(
        model="keyed:m", api_key=SECRET, temperature=0, timeout=Timeout(total=5), stop=["x"], extra={"a": 1}
    )


def test_a_model_is_stored_without_its_key_and_loaded_with_it() -> None:
    model = full()

    stored = dumps(model)
    loaded = loads(
        stored,
        allowed_objects=[ChatHomeostasis],
        valid_namespaces=["homeostasis_llm"],
        secrets_map={"HOMEOSTASIS_KEYED_API_KEY": SECRET},
    )

    assert SECRET not in stored
    assert loaded.asdict() == model.asdict()
    assert loaded.timeout == Timeout(total=5)
    assert loaded.invoke("hi").text == f"with '{SECRET}'"


def test_the_stored_key_is_named_as_the_environment_names_it() -> None:
    assert dumpd(full())["kwargs"]["api_key"] == {"lc": 1, "type": "secret", "id": ["HOMEOSTASIS_KEYED_API_KEY"]}


def test_langchains_list_of_what_may_be_loaded_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", SECRET)

    loaded = load(dumpd(full()), allowed_objects="all", valid_namespaces=["homeostasis_llm"], secrets_from_env=True)

    assert loaded.invoke("hi").text == f"with '{SECRET}'"


def test_a_chain_is_stored_and_loaded_with_its_model() -> None:
    chain = ChatPromptTemplate.from_template("{it}") | ChatHomeostasis(model="keyed:m", api_key=SECRET)

    stored = dumps(chain)

    assert SECRET not in stored
    assert '"ChatHomeostasis"' in stored
    assert '"not_implemented"' not in stored


def test_a_provider_that_stands_for_itself_is_shown_but_cannot_be_loaded() -> None:
    stored = dumpd(ChatHomeostasis(provider=Echo()))

    assert stored["kwargs"]["provider"]["type"] == "not_implemented"
    with pytest.raises(NotImplementedError):
        load(stored, allowed_objects=[ChatHomeostasis], valid_namespaces=["homeostasis_llm"])


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        dumps,
        lambda model: str(model.asdict()),
        lambda model: model.model_dump_json(),
        lambda model: str(vars(model)),
    ],
    ids=["repr", "str", "dumps", "asdict", "model_dump_json", "vars"],
)
def test_the_key_is_shown_nowhere(shown: Any) -> None:
    model = full()
    model.invoke("hi")

    assert SECRET not in shown(model)


def test_a_pickle_leaves_the_key_behind_and_finds_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model = full()
    model.invoke("hi")

    pickled = pickle.dumps(model)
    assert SECRET.encode() not in pickled

    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", "from-env")
    again = pickle.loads(pickled)  # noqa: S301  # our own
    assert again.asdict() == model.asdict()
    assert again.invoke("hi").text == "with 'from-env'"


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda model: model.model_copy()])
def test_a_copy_keeps_the_key(twin: Any) -> None:
    model = full()
    model.invoke("hi")

    assert twin(model).invoke("hi").text == f"with '{SECRET}'"


def test_a_changed_copy_leaves_the_original_as_it_was() -> None:
    model = full()

    other = model.model_copy(update={"temperature": 1.0})

    assert (model.temperature, other.temperature) == (0, 1.0)


def test_the_trace_says_who_was_asked_for_what() -> None:
    told = ChatHomeostasis(provider=Echo(), model="m", temperature=0, max_tokens=5, stop="x")._get_ls_params()

    assert told == {
        "ls_provider": "echo",
        "ls_model_type": "chat",
        "ls_model_name": "m",
        "ls_temperature": 0.0,
        "ls_max_tokens": 5,
        "ls_stop": ["x"],
    }


def test_the_trace_follows_what_a_call_says() -> None:
    model = ChatHomeostasis(provider=Echo(), model="m", temperature=1)

    told = model._get_ls_params(stop=["y"], model="echo:n", temperature=0, max_tokens=7)

    assert told == {
        "ls_provider": "echo",
        "ls_model_type": "chat",
        "ls_model_name": "n",
        "ls_temperature": 0,
        "ls_max_tokens": 7,
        "ls_stop": ["y"],
    }


def test_the_trace_knows_the_default_model() -> None:
    assert ChatHomeostasis(provider=Echo())._get_ls_params().get("ls_model_name") == "echo-1"


def test_langchains_cache_tells_providers_apart() -> None:
    cache = InMemoryCache()
    one, other = (ChatHomeostasis(provider=Scripted(said, name=said), cache=cache) for said in ("one", "other"))

    said = [model.invoke("hi").text for model in (one, other, one, other)]

    assert said == ["one", "other", "one", "other"]
    assert [len(model.provider.asked) for model in (one, other)] == [1, 1]  # type: ignore[union-attr]  # Scripted


def test_what_is_stored_is_json() -> None:
    assert json.loads(dumps(full()))["id"] == ["homeostasis_llm", "langchain", "model", "ChatHomeostasis"]
