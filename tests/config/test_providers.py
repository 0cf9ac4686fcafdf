"""What is set for a provider reaches its constructor, the environment's base URL first."""

from __future__ import annotations

import pytest

from homeostasis_llm import Timeout
from homeostasis_llm.config import Settings, provider_options
from homeostasis_llm.endpoints import base_url_from_environment
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider

SETTINGS = Settings.model_validate(
    {
        "providers": {
            "anthropic": {
                "base_url": "https://gateway.example.com",
                "default_model": "m",
                "timeout": {"connect": 1.5},
                "headers": {"X-Team": "blue"},
                "api_version": "2",
                "model_map": {"a": "b"},
                "api_key_command": ["op"],
            },
            "openai": {"timeout": 3},
        }
    }
)


def test_what_is_set_and_a_constructor_takes_is_given_to_it() -> None:
    options = provider_options("Claude", SETTINGS)

    assert options == {
        "base_url": "https://gateway.example.com",
        "default_model": "m",
        "timeout": Timeout(connect=1.5),
        "headers": {"X-Team": "blue"},
        "api_version": "2",
    }
    assert LiteLLMProvider("anthropic", "", **options).default_model == "m"


def test_what_is_not_set_is_not_given() -> None:
    assert provider_options("openai", SETTINGS) == {"timeout": 3.0}
    assert provider_options("groq", SETTINGS) == {}


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_BASE_URL", "http://127.0.0.1:1")

    assert provider_options("claude", SETTINGS)["base_url"] == "http://127.0.0.1:1"


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_BASE_URL", " ")

    assert provider_options("anthropic", SETTINGS)["base_url"] == "https://gateway.example.com"


def test_a_provider_that_is_in_no_file_has_its_base_url_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_MY_LLM_2_BASE_URL", "http://127.0.0.1:1")

    assert provider_options("My-LLM.2", Settings()) == {"base_url": "http://127.0.0.1:1"}
    assert base_url_from_environment("My-LLM.2", None) == "http://127.0.0.1:1"
