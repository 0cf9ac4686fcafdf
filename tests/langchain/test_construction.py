"""Making a chat model: who is asked, and which arguments are refused."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import warnings
from collections.abc import Iterator
from threading import Barrier, BrokenBarrierError, Thread, current_thread
from typing import Any, ClassVar

import pytest
from langchain_core.exceptions import ModelAuthenticationError, ModelInvalidRequestError
from pydantic import SecretStr

from homeostasis_llm import (
    APIKeyMissingError,
    ChatHomeostasis,
    InvalidRequestError,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    Timeout,
    UnknownProviderError,
)

from .providers import Echo, Scripted


class Keyed(LLMProviderInterface):
    """Known by name; answers with what it was made from."""

    base_url = "https://keyed.example"
    made = 0
    made_in: ClassVar[list[Thread]] = []

    def __init__(self, api_key: str | None = None, **options: Any) -> None:
        super().__init__(api_key, **options)
        type(self).made += 1
        self.made_in.append(current_thread())

    @property
    def name(self) -> str:
        return "keyed"

    @property
    def default_model(self) -> str:
        return "keyed-1"

    def complete(self, request: LLMRequest) -> LLMResponse:
        return LLMResponse(content=f"{self.api_key} {self.base_url} {request.model}")

    def validate_key(self, api_key: str) -> bool:
        return bool(api_key)

    def get_available_models(self) -> list[str]:
        return ["keyed-1"]


class OtherKeyed(Keyed):
    @property
    def name(self) -> str:
        return "other_keyed"


@pytest.fixture(autouse=True)
def _known_by_name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Keyed, "made", 0)
    monkeypatch.setattr(Keyed, "made_in", [])
    ProviderFactory.register("keyed", Keyed)
    ProviderFactory.register("other_keyed", OtherKeyed)
    yield
    ProviderFactory.unregister("keyed")
    ProviderFactory.unregister("other_keyed")


def test_a_provider_is_named_beside_its_model() -> None:
    model = ChatHomeostasis(provider="keyed", model="m", api_key="k")

    assert model.invoke("hi").text == "k https://keyed.example m"


def test_a_provider_is_named_before_its_model() -> None:
    model = ChatHomeostasis(model="keyed:m", api_key="k")

    assert (model.provider, model.model, model.model_name) == ("keyed", "m", "m")
    assert model.invoke("hi").text == "k https://keyed.example m"


def test_a_provider_stands_for_itself() -> None:
    assert ChatHomeostasis(provider=Echo()).invoke("hello").text == "HELLO"


def test_a_provider_makes_its_own_chat_model() -> None:
    model = Echo().as_chat_model(model="echo-2", temperature=0)

    assert isinstance(model, ChatHomeostasis)
    assert (model.model, model.temperature) == ("echo-2", 0)
    assert model.invoke("hello").text == "HELLO"


def test_without_a_model_the_providers_default_is_asked() -> None:
    provider = Scripted()

    ChatHomeostasis(provider=provider).invoke("hi")

    assert provider.asked[0].model is None


@pytest.mark.parametrize("name", ["llama3:8b", "ft:gpt-4:org::id", "other_keyed:m"])
def test_colons_belong_to_the_model_where_the_provider_is_named(name: str) -> None:
    assert ChatHomeostasis(provider="keyed", model=name, api_key="k").model == name


def test_the_providers_own_name_before_a_model_is_not_part_of_it() -> None:
    assert ChatHomeostasis(provider="keyed", model="keyed:m", api_key="k").model == "m"


def test_a_providers_name_may_be_written_in_any_case() -> None:
    assert ChatHomeostasis(model="Keyed:M", api_key="k").invoke("hi").text.startswith("k ")


@pytest.mark.parametrize("model", [":gpt-5", "keyed:", "keyed: "])
def test_half_a_name_is_refused(model: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^ChatHomeostasis.model: '.*' names no provider or no model"):
        ChatHomeostasis(model=model)


def test_langchains_name_for_the_model_is_understood() -> None:
    assert ChatHomeostasis(provider=Echo(), model_name="echo-2").model == "echo-2"


def test_langchains_name_for_the_stops_is_understood() -> None:
    assert ChatHomeostasis(provider=Echo(), stop_sequences=["x"]).stop == ["x"]


def test_two_names_for_one_thing_are_one_too_many() -> None:
    with pytest.raises(InvalidRequestError, match="model_name and model are the same"):
        ChatHomeostasis(provider=Echo(), model="a", model_name="b")


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("temprature", "temperature"),
        ("openai_api_key", "api_key"),
        ("apikey", "api_key"),
        ("model_kwargs", "extra"),
        ("request_timeout", "timeout"),
        ("max_output_tokens", "max_tokens"),
        ("callback", "callbacks"),
    ],
)
def test_a_mistyped_argument_is_refused_with_the_one_that_was_meant(argument: str, meant: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"has no option '{argument}'; did you mean '{meant}'") as caught:
        ChatHomeostasis(provider=Echo(), **{argument: 1})

    assert isinstance(caught.value, ModelInvalidRequestError)
    assert "\n" not in str(caught.value)


def test_an_argument_like_no_other_is_refused_with_where_it_may_belong() -> None:
    with pytest.raises(InvalidRequestError, match="has no option 'xyzzy'; parameters of a request go into extra"):
        ChatHomeostasis(provider=Echo(), xyzzy=1)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": -5}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"top_p": 1.5}, "top_p"),
        ({"stop": [""]}, "stop"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": {"total": -1}}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"extra": {"x": object()}}, "extra"),
        ({"extra": 5}, "extra"),
        ({"model": ""}, "model"),
        ({"provider": 5}, "provider"),
        ({"api_key": 5, "provider": "keyed"}, "api_key"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError, match=rf"ChatHomeostasis\.{field}\b") as caught:
        ChatHomeostasis(**{"provider": Echo(), **arguments})

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("argument", ["api_key", "base_url"])
def test_a_provider_that_stands_for_itself_has_its_own_key_and_address(argument: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"ChatHomeostasis.{argument}: belongs to the provider"):
        ChatHomeostasis(provider=Echo(), **{argument: "https://x.example"})


def test_zero_is_a_choice() -> None:
    provider = Scripted()

    ChatHomeostasis(provider=provider, temperature=0, top_p=0.0, seed=0).invoke("hi")

    [asked] = provider.asked
    assert (asked.temperature, asked.top_p, asked.seed) == (0, 0.0, 0)


def test_every_setting_reaches_the_provider() -> None:
    provider = Scripted()
    model = ChatHomeostasis(
        provider=provider,
        model="m",
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
        stop="x",
        seed=7,
        reasoning_effort="low",
        timeout=Timeout(connect=1, total=9),
        extra={"logit_bias": {"1": 2}},
    )

    model.invoke("hi")

    [asked] = provider.asked
    assert (asked.model, asked.max_tokens, asked.temperature, asked.top_p) == ("m", 5, 0.5, 0.9)
    assert (asked.stop, asked.seed, asked.reasoning_effort) == (["x"], 7, "low")
    assert asked.timeout == Timeout(connect=1, total=9)
    assert asked.extra == {"logit_bias": {"1": 2}}


def test_the_provider_is_made_at_the_first_call_and_then_kept() -> None:
    model = ChatHomeostasis(model="keyed:m", api_key="k")
    assert Keyed.made == 0

    model.invoke("hi")
    model.invoke("hi")

    assert Keyed.made == 1


async def test_the_event_loop_does_not_wait_while_the_provider_is_made() -> None:
    await ChatHomeostasis(model="keyed:m", api_key="k").ainvoke("hi")

    assert Keyed.made_in[0] is not current_thread()


def test_calls_at_once_share_one_provider() -> None:
    both_inside = Barrier(2)

    class Meeting(Keyed):
        def __init__(self, api_key: str | None = None) -> None:
            super().__init__(api_key)
            with contextlib.suppress(BrokenBarrierError):
                both_inside.wait(0.2)

    ProviderFactory.register("keyed", Meeting, replace=True)

    ChatHomeostasis(model="keyed:m", api_key="k").batch(["hi", "ho"])

    assert Meeting.made == 1


def test_a_base_url_reaches_the_provider() -> None:
    model = ChatHomeostasis(model="keyed:m", api_key="k", base_url="http://127.0.0.1:1")

    assert model.invoke("hi").text == "k http://127.0.0.1:1 m"


def test_a_key_comes_from_the_environment_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", "from-env")

    model = ChatHomeostasis(model="keyed:m")
    monkeypatch.delenv("HOMEOSTASIS_KEYED_API_KEY")

    assert model.api_key is not None
    assert model.api_key.get_secret_value() == "from-env"
    assert model.invoke("hi").text.startswith("from-env ")


def test_a_key_that_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", "from-env")

    assert ChatHomeostasis(model="keyed:m", api_key=SecretStr("given")).invoke("hi").text.startswith("given ")


def test_a_key_comes_from_the_keyring_at_the_first_call() -> None:
    import keyring

    model = ChatHomeostasis(model="keyed:m")
    keyring.set_password("homeostasis-llm", "keyed", "from-keyring")

    assert model.invoke("hi").text.startswith("from-keyring ")


def test_a_missing_key_is_reported_by_the_first_call() -> None:
    model = ChatHomeostasis(model="openai:gpt-5")

    with pytest.raises(APIKeyMissingError, match="OPENAI_API_KEY") as caught:
        model.invoke("hi")

    assert isinstance(caught.value, ModelAuthenticationError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("named", [{"provider": "opnai"}, {"model": "opnai:gpt-5"}])
def test_an_unknown_provider_is_refused_with_the_nearest(named: dict[str, str]) -> None:
    with pytest.raises(UnknownProviderError, match="'opnai'; did you mean 'openai'"):
        ChatHomeostasis(**named)


def test_a_provider_may_be_called_by_another_of_its_names() -> None:
    model = ChatHomeostasis(model="Google:gemini-x", api_key="k")

    assert (model.provider, model.model) == ("gemini", "gemini-x")
    assert ChatHomeostasis(provider="google", model="google:gemini-x").model == "gemini-x"


def test_a_key_is_never_sent_to_another_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_OTHER_KEYED_API_KEY", "others")
    model = ChatHomeostasis(model="keyed:m", api_key="mine")
    from langchain_core.runnables import ConfigurableField

    switchable = model.configurable_fields(provider=ConfigurableField(id="provider"))

    assert switchable.invoke("hi").text.startswith("mine ")
    assert switchable.invoke("hi", {"configurable": {"provider": "other_keyed"}}).text.startswith("others ")
    assert model.model_copy(update={"provider": "other_keyed"}).invoke("hi").text.startswith("others ")


def test_a_changed_copy_is_asked_with_its_own_settings() -> None:
    model = ChatHomeostasis(model="keyed:m", api_key="k")
    model.invoke("hi")

    copy = model.model_copy(update={"base_url": "http://127.0.0.1:1"})

    assert copy.invoke("hi").text == "k http://127.0.0.1:1 m"
    assert model.invoke("hi").text == "k https://keyed.example m"


def test_neither_litellm_nor_a_provider_is_loaded_to_make_one(child_environment: dict[str, str]) -> None:
    code = (
        "import sys; from homeostasis_llm import ChatHomeostasis\n"
        "ChatHomeostasis(model='openai:gpt-5', api_key='k')\n"
        # httpx is loaded by langsmith, which is part of langchain-core, where httpx-aiohttp is installed.
        "assert not {'litellm', 'keyring', 'transformers', 'xllamacpp'} & set(sys.modules), 'too much'"
    )

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=child_environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_making_one_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ChatHomeostasis(provider=Echo(), model="m")
