"""What the settings file may say, and what it then means."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from homeostasis_llm import Timeout
from homeostasis_llm.config import (
    DEFAULT_CONFIG,
    ProviderSettings,
    SecretReference,
    Settings,
    by_former_names,
    load_settings,
)
from tests.config.conftest import Write


def test_without_a_file_the_defaults_hold(place: Path) -> None:
    assert load_settings(place) == Settings()
    assert not place.parent.exists()


def test_the_defaults_are_those_that_existing_programs_rely_on() -> None:
    assert DEFAULT_CONFIG == {
        "active_provider": None,
        "fallback_order": ["anthropic", "openai", "openrouter"],
        "enable_fallback": True,
        "provider_policies": {
            "cost_preference": "balanced",
            "latency_preference": "balanced",
            "reliability_preference": "high",
        },
        "openrouter_unified_config": {
            "enabled": False,
            "proxy_to_anthropic": True,
            "proxy_to_openai": True,
            "fallback_model_mapping": {},
        },
    }


def test_changing_what_is_shown_by_former_names_changes_no_settings() -> None:
    settings = Settings()

    by_former_names(settings)["fallback_order"].append("myllm")

    assert settings == Settings()


def test_everything_that_can_be_set_is_read(write: Write) -> None:
    settings = load_settings(
        write("""
            active_provider = "openai"
            fallback_order = ["openai", "groq"]
            enable_fallback = false

            [provider_policies]
            cost = "low"
            latency = "high"
            reliability = "balanced"

            [openrouter_unified]
            enabled = true
            providers = ["mistral"]
            model_map = { "mistral-small-latest" = "mistralai/mistral-small" }

            [providers.openai]
            base_url = "https://gateway.example.com/v1"
            default_model = "gpt-x"
            timeout = 20
            api_version = "2024-10-21"
            api_key_file = "/run/secrets/openai"
            api_key_command = ["op", "read", "op://Private/openai/key"]
            api_key_secret = "vault:secret/data/llm#openai"
            key_labels = ["main", "backup"]

            [providers.openai.headers]
            X-Team = "blue"

            [providers.openai.model_map]
            "gpt-4" = "gpt-x"
        """)
    )

    assert settings.active_provider == "openai"
    assert settings.fallback_order == ("openai", "groq")
    assert settings.enable_fallback is False
    assert settings.provider_policies.model_dump() == {"cost": "low", "latency": "high", "reliability": "balanced"}
    assert settings.openrouter_unified.enabled is True
    assert settings.openrouter_unified.providers == ("mistral",)
    assert settings.openrouter_unified.model_map == {"mistral-small-latest": "mistralai/mistral-small"}
    assert settings.provider("openai") == ProviderSettings(
        base_url="https://gateway.example.com/v1",
        default_model="gpt-x",
        timeout=20.0,
        api_version="2024-10-21",
        api_key_file=Path("/run/secrets/openai"),
        api_key_command=("op", "read", "op://Private/openai/key"),
        api_key_secret=SecretReference("vault", "secret/data/llm", "openai"),
        key_labels=("main", "backup"),
        headers={"X-Team": "blue"},
        model_map={"gpt-4": "gpt-x"},
    )


@pytest.mark.parametrize("spelled", ["claude", "Anthropic", " ANTHROPIC "])
def test_a_provider_may_be_spelled_in_any_way(spelled: str, write: Write) -> None:
    table = f'[providers."{spelled.strip()}"]\ntimeout = 1'
    settings = load_settings(write(f'active_provider = "{spelled}"\nfallback_order = ["{spelled}"]\n{table}'))

    assert settings.active_provider == "anthropic"
    assert settings.fallback_order == ("anthropic",)
    assert settings.provider("claude").timeout == 1


def test_a_dash_in_a_providers_name_is_as_good_as_an_underscore(write: Write) -> None:
    settings = load_settings(write('[providers.Lm-Studio]\ndefault_model = "m"'))

    assert settings.provider("lm_studio").default_model == "m"


@pytest.mark.parametrize("auto", ["auto", "Auto", " AUTO "])
def test_auto_means_nobody_in_particular(auto: str, write: Write) -> None:
    assert load_settings(write(f'active_provider = "{auto}"')).active_provider is None


def test_a_name_that_is_twice_in_the_order_counts_once(write: Write) -> None:
    assert load_settings(write('fallback_order = ["claude", "openai", "anthropic"]')).fallback_order == (
        "anthropic",
        "openai",
    )


def test_a_provider_that_nobody_has_may_be_in_the_file(write: Write) -> None:
    settings = load_settings(write('active_provider = "uninstalled"\n[providers.gone]\ntimeout = 1'))

    assert settings.active_provider == "uninstalled"
    assert set(settings.named_providers()) >= {"uninstalled", "gone", "anthropic"}


def test_a_provider_without_settings_has_the_defaults() -> None:
    assert Settings().provider("whoever") == ProviderSettings()


def test_a_timeout_may_say_each_wait_by_itself(write: Write) -> None:
    settings = load_settings(write("[providers.openai.timeout]\nconnect = 2\nbetween_chunks = 1.5"))

    assert settings.provider("openai").timeout == Timeout(connect=2.0, between_chunks=1.5)


def test_a_command_may_be_one_line_and_is_split_as_a_shell_would(write: Write) -> None:
    settings = load_settings(write("""[providers.openai]\napi_key_command = 'pass show "my keys/openai"'"""))

    assert settings.provider("openai").api_key_command == ("pass", "show", "my keys/openai")


def test_a_key_file_below_ones_home_is_found_there(write: Write, home: Path) -> None:
    settings = load_settings(write('[providers.openai]\napi_key_file = "~/keys/openai"'))

    assert settings.provider("openai").api_key_file == home / "keys" / "openai"


@pytest.mark.parametrize(
    ("reference", "read"),
    [
        ("aws-secretsmanager:homeostasis/openai", SecretReference("aws-secretsmanager", "homeostasis/openai")),
        ("aws-secretsmanager:llm#openai", SecretReference("aws-secretsmanager", "llm", "openai")),
        (
            "aws-secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:llm-AbCdEf#openai",
            SecretReference(
                "aws-secretsmanager", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:llm-AbCdEf", "openai"
            ),
        ),
        ("vault:secret/data/llm#openai", SecretReference("vault", "secret/data/llm", "openai")),
        ("azure-keyvault:openai-key", SecretReference("azure-keyvault", "openai-key")),
    ],
)
def test_a_secret_is_named_by_its_store(reference: str, read: SecretReference, write: Write) -> None:
    settings = load_settings(write(f'[providers.openai]\napi_key_secret = "{reference}"'))

    assert settings.provider("openai").api_key_secret == read
    assert str(read) == reference


@pytest.mark.parametrize(
    "setting",
    [
        'base_url = "http://hf-mirror-2024.example.com/sk-team-0123456789abc"',
        'default_model = "hf-llama-3-70b-instruct-0123456789"',
        'headers = { "X-Team" = "sk-team-42" }',
        'api_key_file = "/run/secrets/hf_token_0123456789abcdef"',
        'api_key_command = ["pass", "show", "hf_token_0123456789abcdef"]',
        'api_key_secret = "azure-keyvault:sk-0123456789abcdefghijkl"',
    ],
)
def test_the_name_of_something_is_not_taken_for_a_key(setting: str, write: Write) -> None:
    load_settings(write(f"[providers.openai]\n{setting}"))


def test_headers_are_not_in_what_a_log_shows_of_settings(write: Write) -> None:
    settings = load_settings(write('[providers.openai.headers]\nX-Gateway = "opaque"'))

    assert "opaque" not in repr(settings)
    assert settings.provider("openai").headers == {"X-Gateway": "opaque"}


def test_settings_can_be_copied_and_pickled(write: Write) -> None:
    settings = load_settings(write("[providers.openai.timeout]\nconnect = 2"))

    assert copy.deepcopy(settings) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301  # what was just written


def test_settings_cannot_be_assigned_to() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().enable_fallback = False


def test_a_byte_order_mark_and_windows_line_ends_are_read(place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(b'\xef\xbb\xbf# mine\r\nactive_provider = "groq"\r\n')

    assert load_settings(place).active_provider == "groq"
