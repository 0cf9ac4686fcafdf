"""What the user has set counts wherever a provider is made, unless the program says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostasis_llm import InvalidRequestError, LLMMessage, LLMRequest, ProviderFactory
from homeostasis_llm.config import ConfigError

from .loopback import Loopback

ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
}
HELLO = LLMRequest(messages=[LLMMessage(role="user", content="Hi")])


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("HOMEOSTASIS_CONFIG", str(path))
    return path


def test_base_url_model_and_headers_are_those_of_the_settings(settings: Path, loopback: Loopback) -> None:
    settings.write_text(
        f'[providers.openai]\nbase_url = "{loopback.url}/v1"\ndefault_model = "mine"\nheaders = {{x-team = "blue"}}\n',
        encoding="utf-8",
    )
    loopback.always(json=ANSWER)

    ProviderFactory.create_provider("openai", "sk-0123456789").complete(HELLO)

    request = loopback.requests[0]
    assert (request.path, request.json["model"], request.headers["x-team"]) == ("/v1/chat/completions", "mine", "blue")


def test_what_the_program_says_goes_before_the_settings(settings: Path, loopback: Loopback) -> None:
    settings.write_text('[providers.openai]\nbase_url = "http://127.0.0.1:1/theirs"\n', encoding="utf-8")
    loopback.always(json=ANSWER)

    ProviderFactory.create_provider("openai", "sk-0123456789", base_url=loopback.url).complete(HELLO)

    assert len(loopback.requests) == 1


def test_settings_that_cannot_be_read_are_told_and_not_passed_over(settings: Path) -> None:
    settings.write_text('[providers.openai]\nbase_ulr = "http://127.0.0.1"\n', encoding="utf-8")

    with pytest.raises(ConfigError, match=r"settings\.toml.*base_ulr.*base_url"):
        ProviderFactory.create_provider("openai", "sk-0123456789")


def test_a_setting_that_an_adapter_has_no_use_for_is_refused(settings: Path) -> None:
    settings.write_text('[providers.llama_cpp]\nbase_url = "http://127.0.0.1"\n', encoding="utf-8")

    with pytest.raises(InvalidRequestError, match="has no option 'base_url'"):
        ProviderFactory.create_provider("llama_cpp")
