"""The key manager: what it stores, what it refuses, and what it says of the keys that are there."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from pydantic import SecretStr

from homeostasis_llm import (
    APIKeyManager,
    APIKeyMissingError,
    KeyOutcome,
    KeyStorageError,
    KeyValidationError,
    LLMError,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
)
from homeostasis_llm.config import ConfigError, config_path, set_provider_settings
from homeostasis_llm.keys.lookup import SERVICE
from tests.loopback import Loopback

KEY = "sk-QZJX-the-key-of-this-test-1234"


class MyLLM(LLMProviderInterface):
    """A provider as the extension guide has its readers write one."""

    key_prefix = "ml-"
    asked: list[str] = []  # noqa: RUF012  # a test reads what all have been asked

    def __init__(self, api_key: str) -> None:
        self.api_key = api_key

    name = "myllm"
    default_model = "small"

    def complete(self, request: LLMRequest) -> LLMResponse:
        return LLMResponse(content=request.messages[-1].text, provider=self.name, model=self.default_model)

    def validate_key(self, api_key: str) -> bool:
        self.asked.append(api_key)
        if api_key == "ml-away":
            raise LLMError("my server is away")
        return api_key == "ml-good"

    def get_available_models(self) -> list[str]:
        return ["small"]


@pytest.fixture
def manager() -> APIKeyManager:
    return APIKeyManager()


@pytest.fixture
def myllm() -> Iterator[type[MyLLM]]:
    MyLLM.asked.clear()
    ProviderFactory.register("myllm", MyLLM)
    yield MyLLM
    ProviderFactory.unregister("myllm")


@pytest.fixture
def openai(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """Where OpenAI is asked, in this test."""
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
    return loopback


def accepts(server: Loopback) -> None:
    """Answers as a listing and as a completion: away from its own host, a listing may be public."""
    message = {"role": "assistant", "content": "Hi"}
    server.always(
        json={
            "object": "list",
            "data": [{"id": "gpt-x", "object": "model"}],
            "id": "1",
            "model": "gpt-x",
            "choices": [{"index": 0, "finish_reason": "length", "message": message}],
        }
    )


def refuses(server: Loopback, status: int = 401, **error: str) -> None:
    told = {"message": "Incorrect API key provided.", "type": "invalid_request_error", "code": "invalid_api_key"}
    server.always(status=status, json={"error": told | error})


def refusal(do: Callable[[], object]) -> KeyValidationError:
    with pytest.raises(KeyValidationError) as caught:
        do()
    assert isinstance(caught.value, LLMError)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    return caught.value


# ------------------------------------------------------------------------------------------------- making one


@pytest.mark.parametrize("given", [Path, str])
def test_making_a_manager_creates_nothing_and_asks_nobody(given: type, tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "not" / "there"

    manager = APIKeyManager(given(folder))
    APIKeyManager()

    assert manager.config_dir == folder
    assert not (tmp_path / "not").exists()
    assert list(home.iterdir()) == []
    assert "not" in repr(manager)


def test_the_settings_are_those_of_the_folder_that_was_given(tmp_path: Path) -> None:
    own, other = APIKeyManager(tmp_path / "a" / "b"), APIKeyManager()

    own.set_active_provider("groq")

    assert (tmp_path / "a" / "b" / "config.toml").exists()
    assert (own.get_active_provider(), other.get_active_provider()) == ("groq", None)


def test_a_manager_can_be_pickled_and_takes_no_key_along(manager: APIKeyManager, tmp_path: Path) -> None:
    own = APIKeyManager(tmp_path, use_external_secrets=False)
    own.set_key("openai", KEY, validate=False)

    data = pickle.dumps(own)
    twin = pickle.loads(data)  # noqa: S301  # made above

    assert KEY.encode() not in data
    assert (twin.config_dir, twin.get_key("openai")) == (tmp_path, KEY)
    assert manager.get_key("openai") == KEY


# --------------------------------------------------------------------------------------------------- storing


def test_a_key_that_the_provider_accepts_is_stored(manager: APIKeyManager, openai: Loopback) -> None:
    accepts(openai)

    assert manager.set_key("OpenAI", KEY) == "tests.memory_keyring.MemoryKeyring"

    assert keyring.get_password(SERVICE, "openai") == KEY
    assert f"Bearer {KEY}" in [request.headers["authorization"] for request in openai.requests]


def test_a_key_that_the_provider_refuses_is_not_stored(manager: APIKeyManager, openai: Loopback) -> None:
    refuses(openai)

    error = refusal(lambda: manager.set_key("openai", KEY))

    assert error.outcome == KeyOutcome.REJECTED
    assert error.advice
    assert error.advice in str(error)
    assert "checked" not in str(error)
    assert error.provider == "openai"
    assert manager.get_key("openai") is None


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (429, {"code": "rate_limit_exceeded", "type": "requests"}, KeyOutcome.RATE_LIMITED),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, KeyOutcome.NO_CREDIT),
        (403, {"code": "forbidden", "type": "permission_error"}, KeyOutcome.NO_PERMISSION),
    ],
)
def test_a_good_key_of_an_account_that_is_short_of_something_is_stored(
    status: int, error: dict[str, str], outcome: KeyOutcome, manager: APIKeyManager, openai: Loopback
) -> None:
    refuses(openai, status, **error)

    assert manager.check_key("openai", KEY).outcome is outcome
    assert manager.set_key("openai", KEY)
    assert manager.validate_key("openai", KEY) is True


@pytest.mark.parametrize("status", [500, 404])
def test_a_key_that_could_not_be_checked_is_not_stored_unless_unchecked(
    status: int, manager: APIKeyManager, openai: Loopback
) -> None:
    openai.always(status=status, json={})

    error = refusal(lambda: manager.set_key("openai", KEY))

    assert str(error).endswith(" It was not checked; to store it unchecked, say so: validate=False, or --no-validate.")
    assert manager.get_key("openai") is None

    asked = len(openai.requests)
    assert manager.set_key("openai", KEY, validate=False)
    assert len(openai.requests) == asked
    assert manager.get_key("openai") == KEY


def test_a_malformed_key_is_refused_before_anybody_is_asked(manager: APIKeyManager, openai: Loopback) -> None:
    error = refusal(lambda: manager.set_key("openai", f'export OPENAI_API_KEY="{KEY}"'))

    assert error.outcome == KeyOutcome.MALFORMED
    assert openai.requests == []


def test_a_key_of_another_provider_is_told_as_such(manager: APIKeyManager, openai: Loopback) -> None:
    refuses(openai)

    error = refusal(lambda: manager.set_key("openai", "sk-ant-api03-QZJX1234567890123456"))

    assert error.outcome == KeyOutcome.WRONG_PROVIDER
    assert "Anthropic" in str(error)


@pytest.mark.parametrize("wrong", [None, 5, b"sk-1234"])
def test_what_is_no_text_is_no_key(wrong: Any, manager: APIKeyManager) -> None:
    assert "a key is a str" in str(refusal(lambda: manager.set_key("openai", wrong, validate=False)))


def test_an_unknown_provider_is_refused_by_name(manager: APIKeyManager) -> None:
    error = refusal(lambda: manager.set_key("opnai", KEY, validate=False))

    assert "no provider is called 'opnai'; did you mean 'openai'" in str(error)


def test_a_keyring_that_keeps_nothing_is_no_success(manager: APIKeyManager) -> None:
    import keyring.backends.null

    null: Any = keyring.backends.null.Keyring  # it has no annotations
    before = keyring.get_keyring()
    keyring.set_keyring(null())
    try:
        with pytest.raises(KeyStorageError, match="keeps nothing of what it is given"):
            manager.set_key("openai", KEY, validate=False)
    finally:
        keyring.set_keyring(before)


def test_the_base_url_and_the_headers_of_the_settings_are_used(manager: APIKeyManager, loopback: Loopback) -> None:
    accepts(loopback)
    set_provider_settings(
        "openai", known=ProviderFactory.describe, base_url=f"{loopback.url}/team/v1", headers={"x-team": "blue"}
    )

    manager.set_key("openai", KEY)

    asked = loopback.requests[0]
    assert (asked.path, asked.headers["x-team"]) == ("/team/v1/models", "blue")


def test_several_keys_have_labels_and_an_order(manager: APIKeyManager) -> None:
    manager.set_key("openai", KEY, validate=False)
    manager.set_key("openai", "sk-QZJX-another", validate=False, label="backup")

    assert [key.label for key in manager.find_keys("openai")] == [None, "backup"]
    assert manager.remove_key("openai") is True
    assert manager.get_key("openai") == "sk-QZJX-another"
    assert manager.remove_key("openai", label="backup") is True
    assert manager.find_keys("openai") == []


# ------------------------------------------------------------------------------------- a provider of one's own


def test_a_provider_of_ones_own_is_asked_by_its_own_check(manager: APIKeyManager, myllm: type[MyLLM]) -> None:
    assert manager.set_key("myllm", "ml-good")
    assert manager.get_key("myllm") == "ml-good"
    assert "ml-good" in myllm.asked

    error = refusal(lambda: manager.set_key("myllm", "ml-bad"))
    assert error.outcome == KeyOutcome.REJECTED
    error = refusal(lambda: manager.validate_key("myllm", "ml-away"))
    assert "my server is away" in str(error)


@pytest.mark.usefixtures("myllm")
def test_a_provider_of_ones_own_is_supported_at_once(manager: APIKeyManager) -> None:
    assert "myllm" in manager.SUPPORTED_PROVIDERS
    assert manager.SUPPORTED_PROVIDERS["myllm"] == "ml-"
    assert "myllm" in manager.list_keys()
    assert manager.list_keys()["myllm"]["encrypted_storage"] is False


def test_a_key_outlives_its_provider_and_can_still_be_removed(manager: APIKeyManager) -> None:
    ProviderFactory.register("myllm", MyLLM)
    manager.set_key("myllm", "ml-good", validate=False)
    ProviderFactory.unregister("myllm")

    assert manager.remove_key("myllm") is True
    assert manager.remove_key("myllm") is False


# --------------------------------------------------------------------------------------- what is supported


def test_the_supported_providers_are_a_mapping_to_what_keys_begin_with(manager: APIKeyManager) -> None:
    supported = APIKeyManager.SUPPORTED_PROVIDERS

    assert supported is manager.SUPPORTED_PROVIDERS
    assert supported["anthropic"] == "sk-ant-"
    assert supported["mistral"] == ""
    assert list(supported) == ProviderFactory.get_supported_providers()
    assert len(supported) == len(list(supported))
    assert dict(supported.items()) == {name: supported[name] for name in supported}
    assert list(supported.values()) == [prefix for _, prefix in supported.items()]
    assert "OPENAI" in supported
    assert "nobody" not in supported
    assert supported.get("nobody") is None
    assert repr(supported) == repr(list(supported))


def test_names_can_be_added_to_them_on_either_side() -> None:
    names = list(APIKeyManager.SUPPORTED_PROVIDERS)

    after = APIKeyManager.SUPPORTED_PROVIDERS + ["auto"]  # noqa: RUF005  # as clients write it
    before = ["auto"] + APIKeyManager.SUPPORTED_PROVIDERS  # noqa: RUF005  # as above
    assert (before, after) == (["auto", *names], [*names, "auto"])


# -------------------------------------------------------------------------------------------------- asking


def test_a_key_that_is_not_there_is_none_whatever_is_asked_for(manager: APIKeyManager) -> None:
    assert [manager.get_key(name) for name in ("openai", "nobody", "", " ")] == [None] * 4
    assert manager.get_masked_key("openai") is None
    assert manager.find_key("openai") is None


def test_a_key_that_changes_is_found_changed(manager: APIKeyManager, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("sk-QZJX-one", "sk-QZJX-two"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        assert manager.get_key("openai") == key
    monkeypatch.delenv("OPENAI_API_KEY")
    assert manager.get_key("openai") is None


def test_settings_that_cannot_be_read_are_no_crash_of_get_key(manager: APIKeyManager) -> None:
    path = config_path()
    path.parent.mkdir(parents=True)
    path.write_text("active_provider = ")

    assert manager.get_key("openai") is None
    assert "line 1" in str(manager.get_status("openai").problem)
    manager.set_key("openai", KEY, validate=False)
    assert manager.get_key("openai") == KEY
    with pytest.raises(ConfigError):
        manager.get_active_provider()


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("x" * 17 + "abcd", "********abcd"),
        ("x" * 16 + "abcd", "********"),
        ("abcd", "********"),
    ],
)
def test_a_masked_key_shows_its_end_where_that_tells_nothing(key: str, shown: str, manager: APIKeyManager) -> None:
    manager.set_key("openai", key, validate=False)

    assert manager.get_masked_key("openai") == shown


def test_every_place_of_a_key_is_told_without_the_key(
    manager: APIKeyManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_API_KEY_FILE", str(tmp_path / "gone"))
    manager.set_key("openai", "sk-QZJX-of-the-keyring-5678", validate=False)

    sources = manager.key_sources("OpenAI")["openai"]

    assert [(source.kind, source.has_key, source.used, source.masked) for source in sources] == [
        ("environment", False, False, None),
        ("environment", True, True, "********1234"),
        ("keyring", True, False, "********5678"),
        ("file", False, False, None),
    ]
    assert "No such file" in str(sources[-1].problem)
    assert "QZJX" not in repr(sources)
    assert manager.list_keys()["openai"] == {
        "environment": True,
        "external_secrets": False,
        "encrypted_storage": True,
    }


def test_providers_that_only_litellm_knows_are_listed_where_they_have_a_key(
    manager: APIKeyManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ProviderFactory.describe("nano-gpt").source == "litellm"
    assert "nano-gpt" not in manager.list_keys()
    assert "nano-gpt" not in manager.key_sources()

    monkeypatch.setenv("NANOGPT_API_KEY", KEY)

    assert manager.list_keys()["nano-gpt"]["environment"] is True
    assert any(source.used for source in manager.key_sources()["nano-gpt"])


def test_without_external_secrets_files_and_commands_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(KEY)
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_API_KEY_FILE", str(tmp_path / "key"))

    assert APIKeyManager().list_keys()["openai"]["external_secrets"] is True
    assert APIKeyManager(use_external_secrets=False).list_keys()["openai"]["external_secrets"] is False
    assert APIKeyManager(use_external_secrets=False).get_key("openai") is None


# -------------------------------------------------------------------------------------------------- checking


def test_the_key_in_use_is_checked_where_none_is_given(
    manager: APIKeyManager, openai: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepts(openai)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    check = manager.check_key("openai")

    assert (check.ok, check.outcome) == (True, KeyOutcome.VERIFIED)
    assert openai.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_where_there_is_no_key_there_is_nothing_to_check(manager: APIKeyManager) -> None:
    with pytest.raises(APIKeyMissingError, match="openai: no key was found: run `homeostasis llm set-key openai`"):
        manager.check_key("openai")


def test_a_provider_that_needs_no_key_is_checked_without(manager: APIKeyManager, loopback: Loopback) -> None:
    loopback.always(json={"models": []})
    set_provider_settings("ollama", known=ProviderFactory.describe, base_url=loopback.url)

    assert manager.check_key("ollama").ok is True


def test_validating_says_true_or_raises(manager: APIKeyManager, openai: Loopback) -> None:
    accepts(openai)
    assert manager.validate_key("openai", KEY) is True
    assert manager.validate_key("openai", SecretStr(KEY)) is True

    refuses(openai)
    error = refusal(lambda: manager.validate_key("openai", KEY))
    assert str(error).startswith("openai: OpenAI does not accept the key.")

    openai.always(drop=True)
    error = refusal(lambda: manager.validate_key("openai", KEY))
    assert error.outcome == KeyOutcome.UNREACHABLE


def test_the_text_of_a_key_is_looked_over_without_asking(manager: APIKeyManager) -> None:
    assert manager.detect_key_issues("openai", KEY) == []
    assert manager.suggest_key_correction("openai", KEY) is None

    assert manager.detect_key_issues("openai", f'"{KEY}"\n') == [
        "The key has white space around it.",
        "The key has quotes around it.",
    ]
    assert manager.suggest_key_correction("openai", f'"{KEY}"\n') == KEY


# -------------------------------------------------------------------------------------------------- the choice


def test_the_choice_of_providers_is_kept(manager: APIKeyManager) -> None:
    manager.set_active_provider("Anthropic")
    manager.set_fallback_order(["openai", "GROQ"])
    manager.set_enable_fallback(False)
    manager.set_provider_policies("low", reliability_preference="balanced")
    manager.set_openrouter_unified_mode(True, proxy_to_openai=False)

    again = APIKeyManager()
    assert again.get_active_provider() == "anthropic"
    assert again.get_fallback_order() == ["openai", "groq"]
    assert again.is_fallback_enabled() is False
    assert again.get_provider_policies() == {
        "cost_preference": "low",
        "latency_preference": "balanced",
        "reliability_preference": "balanced",
    }
    unified = again.get_openrouter_unified_config()
    assert {name: unified[name] for name in ("enabled", "proxy_to_anthropic", "proxy_to_openai")} == {
        "enabled": True,
        "proxy_to_anthropic": True,
        "proxy_to_openai": False,
    }

    again.set_active_provider("auto")
    assert manager.get_active_provider() is None
    again.set_active_provider("groq")
    again.set_active_provider(None)
    assert manager.get_active_provider() is None


def test_what_nobody_knows_is_no_choice(manager: APIKeyManager) -> None:
    wrong: Any = "medium"
    for do, said in (
        (lambda: manager.set_active_provider("opnai"), "no provider is called 'opnai'; did you mean 'openai'"),
        (lambda: manager.set_fallback_order(["openai", "nobody"]), "no provider is called 'nobody'"),
        (lambda: manager.set_provider_policies(latency_preference=wrong), "medium"),
    ):
        assert said in str(refusal(do))
    assert not config_path().exists()


def test_the_summary_has_all_of_it(manager: APIKeyManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-QZJX-1234567890")
    manager.set_key("openai", KEY, validate=False)
    manager.set_active_provider("groq")

    summary = manager.get_provider_config_summary()

    assert json.loads(json.dumps(summary)) == {
        "active_provider": "groq",
        "fallback_enabled": True,
        "fallback_order": ["anthropic", "openai", "openrouter"],
        "available_providers": ["groq", "openai"],
        "openrouter_unified": False,
        "provider_policies": {
            "cost_preference": "balanced",
            "latency_preference": "balanced",
            "reliability_preference": "high",
        },
        "total_configured_providers": 2,
    }
    assert APIKeyManager.DEFAULT_CONFIG["fallback_order"] == summary["fallback_order"]
