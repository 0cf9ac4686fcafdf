"""What is clearly too long is not sent, what may fit is, and counting it needs no network."""

from __future__ import annotations

import base64
from functools import cache

import pytest

from homeostasis_llm import (
    AudioPart,
    ContextLengthError,
    FilePart,
    ImagePart,
    JSONSchema,
    LLMMessage,
    LLMRequest,
    TextPart,
    Tool,
    ToolCall,
)
from homeostasis_llm.config import Settings
from homeostasis_llm.litellm_bridge import pricing, runtime
from homeostasis_llm.litellm_bridge.runtime import load_litellm
from homeostasis_llm.litellm_bridge.tokens import context_window, count_tokens
from homeostasis_llm.manager.budgets.context import MARGIN, ContextEstimate, estimate, window_of

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def asking(content: object = "Hi", **more: object) -> LLMRequest:
    return LLMRequest(messages=[LLMMessage(role="user", content=content)], **more)  # type: ignore[arg-type]  # as given


def fits(
    request: LLMRequest, provider: str, model: str | None, settings: Settings, margin: float = MARGIN
) -> ContextEstimate:
    """The estimate for the window that is known of the model."""
    window = None if model is None else window_of(provider, model, settings)
    return estimate(request, provider, model or "", window, margin=margin)


def size(request: LLMRequest) -> int:
    return estimate(request, "openai", "gpt-4o", None).tokens


@pytest.fixture
def loaded() -> None:
    """litellm, which counts only where it is there already."""
    load_litellm()


@pytest.mark.usefixtures("loaded")
def test_what_is_too_long_is_refused_with_both_numbers() -> None:
    found = fits(asking("hello world " * 80_000), "openai", "gpt-4o", Settings())

    assert (found.window, found.counted, found.estimated, found.fits) == (128_000, True, True, False)
    assert found.tokens == pytest.approx(160_000, rel=0.01)
    error = found.error("openai", "gpt-4o")
    assert isinstance(error, ContextLengthError)
    assert (error.prompt_tokens, error.context_tokens) == (found.tokens, 128_000)
    assert (error.provider, error.model) == ("openai", "gpt-4o")
    assert "by our estimate, and gpt-4o reads 128,000; shorten them" in str(error)


@pytest.mark.usefixtures("loaded")
def test_what_may_fit_is_let_go() -> None:
    found = fits(asking("hello world " * 66_000), "openai", "gpt-4o", Settings())

    assert found.tokens > 128_000
    assert found.fits
    assert not found.surely_fits
    assert found.error("openai", "gpt-4o") is None


@pytest.mark.usefixtures("loaded")
def test_the_margin_can_be_chosen() -> None:
    request = asking("hello world " * 66_000)

    assert not fits(request, "openai", "gpt-4o", Settings(), margin=0.0).fits
    assert fits(request, "openai", "gpt-4o", Settings(), margin=0.5).fits


def test_what_is_clearly_short_enough_is_not_counted() -> None:
    found = fits(asking("hello world " * 1000), "openai", "gpt-4o", Settings())

    assert (found.counted, found.fits, found.surely_fits) == (False, True, True)


def test_litellm_is_not_imported_to_count_and_a_guess_refuses_only_the_hopeless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As in a process that has asked no provider of litellm's yet.
    monkeypatch.setattr(runtime, "load_litellm", cache(lambda: pytest.fail("it was imported")))
    unsure = fits(asking("hello world " * 66_000), "openai", "gpt-4o", Settings())
    hopeless = fits(asking("hello world " * 660_000), "openai", "gpt-4o", Settings())

    assert (unsure.counted, unsure.fits) == (False, True)
    assert (hopeless.counted, hopeless.fits) == (False, False)


@pytest.mark.parametrize("provider", ["somebodys_plugin", "openai"])
def test_where_the_window_is_not_known_all_is_let_go(provider: str) -> None:
    found = fits(asking("x" * 10_000_000), provider, "nobodys-model", Settings())

    assert (found.window, found.fits, found.surely_fits) == (None, True, False)


def test_the_settings_say_the_window_where_the_list_does_not() -> None:
    told = Settings.model_validate(
        {"providers": {"hosted_vllm": {"context_window": 4096}, "openai": {"context_window": 9}}}
    )

    assert window_of("hosted_vllm", "in-house-7b", told) == 4096
    assert window_of("openai", "gpt-4o", told) == 128_000
    assert window_of("mistral", "in-house-7b", told) is None


def test_all_that_the_model_reads_is_counted() -> None:
    plain = size(asking())
    call = LLMMessage(role="assistant", tool_calls=[ToolCall(name="f", arguments={"text": "x" * 400})])
    broken = LLMMessage(role="assistant", tool_calls=[ToolCall(name="f", invalid_arguments="x" * 400)])

    assert size(asking(system_prompt="x" * 400)) >= plain + 100
    assert size(asking(tools=[Tool(name="f", description="x" * 400)])) >= plain + 100
    assert size(asking(tools=[{"type": "provider_tool", "text": "x" * 400}])) >= plain + 100
    assert size(asking(response_format=JSONSchema(schema={"description": "x" * 400}))) >= plain + 100
    assert size(LLMRequest(messages=[call])) >= 100
    assert size(LLMRequest(messages=[broken])) >= 100
    assert size(asking([TextPart(text="x" * 400), ImagePart(data=PNG)])) >= plain + 1100
    assert size(asking([AudioPart(data=bytes(100_000), media_type="audio/wav")])) >= plain + 99
    assert size(asking([FilePart(data=b"x" * 400, media_type="text/plain", name="a.txt")])) >= plain + 99


def test_the_bytes_of_images_and_files_are_not_taken_for_text() -> None:
    pdf = FilePart(data=b"%PDF" + bytes(1_000_000), media_type="application/pdf")

    assert size(asking([pdf, ImagePart(url="https://example.org/a.png")])) < 1100


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "text",
    ["", "😀" * 50_000, "a" * 300_000, " " * 300_000, "<|endoftext|>" * 20_000, "\x00" * 300_000, "你好" * 60_000],
)
def test_no_text_is_too_odd(text: str) -> None:
    found = estimate(asking(text), "openai", "gpt-4o", 10)

    assert found.tokens >= 0
    assert found.counted == (len(text) > 0)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("model", "litellm_name"),
    [
        ("gpt-4o", "openai"),
        ("claude-opus-5", "anthropic"),
        ("gemini-3.5-flash", "gemini"),
        ("command-r", "cohere_chat"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "together_ai"),
        ("nobodys-model", "nobody"),
    ],
)
def test_any_model_s_tokens_are_counted_without_the_network(model: str, litellm_name: str) -> None:
    assert count_tokens("hello world " * 1000, model, litellm_name) == pytest.approx(2000, rel=0.1)


@pytest.mark.usefixtures("loaded")
def test_a_tokenizer_that_fails_leaves_the_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    litellm = load_litellm()

    def token_counter(**_: object) -> int:
        raise RuntimeError("no tokenizer")

    monkeypatch.setattr(litellm, "token_counter", token_counter)

    found = estimate(asking("hello world " * 1000), "openai", "gpt-4o", 1000)

    assert (found.counted, found.tokens) == (False, 3004)


def test_windows_are_those_of_the_asked_provider() -> None:
    assert context_window("gpt-4o", "openai") == 128_000
    assert context_window("gemini-3.5-flash", "gemini") == 1_048_576
    assert context_window("command-r7b-12-2024", "cohere_chat") == 128_000
    assert context_window("gpt-4o", "anthropic") is None
    assert context_window("gpt-5.5-cyber", "openai") is None  # listed, without a window


def test_a_model_that_the_user_registered_with_litellm_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    litellm = load_litellm()
    monkeypatch.setitem(
        litellm.model_cost, "openai/in-house", {"litellm_provider": "openai", "max_input_tokens": 77, "mode": "chat"}
    )

    assert context_window("in-house", "openai") == 77


def test_without_litellm_s_list_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "_rows", dict)

    assert context_window("gpt-4o", "openai") is None
