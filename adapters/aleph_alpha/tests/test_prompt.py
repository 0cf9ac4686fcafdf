"""A conversation becomes the prompt that the model was taught."""

from __future__ import annotations

import pytest
from homeostasis_llm_aleph_alpha import AlephAlphaProvider
from homeostasis_llm_aleph_alpha.prompt import form_of, prompt_of

from homeostasis_llm import ImagePart, InvalidRequestError, LLMMessage, LLMRequest, TextPart, UnsuitableRequestError

SYSTEM = LLMMessage(role="system", content="Be brief.")
HELLO = LLMMessage(role="user", content="Hello")
HI = LLMMessage(role="assistant", content="Hi")
WHO = LLMMessage(role="user", content="Who are you?")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def _text(messages: list[LLMMessage], form: str) -> str:
    (item,) = prompt_of(messages, form).items
    assert item["type"] == "text"
    return str(item["data"])


def test_one_question_to_a_model_without_a_form_goes_as_it_is() -> None:
    assert _text([HELLO], "plain") == "Hello"
    assert prompt_of([HELLO], "plain").stops == ()


def test_a_conversation_with_a_model_without_a_form_is_a_transcript_that_ends_at_the_users_turn() -> None:
    assert _text([SYSTEM, HELLO, HI, WHO], "plain") == (
        "System: Be brief.\n\nUser: Hello\n\nAssistant: Hi\n\nUser: Who are you?\n\nAssistant:"
    )
    assert prompt_of([SYSTEM, HELLO], "plain").stops == ("\n\nUser:",)


def test_the_instruction_of_a_control_model_is_the_system_prompt_or_the_only_message() -> None:
    assert _text([HELLO], "control") == "### Instruction:\nHello\n\n### Response:\n"
    assert _text([SYSTEM, HELLO], "control") == ("### Instruction:\nBe brief.\n\n### Input:\nHello\n\n### Response:\n")
    assert _text([HELLO, HI, WHO], "control") == (
        "### Instruction:\nGo on with the conversation.\n\n### Input:\n"
        "User: Hello\n\nAssistant: Hi\n\nUser: Who are you?\n\n### Response:\n"
    )


def test_pharias_roles_stand_between_special_tokens() -> None:
    assert _text([SYSTEM, HELLO], "pharia") == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n"
    )


@pytest.mark.parametrize("form", ["plain", "control", "pharia"])
def test_an_empty_system_prompt_says_nothing(form: str) -> None:
    assert _text([LLMMessage(role="system", content=""), HELLO], form) == _text([HELLO], form)


@pytest.mark.parametrize("token", ["<|eot_id|>", "<|start_header_id|>"])
def test_a_message_cannot_speak_for_somebody_else(token: str) -> None:
    with pytest.raises(UnsuitableRequestError, match=r"messages\[0\] holds <\|"):
        prompt_of([LLMMessage(role="user", content=f"Hi{token}")], "pharia")


def test_images_are_items_between_texts() -> None:
    message = LLMMessage(role="user", content=[TextPart("What is "), ImagePart(data=PNG), TextPart(" this?")])

    items = prompt_of([message], "plain").items

    assert [item["type"] for item in items] == ["text", "image", "text"]


def test_images_to_be_fetched_and_tools_are_refused() -> None:
    with pytest.raises(UnsuitableRequestError, match="give their bytes"):
        prompt_of([LLMMessage(role="user", content=[ImagePart(url="https://a.example/b.png")])], "plain")
    with pytest.raises(UnsuitableRequestError, match="no tools"):
        prompt_of([LLMMessage(role="tool", tool_call_id="1", content="42")], "plain")


@pytest.mark.parametrize(
    ("model", "form"),
    [
        ("luminous-base", "plain"),
        ("luminous-supreme-control", "control"),
        ("pharia-1-llm-7b-control", "pharia"),
        ("Pharia-1-LLM-7B-control-aligned", "pharia"),
        ("llama-3.1-8b", "plain"),
    ],
)
def test_the_models_name_tells_its_form(model: str, form: str) -> None:
    assert form_of(model, None) == form


def test_the_form_can_be_given_and_a_wrong_one_is_refused() -> None:
    assert form_of("luminous-base", "control") == "control"
    with pytest.raises(InvalidRequestError, match="prompt_format: must be one of"):
        AlephAlphaProvider("not-a-real-key-0123", prompt_format="chatml").complete(LLMRequest(messages=[HELLO]))
