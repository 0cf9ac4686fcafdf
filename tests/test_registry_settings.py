"""What the user has set counts wherever a provider is made, unless the program says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostasis_llm import InvalidRequestError, LLMMessage, LLMProviderInterface, LLMRequest, ProviderFactory
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

    with pytest.raises(InvalidRequestError) as caught:
        ProviderFactory.create_provider("llama_cpp")

    place = f"providers.llama_cpp.base_url in {settings}"
    assert caught.value.message == f"LlamaCppProvider: has no option 'base_url' (set by {place})"
    assert caught.value.__context__ is None


def test_a_base_url_in_the_environment_that_an_adapter_has_no_use_for_is_named(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.write_text('[providers.llama_cpp]\nbase_url = "http://127.0.0.1"\n', encoding="utf-8")
    monkeypatch.setenv("HOMEOSTASIS_LLAMA_CPP_BASE_URL", "http://127.0.0.1")

    with pytest.raises(
        InvalidRequestError, match=r"\(set by the environment variable HOMEOSTASIS_LLAMA_CPP_BASE_URL\)"
    ):
        ProviderFactory.create_provider("llama_cpp")


def test_a_setting_that_a_function_does_not_take_is_named(settings: Path) -> None:
    settings.write_text("[providers.mine]\ntimeout = 3\n", encoding="utf-8")

    def make(api_key: str, *, base_url: str | None = None) -> LLMProviderInterface:
        return ProviderFactory.create_provider("openai", api_key, base_url=base_url)

    ProviderFactory.register("mine", make)
    try:
        with pytest.raises(InvalidRequestError) as caught:
            ProviderFactory.create_provider("mine", "made-up-key")
        with pytest.raises(InvalidRequestError) as own:
            ProviderFactory.create_provider("mine", "made-up-key", timeout=4)
    finally:
        ProviderFactory.unregister("mine")

    assert caught.value.message.endswith(
        f"has no option 'timeout'; it has base_url (set by providers.mine.timeout in {settings})"
    )
    assert "set by" not in own.value.message
