"""What Homeostasis' own code does with the key manager works after changing import lines: each test is one such use.

Written after what its dashboard, its commands and its tests do; the words are ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homeostasis_llm import APIKeyManager, KeyStorageError, KeyValidationError, LLMError, ProviderFactory
from tests.loopback import Loopback

KEY = "sk-QZJX-the-key-of-this-test-1234"

Answer = tuple[int, Any]


class Dashboard:
    """The handlers of its web application: what each answers is sent as JSON, and what escapes is a 500."""

    def list_keys(self) -> Answer:
        manager = APIKeyManager()
        return 200, {
            "keys": manager.list_keys(),
            "masked": {name: manager.get_masked_key(name) for name in ("openai", "anthropic", "openrouter")},
            "secrets_managers": manager.get_available_secrets_managers(),
        }

    def store_key(self, provider: str, key: str, *, validate: bool) -> Answer:
        manager = APIKeyManager()
        try:
            if validate:
                manager.validate_key(provider, key)
            stored = manager.set_key(provider, key, validate=False)
        except KeyValidationError as error:
            return 400, {"error": str(error)}
        return (200, {"success": True}) if stored else (500, {"error": "not stored"})

    def test_key(self, provider: str) -> Answer:
        manager = APIKeyManager()
        key = manager.get_key(provider)
        if not key:
            return 404, {"error": "no key"}
        try:
            return 200, {"valid": manager.validate_key(provider, key)}
        except KeyValidationError as error:
            return 200, {"valid": False, "error": str(error)}

    def remove_key(self, provider: str) -> Answer:
        return (200, {"success": True}) if APIKeyManager().remove_key(provider) else (404, {"error": "no key"})

    def test_all(self) -> Answer:
        manager = APIKeyManager()
        found = {}
        for provider in manager.SUPPORTED_PROVIDERS:
            if key := manager.get_key(provider):
                try:
                    found[provider] = bool(manager.validate_key(provider, key))
                except KeyValidationError:
                    found[provider] = False
        return 200, found


def ask(handler: Callable[..., Answer], *what: str, **how: bool) -> Answer:
    status, body = handler(*what, **how)
    return status, json.loads(json.dumps(body))


@pytest.fixture
def dashboard() -> Dashboard:
    return Dashboard()


@pytest.fixture
def openai(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
    loopback.always(status=401, json={"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}})
    return loopback


def test_the_dashboard_stores_lists_and_removes_a_key(dashboard: Dashboard) -> None:
    assert ask(dashboard.store_key, "openai", KEY, validate=False) == (200, {"success": True})

    status, listed = ask(dashboard.list_keys)
    assert status == 200
    assert listed["keys"]["openai"] == {"environment": False, "external_secrets": False, "encrypted_storage": True}
    assert listed["masked"] == {"openai": "********1234", "anthropic": None, "openrouter": None}
    assert listed["secrets_managers"] == {}
    assert {"openai", "anthropic", "openrouter"} <= listed["keys"].keys()

    assert ask(dashboard.remove_key, "openai") == (200, {"success": True})
    assert ask(dashboard.remove_key, "openai") == (404, {"error": "no key"})
    assert ask(dashboard.remove_key, "nobody") == (404, {"error": "no key"})


def test_the_dashboard_shows_users_why_a_key_was_refused(dashboard: Dashboard, openai: Loopback) -> None:
    status, body = ask(dashboard.store_key, "openai", KEY, validate=True)
    assert status == 400
    assert body["error"].startswith("openai: OpenAI does not accept the key.")
    assert body["error"].count("OpenAI does not accept the key") == 1

    assert ask(dashboard.test_key, "openai") == (404, {"error": "no key"})
    ask(dashboard.store_key, "openai", KEY, validate=False)
    status, body = ask(dashboard.test_key, "openai")
    assert (status, body["valid"]) == (200, False)
    assert ask(dashboard.test_all) == (200, {"openai": False})
    assert openai.requests
    assert ask(dashboard.store_key, "nobody", KEY, validate=False)[0] == 400


def test_what_one_process_changes_another_manager_sees_at_once(tmp_path: Path) -> None:
    command, dashboard = APIKeyManager(config_dir=tmp_path), APIKeyManager(config_dir=tmp_path)

    command.set_key("anthropic", KEY, validate=False)
    assert dashboard.get_key("anthropic") == KEY
    command.set_fallback_order(["openrouter", "openai"])
    assert dashboard.get_fallback_order() == ["openrouter", "openai"]
    command.remove_key("anthropic")
    assert dashboard.get_key("anthropic") is None


def test_a_test_of_the_commands_goes_through(tmp_path: Path) -> None:
    manager = APIKeyManager(config_dir=tmp_path)

    assert not any(manager.list_keys()["openai"].values())
    manager.set_key("openai", KEY, validate=False)
    assert manager.get_key("openai") == KEY
    assert manager.list_keys()["openai"]["encrypted_storage"]
    masked = manager.get_masked_key("openai")
    assert masked
    assert masked != KEY
    assert manager.remove_key("openai")
    assert manager.get_key("openai") is None

    manager.set_active_provider("openai")
    assert manager.get_active_provider() == "openai"
    manager.set_openrouter_unified_mode(True, proxy_to_anthropic=True, proxy_to_openai=False)
    assert manager.get_openrouter_unified_config()["enabled"]
    manager.set_provider_policies(cost_preference="low", latency_preference="balanced", reliability_preference="high")
    assert manager.get_provider_policies()["cost_preference"] == "low"
    assert manager.get_provider_config_summary()["active_provider"] == "openai"


def test_a_command_offers_every_provider_as_a_choice() -> None:
    choices = APIKeyManager.SUPPORTED_PROVIDERS + ["auto"]  # noqa: RUF005  # as clients write it

    assert isinstance(choices, list)
    assert {"openai", "anthropic", "openrouter", "auto"} <= set(choices)
    assert set(ProviderFactory.get_supported_providers()) <= set(choices)


def test_a_generator_of_patches_finds_out_who_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_API_KEY", "sk-ant-QZJX-1234567890")

    manager = APIKeyManager()

    assert [name for name, places in manager.list_keys().items() if any(places.values())] == ["anthropic"]
    assert manager.list_keys()["anthropic"]["environment"] is True


def test_nothing_is_printed_and_nobody_is_asked_to_type(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    manager = APIKeyManager(config_dir=tmp_path)
    manager.set_key("openai", KEY, validate=False)
    manager.list_keys(), manager.get_provider_config_summary(), manager.remove_key("openai")
    manager.set_active_provider("openai")

    assert capfd.readouterr() == ("", "")


def test_its_errors_are_ours_to_catch() -> None:
    assert issubclass(KeyValidationError, LLMError)
    assert issubclass(KeyStorageError, LLMError)
