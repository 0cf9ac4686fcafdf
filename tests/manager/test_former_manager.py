"""What Homeostasis' own code does with its manager works after changing import lines: each test is one such use.

Written after what its generators, its commands and its tests do; the words are ours.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from homeostasis_llm import (
    APIKeyManager,
    LLMError,
    LLMManager,
    LLMMessage,
    LLMRequest,
    ProviderFactory,
)
from tests.loopback import Loopback

KEYS = {"openai": "sk-openai-key-of-this-test-1234", "anthropic": "sk-ant-key-of-this-test-12345"}
OPENAI: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": '{"fix": 1}'}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
ANTHROPIC: dict[str, Any] = {
    "id": "1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": '{"fix": 2}'}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


class Generator:
    """As the patch generators have it: made in a constructor, asked in a method, every failure a warning."""

    def __init__(self) -> None:
        self.keys = APIKeyManager()
        self.llm = LLMManager(self.keys)

    def patch(self, code: str, temperature: float = 0.1) -> tuple[Any, list[str]]:
        request = LLMRequest(
            messages=[LLMMessage(role="user", content=f"Repair: {code}")],
            model=None,
            max_tokens=2000,
            temperature=temperature,
            system_prompt="You repair code.",
        )
        try:
            response = self.llm.complete(request)
        except LLMError as error:
            return None, [str(error)]
        found = re.search(r"\{.*\}", response.content)
        assert len(response.content) > 0
        return json.loads(found.group() if found else ""), []


@pytest.fixture
def openai(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_API_KEY", KEYS["openai"])
    loopback.always(json=OPENAI)
    return loopback


def test_a_generator_is_made_without_a_key_a_prompt_or_a_file(home: Path) -> None:
    generator = Generator()

    assert not [path for path in home.rglob("*") if path.is_file()]
    assert generator.llm.get_available_providers() == []


def test_a_generator_without_a_key_gets_a_warning_it_can_show() -> None:
    patch, warnings = Generator().patch("x = ")

    assert patch is None
    assert len(warnings) == 1
    assert "homeostasis llm set-key" in warnings[0]
    assert "\n" not in warnings[0]


def test_a_generator_gets_its_answer(openai: Loopback, home: Path) -> None:
    settings = home / ".config" / "homeostasis-llm" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[providers.openai]\ndefault_model = "gpt-4o"\n', encoding="utf-8")

    patch, warnings = Generator().patch("x = ", temperature=0.0)

    assert (patch, warnings) == ({"fix": 1}, [])
    sent = openai.requests[0].json
    assert (sent["temperature"], sent["max_tokens"]) == (0.0, 2000)
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


def test_a_generator_that_was_made_before_there_was_a_key_finds_it(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
    loopback.always(json=OPENAI)
    generator = Generator()
    generator.keys.set_key("openai", KEYS["openai"], validate=False)

    assert generator.patch("x = ") == ({"fix": 1}, [])
    assert generator.llm.get_available_providers() == ["openai"]


def test_a_failing_provider_is_followed_by_the_next_of_the_order(
    openai: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback() as anthropic:
        monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_BASE_URL", anthropic.url)
        monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_API_KEY", KEYS["anthropic"])
        openai.always(status=401, json={"error": {"message": "Incorrect API key provided."}})
        anthropic.always(json=ANTHROPIC)
        generator = Generator()
        generator.keys.set_fallback_order(["openai", "anthropic"])

        assert generator.patch("x = ") == ({"fix": 2}, [])
        generator.keys.set_enable_fallback(False)
        patch, warnings = generator.patch("x = ")

    assert patch is None
    assert warnings
    assert len(anthropic.requests) == 1


def test_the_model_of_one_vendor_is_not_asked_of_another(openai: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback() as anthropic:
        monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_BASE_URL", anthropic.url)
        monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_API_KEY", KEYS["anthropic"])
        openai.always(status=500, json={"error": {"message": "down"}})
        anthropic.always(json=ANTHROPIC)
        manager = LLMManager(APIKeyManager())

        response = manager.complete(
            LLMRequest(messages=[LLMMessage(role="user", content="Hi")], model="gpt-4"), enable_retry=False
        )

    assert openai.requests[0].json["model"] == "gpt-4"
    assert anthropic.requests[0].json["model"].startswith("claude")
    assert "gpt-4" in response.attempts[-1].why


def test_what_a_model_leaves_empty_is_an_empty_string(openai: Loopback) -> None:
    openai.always(json={**OPENAI, "choices": [{"index": 0, "message": {"role": "assistant", "content": None}}]})

    assert (
        LLMManager(APIKeyManager()).complete(LLMRequest(messages=[LLMMessage(role="user", content="Hi")])).content == ""
    )


def test_a_request_that_was_extended_goes_through(openai: Loopback) -> None:
    @dataclass
    class Prioritized(LLMRequest):
        priority: int = 0

    request = Prioritized(messages=[LLMMessage(role="user", content="Hi")], priority=3)

    assert LLMManager(APIKeyManager()).complete(request).content == '{"fix": 1}'
    assert len(openai.requests) == 1


def test_a_test_of_theirs_can_have_a_mock_of_it() -> None:
    llm = Mock(spec=LLMManager)
    llm.complete.return_value.content = "patched"

    assert llm.complete(LLMRequest(messages=[LLMMessage(role="user", content="Hi")])).content == "patched"
    for name in (
        "complete_stream",
        "get_available_providers",
        "get_recommended_provider_order",
        "auto_configure_fallback_order",
        "get_provider_health_metrics",
        "get_provider_status_summary",
        "reset_provider_health",
        "force_close_circuit_breaker",
    ):
        assert callable(getattr(llm, name))


def test_a_test_of_their_commands_goes_through(tmp_path: Path) -> None:
    keys = APIKeyManager(config_dir=tmp_path)
    manager = LLMManager(keys)

    assert isinstance(manager.get_available_providers(), list)
    assert isinstance(manager.get_recommended_provider_order(), list)
    assert manager.get_available_providers() == []
    json.dumps(manager.get_provider_status_summary())
    json.dumps(manager.get_provider_health_metrics())
    manager.reset_provider_health()
    manager.reset_provider_health("openai")
    manager.force_close_circuit_breaker("openai")
    assert {"openai", "anthropic", "openrouter"} <= set(ProviderFactory.get_supported_providers())


def test_the_order_that_is_made_by_itself_is_stored_in_the_folder_of_the_key_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(f"HOMEOSTASIS_{name.upper()}_API_KEY", key)
    keys = APIKeyManager(config_dir=tmp_path)

    order = LLMManager(keys).auto_configure_fallback_order()

    assert set(order) == {"openai", "anthropic"}
    assert keys.get_fallback_order() == order


def test_one_failure_does_not_starve_the_one_that_is_preferred(
    openai: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback() as anthropic:
        monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_BASE_URL", anthropic.url)
        monkeypatch.setenv("HOMEOSTASIS_ANTHROPIC_API_KEY", KEYS["anthropic"])
        anthropic.always(json=ANTHROPIC)
        keys = APIKeyManager()
        keys.set_active_provider("openai")
        manager = LLMManager(keys)
        request = LLMRequest(messages=[LLMMessage(role="user", content="Hi")])
        openai.reply(status=500, json={"error": {"message": "down"}})

        providers = [manager.complete(request, enable_retry=False).provider for _ in range(4)]

    assert providers == ["anthropic", "openai", "openai", "openai"]
