"""What a provider's class declares counts like what is set for it, and the settings go before."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner, Result

from homeostasis_llm import (
    APIKeyManager,
    BrokenPluginError,
    ContextLengthError,
    InvalidRequestError,
    LLMError,
    LLMManager,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    RetryConfig,
    rate_limited,
)
from homeostasis_llm.cli import homeostasis
from homeostasis_llm.config import set_values
from homeostasis_llm.config import settings as settings_of_rows
from tests.cli.conftest import install

KEY = "ac-made-up-0123456789"
ONCE = RetryConfig(max_retries=0, deadline=5.0)


def question(text: str = "hi", model: str | None = None) -> LLMRequest:
    return LLMRequest(messages=[LLMMessage(role="user", content=text)], model=model)


class Plain(LLMProviderInterface):
    """Answers with the model that it was asked for."""

    name = "plain"
    default_model = "plain-1"
    needs_key = False

    def __init__(self, api_key: str = "") -> None:
        self.api_key = api_key

    def complete(self, request: LLMRequest) -> LLMResponse:
        return LLMResponse(content=f"{self.name}: {request.model or self.default_model}")

    def validate_key(self, api_key: str) -> bool:
        return api_key == KEY

    def get_available_models(self) -> list[str]:
        return [self.default_model]


@rate_limited(requests_per_minute=2)
class Slow(Plain):
    """May be asked twice a minute."""

    name = "slow"


class Narrow(Plain):
    """Declares what its models take, and what they are called."""

    name = "narrow"
    context_window = 50
    model_map: ClassVar[dict[str, str]] = {"gpt-4": "narrow-large"}


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test declares ends with it."""
    monkeypatch.setattr(settings_of_rows, "_shipped", {})


@pytest.fixture
def registered() -> Iterator[None]:
    """The slow one can be asked by name."""
    ProviderFactory.register("slow", Slow)
    yield
    ProviderFactory.unregister("slow")


def answers(manager: LLMManager, times: int) -> list[str]:
    return [manager.complete(question()).content.partition(":")[0] for _ in range(times)]


# ------------------------------------------------------------------------------------------------------------ the rates


def test_who_was_asked_as_often_as_declared_is_left_for_the_next() -> None:
    with LLMManager(providers=[Slow(), Plain()], retry_config=ONCE) as manager:
        assert answers(manager, 4) == ["slow", "slow", "plain", "plain"]


def test_without_another_the_time_to_wait_is_told_and_nothing_asked() -> None:
    with LLMManager(providers=[Slow()], retry_config=ONCE) as manager:
        answers(manager, 2)
        with pytest.raises(LLMError) as caught:
            manager.complete(question())

    assert caught.value.retry_after is not None
    assert 30 < caught.value.retry_after <= 61


@pytest.mark.usefixtures("registered")
def test_what_is_registered_is_held_to_its_rates_and_the_settings_go_before() -> None:
    with LLMManager(providers=["slow", Plain()], retry_config=ONCE) as manager:
        assert answers(manager, 3) == ["slow", "slow", "plain"]
    set_values({("providers", "slow", "requests_per_minute"): 3})
    with LLMManager(providers=["slow", Plain()], retry_config=ONCE) as manager:
        assert answers(manager, 4) == ["slow", "slow", "slow", "plain"]


def test_a_class_that_is_not_registered_any_more_has_no_say() -> None:
    ProviderFactory.register("slow", Slow)
    ProviderFactory.unregister("slow")
    ProviderFactory.register("slow", Plain)
    try:
        with LLMManager(providers=["slow"], retry_config=ONCE) as manager:
            assert len(answers(manager, 3)) == 3
    finally:
        ProviderFactory.unregister("slow")


def test_a_subclass_keeps_the_rates_and_its_base_has_none_of_its_own() -> None:
    @rate_limited(max_concurrent=1)
    class Slower(Slow):
        pass

    assert Slower.rate_limits == {"requests_per_minute": 2, "max_concurrent": 1}
    assert Slow.rate_limits == {"requests_per_minute": 2}
    assert Plain.rate_limits == {}


@pytest.mark.parametrize("most", [0, -1, "60", 1.5, True])
def test_a_rate_that_is_none_is_refused_at_once(most: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"rate_limited: requests_per_minute must be"):
        rate_limited(requests_per_minute=most)  # type: ignore[arg-type]  # that is the point


# ------------------------------------------------------------------------------------------------- context and models


def test_a_declared_context_keeps_long_requests_back() -> None:
    with LLMManager(providers=[Narrow()]) as manager, pytest.raises(ContextLengthError):
        manager.complete(question("word " * 500))


def test_a_declared_model_map_leads_to_the_providers_own_names() -> None:
    with LLMManager(providers=[Plain(), Narrow()]) as manager:
        assert manager.complete(question(model="gpt-4"), "narrow").content == "narrow: narrow-large"


# --------------------------------------------------------------------------------------------------------- wrong ones

WRONG = {
    "a rate of 0": ('rate_limits = {"requests_per_minute": 0}', "requests_per_minute must be"),
    "a rate that is none": ('rate_limits = {"per_hour": 2}', "rate_limits has no 'per_hour', but requests_per_minute"),
    "rates of a number": ("rate_limits = 60", "rate_limits must be a mapping, found 60"),
    "a context in words": ('context_window = "8k"', "context_window must be a whole number"),
    "a variable with a blank": ('env = "ACME KEY"', "env must be the name of an environment variable"),
    "no variable": ("env = 7", "env must be the name of an environment variable"),
}

MODULE = """
from homeostasis_llm import LLMProviderInterface, LLMResponse

class Acme(LLMProviderInterface):
    name = "acme"
    default_model = "acme-1"
    {line}

    def complete(self, request):
        return LLMResponse(content=self.api_key)

    def validate_key(self, api_key):
        return api_key == "ac-made-up-0123456789"

    def get_available_models(self):
        return ["acme-1"]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that plugins are installed in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("acme_llm", None)


def plugin(site: Path, line: str) -> None:
    (site / "acme_llm.py").write_text(MODULE.format(line=line), encoding="utf-8")
    install(site, "acme-llm", acme="acme_llm:Acme")


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(homeostasis, ["llm", *arguments], input=stdin, catch_exceptions=False)


@pytest.mark.parametrize(("line", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_declaration_is_told_with_the_entry_point_and_the_rest_works(line: str, said: str, site: Path) -> None:
    plugin(site, line)

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("acme", KEY)
    with LLMManager(providers=["acme", Plain()]) as manager:
        assert manager.complete(question()).provider == "plain"
    from acme_llm import Acme  # type: ignore[import-not-found]  # it was written just now

    with pytest.raises(InvalidRequestError) as given:
        LLMManager(providers=[Acme()])
    with pytest.raises(InvalidRequestError) as at_registering:
        ProviderFactory.register("other", Acme)

    assert "the plugin 'acme' of acme-llm 1.0 (acme_llm:Acme) declares what makes no sense: " in caught.value.message
    for told in (caught.value, given.value, at_registering.value):
        assert said in told.message


# ------------------------------------------------------------------------------------------------------------- the key


def test_a_key_is_found_in_the_variable_that_the_class_declares(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(site, 'env = ("ACME_TOKEN", "ACME_KEY")')
    monkeypatch.setenv("ACME_KEY", KEY)

    assert APIKeyManager().get_key("acme") == KEY
    assert ProviderFactory.create_provider("acme").complete(question()).content == KEY
    with LLMManager(providers=["acme"]) as manager:
        assert manager.complete(question()).content == KEY
    with LLMManager() as found:
        assert found.get_available_providers() == ["acme"]


def test_every_command_knows_the_declared_variable(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(site, 'env = "ACME_TOKEN"')
    before = {one["name"]: one for one in json.loads(run("providers", "--json").stdout)}
    missing = run("validate-key", "acme")
    monkeypatch.setenv("ACME_TOKEN", KEY)

    listed = json.loads(run("list-keys", "--json").stdout)
    stored = run("set-key", "acme", "--no-validate", stdin="ac-another-made-up-0123\n")
    checked = run("validate-key", "acme")
    looked = {one["topic"]: one["found"] for one in json.loads(run("doctor", "--json").stdout)}

    assert before["acme"]["key_looked_for_in"] == ["HOMEOSTASIS_ACME_API_KEY", "ACME_TOKEN", "keyring"]
    assert "or set HOMEOSTASIS_ACME_API_KEY or ACME_TOKEN" in missing.output
    assert [one["provider"] for one in listed] == ["acme"]
    assert "environment variable ACME_TOKEN comes before it" in stored.stderr
    assert checked.stdout.startswith("acme: verified")
    assert looked["keys"] == "acme (environment variable ACME_TOKEN)"
