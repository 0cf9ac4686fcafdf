"""A model's name goes to who has that model, by the name it has there, and to nobody else."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping

import pytest

from homeostasis_llm import ModelNotFoundError
from homeostasis_llm.config import Settings
from homeostasis_llm.manager.budgets.model_names import Resolution, has_model, owners_first, resolve, unified_route


def settings(**tables: object) -> Settings:
    return Settings.model_validate(tables)


def asked(model: str, provider: str, *, first: bool = False, under: Settings | None = None) -> str | None:
    return resolve(model, provider, under or Settings(), first=first).model


def test_without_a_name_the_provider_s_default_answers() -> None:
    assert resolve(None, "anthropic", Settings(), first=False) == Resolution(None, "as_is")


@pytest.mark.parametrize("model", ["gpt-4o", "openai:gpt-4o", "openai/gpt-4o", "OpenAI: gpt-4o"])
def test_a_provider_is_asked_for_its_own_model_without_its_name_before_it(model: str) -> None:
    assert asked(model, "openai").strip() == "gpt-4o"  # type: ignore[union-attr]  # it is a name


def test_an_alias_names_the_provider_too() -> None:
    assert asked("claude:claude-opus-5", "anthropic") == "claude-opus-5"


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("command-r7b-12-2024", "cohere"),
        ("gemini-3.5-flash", "gemini"),
        ("openai/gpt-oss-120b", "groq"),
        ("mistral-small-latest", "mistral"),
        ("gpt-4o", "azure"),
    ],
)
def test_what_the_list_says_a_provider_has_goes_there_as_it_is(model: str, provider: str) -> None:
    assert resolve(model, provider, Settings(), first=False) == Resolution(model, "as_is")


@pytest.mark.parametrize("first", [True, False])
def test_what_the_user_mapped_goes_before_all_else(first: bool) -> None:
    mapped = settings(providers={"anthropic": {"model_map": {"gpt-4o": "claude-opus-5"}}})

    found = resolve("gpt-4o", "anthropic", mapped, first=first)

    assert (found.model, found.action) == ("claude-opus-5", "mapped")
    assert found.note == "gpt-4o is called claude-opus-5 by anthropic"
    assert asked("openai:gpt-4o", "anthropic", under=mapped) == "claude-opus-5"


def test_another_vendor_s_model_is_left_out_with_a_note() -> None:
    found = resolve("gpt-4o", "anthropic", Settings(), first=False)

    assert (found.model, found.action) == (None, "dropped")
    assert found.note == "gpt-4o is openai's, so anthropic uses its default model"
    assert found.error("anthropic") is None


def test_another_vendor_s_model_is_refused_where_the_user_wants_that() -> None:
    found = resolve("gpt-4o", "anthropic", Settings(), first=False, on_other_model="refuse")

    error = found.error("anthropic")
    assert found.action == "refused"
    assert isinstance(error, ModelNotFoundError)
    assert (error.provider, error.model) == ("anthropic", "gpt-4o")
    assert str(error) == (
        "anthropic is not asked: gpt-4o is openai's; see `providers.anthropic.model_map` and `failover.on_other_model`"
    )


@pytest.mark.parametrize("provider", ["openai", "groq", "somebodys_plugin", "hosted_vllm"])
def test_a_name_that_nobody_knows_goes_to_the_user_s_first_choice_alone(provider: str) -> None:
    assert resolve("in-house-7b", provider, Settings(), first=True) == Resolution("in-house-7b", "as_is")
    later = resolve("in-house-7b", provider, Settings(), first=False)
    assert (later.model, later.action) == (None, "dropped")
    assert later.note == f"in-house-7b is not known to be {provider}'s, so {provider} uses its default model"


def test_a_model_that_another_provider_is_named_for_is_not_the_first_choice_s() -> None:
    assert resolve("openai:in-house-7b", "anthropic", Settings(), first=True).action == "dropped"
    assert resolve("openai/in-house-7b", "anthropic", Settings(), first=True).action == "dropped"


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("mistral:7b", "ollama"),
        ("mistralai/New-Model", "together_ai"),
        ("openai/gpt-oss-500b", "groq"),
        ("google/gemma-99", "somebodys_plugin"),
        ("ft:gpt-4o:us::1", "openai"),
        ("anthropic.claude-v9:0", "bedrock"),
    ],
)
def test_names_that_look_as_if_a_provider_stood_before_them_are_whole(model: str, provider: str) -> None:
    assert asked(model, provider, first=True) == model


def test_a_host_s_default_model_and_those_of_the_settings_are_its_own() -> None:
    own = settings(
        providers={
            "plugin": {"default_model": "one", "prices": {"two": {"input": 1, "output": 1}}, "model_map": {"x": "y"}}
        }
    )

    assert [has_model("plugin", model, own) for model in ("one", "two", "x", "three")] == [True, True, True, False]
    assert has_model("openrouter", "openai/gpt-oss-120b", Settings())
    assert asked("one", "plugin", under=own) == "one"


# ----------------------------------------------------------------------------------------------------------- gateways


@pytest.mark.parametrize(
    ("model", "there"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06"),
        ("claude-haiku-4-5-20251001", "anthropic/claude-haiku-4.5"),
        ("claude-opus-5", "anthropic/claude-opus-5"),
        ("claude-opus-5-5", "anthropic/claude-opus-5.5"),
        ("gemini-3.5-flash", "google/gemini-3.5-flash"),
        ("openai:gpt-99", "openai/gpt-99"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("openrouter/auto", "openrouter/auto"),
        ("openrouter/openai/gpt-4o", "openai/gpt-4o"),
        ("openrouter:x-ai/grok-9", "x-ai/grok-9"),
    ],
)
def test_openrouter_has_other_vendors_models_under_their_makers_names(model: str, there: str) -> None:
    assert asked(model, "openrouter") == there


def test_what_a_gateway_s_list_has_is_called_as_there() -> None:
    assert asked("claude-haiku-4-5-20251001", "vercel_ai_gateway") == "anthropic/claude-haiku-4.5"
    assert asked("no-such-model", "vercel_ai_gateway") is None


def test_a_maker_is_asked_by_its_own_spelling_for_what_gateways_spell_otherwise() -> None:
    assert asked("anthropic/claude-haiku-4.5", "anthropic") == "claude-haiku-4-5"


def test_a_model_without_a_known_maker_is_not_guessed_on_a_gateway() -> None:
    assert asked("in-house-7b", "openrouter") is None


@pytest.mark.parametrize(
    ("model", "order"),
    [
        ("gpt-4o", ["openai", "openrouter", "anthropic", "mistral"]),
        ("claude-opus-5", ["anthropic", "openrouter", "mistral", "openai"]),
        ("in-house-7b", ["anthropic", "mistral", "openai", "openrouter"]),
        ("mistral:in-house-7b", ["mistral", "openrouter", "anthropic", "openai"]),
        (None, ["anthropic", "mistral", "openai", "openrouter"]),
    ],
)
def test_who_has_the_model_comes_before_who_has_not(model: str | None, order: list[str]) -> None:
    assert owners_first(model, ["anthropic", "mistral", "openai", "openrouter"], Settings()) == order


# ------------------------------------------------------------------------------------------------------- unified mode


def unified(**told: object) -> Settings:
    return settings(openrouter_unified={"enabled": True, **told})


@pytest.mark.parametrize(
    ("provider", "model", "told", "there"),
    [
        ("openai", "gpt-4o", {}, "openai/gpt-4o"),
        ("openai", "openai:gpt-4o", {}, "openai/gpt-4o"),
        ("openai", "brand-new", {}, "openai/brand-new"),
        ("openai", "openai/gpt-4o", {}, "openai/gpt-4o"),
        ("claude", "claude-haiku-4-5", {}, "anthropic/claude-haiku-4.5"),
        ("openai", "gpt-4o", {"model_map": {"gpt-4o": "openai/gpt-4o:nitro"}}, "openai/gpt-4o:nitro"),
        ("openai", None, {"model_map": {"openai": "openai/gpt-4.1"}}, "openai/gpt-4.1"),
        ("openai", "gpt-4o", {"model_map": {"openai": "openai/gpt-4.1"}}, "openai/gpt-4o"),
        ("mistral", "mistral-small-latest", {"providers": ["mistral"]}, "mistralai/mistral-small-latest"),
    ],
)
def test_openrouter_stands_in_for_a_provider(
    provider: str, model: str | None, told: Mapping[str, object], there: str
) -> None:
    assert unified_route(provider, model, unified(**told)) == ("openrouter", there)


def test_without_a_model_openrouter_is_asked_for_the_provider_s_default() -> None:
    own = unified()

    assert unified_route("openai", None, own) == ("openrouter", "openai/gpt-5.4-mini")
    assert unified_route("anthropic", None, own) == ("openrouter", "anthropic/claude-haiku-4.5")


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        ("openai", Settings()),
        ("mistral", unified()),
        ("openrouter", unified(providers=["openrouter", "openai"])),
        ("openai", unified(providers=["anthropic"])),
    ],
)
def test_openrouter_stands_in_for_nobody_else(provider: str, told: Settings) -> None:
    assert unified_route(provider, "gpt-4o", told) is None


# -------------------------------------------------------------------------------------------------------------- costs


def test_litellm_is_not_imported_for_it(child_environment: dict[str, str]) -> None:
    code = """
import sys
from homeostasis_llm.config import Settings
from homeostasis_llm.manager.budgets.model_names import resolve
print(resolve("gpt-4o", "anthropic", Settings(), first=False).action, "litellm" in sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env=child_environment, capture_output=True, text=True, check=True
    )

    assert run.stdout == "dropped False\n"


def test_a_resolution_can_be_pickled() -> None:
    found = resolve("gpt-4o", "anthropic", Settings(), first=False)

    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301  # our own
