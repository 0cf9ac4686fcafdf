"""What LangChain's own tests had sent, by the recordings that `test_standard_cassettes` plays: each provider's words.

A recording is played to nobody who sends anything else, so what stands in it is what is sent.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from homeostasis_llm.testing.cassettes.file_format import read

from .test_standard_cassettes import MEDIA, SCRIPTED, SCRIPTED_NOTE

RECORDINGS = Path(__file__).parents[2] / "cassettes" / "test_standard_cassettes"

PNG, PDF, WAV = (b64encode((MEDIA / name).read_bytes()).decode() for name in ("diagram.png", "page.pdf", "tone.wav"))
IMAGE_URL = (
    "https://raw.githubusercontent.com/langchain-ai/docs/4d11d08b6b0e210bd456943f7a22febbd168b543/src/images/"
    "agentic-rag-output.png"
)


def sent(wire: str, test: str) -> list[dict[str, Any]]:
    """The bodies of all requests of a test, in order."""
    recording = read(RECORDINGS / f"Test{wire}.{test}.yaml")
    return [json.loads(exchange.sent.body) for exchange in recording.exchanges]


def shown(body: dict[str, Any], message: int = -1) -> Any:
    """What a message has beside its text."""
    return [part for part in body["messages"][message]["content"] if part["type"] != "text"]


def test_openai_is_shown_images_by_data_and_by_address() -> None:
    given = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    named = {"type": "image_url", "image_url": {"url": IMAGE_URL}}

    assert [shown(body) for body in sent("OpenAI", "test_image_inputs")] == [[given], [given], [named]]


def test_anthropic_is_shown_images_by_data_and_by_address() -> None:
    given = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    named = {"type": "image", "source": {"type": "url", "url": IMAGE_URL}}

    assert [shown(body) for body in sent("Anthropic", "test_image_inputs")] == [[given], [given], [named]]


def test_openai_is_given_documents_as_files() -> None:
    unnamed, named = (shown(body) for body in sent("OpenAI", "test_pdf_inputs"))

    # OpenAI wants a name; where there is none, litellm makes one up.
    assert unnamed[0]["file"].pop("filename").endswith(".pdf")
    assert unnamed == [{"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}}]
    data = {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "test_file.pdf"}
    assert named == [{"type": "file", "file": data}]


def test_anthropic_is_given_documents_as_documents() -> None:
    document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}

    assert [shown(body) for body in sent("Anthropic", "test_pdf_inputs")] == [[document], [document]]


def test_openai_hears_audio() -> None:
    heard = {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}

    assert [shown(body) for body in sent("OpenAI", "test_audio_inputs")] == [[heard], [heard]]


def test_a_tools_image_is_shown_to_openai_by_the_user_for_its_tools_answer_in_text_alone() -> None:
    for body in sent("OpenAI", "test_image_tool_message"):
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "user"]
        assert shown(body) == [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
        assert isinstance(body["messages"][2]["content"], str)


@pytest.mark.parametrize(
    ("test", "source"),
    [
        ("test_image_tool_message", {"type": "image", "media_type": "image/png", "data": PNG}),
        ("test_pdf_tool_message", {"type": "document", "media_type": "application/pdf", "data": PDF}),
    ],
)
def test_a_tools_files_are_part_of_its_result_for_anthropic(test: str, source: dict[str, str]) -> None:
    kind = source.pop("type")

    for body in sent("Anthropic", test):
        [result] = shown(body)
        assert (result["type"], result["tool_use_id"]) == ("tool_result", "1")
        assert result["content"] == [{"type": kind, "source": {"type": "base64", **source}}]


def test_content_in_anthropics_words_reaches_openai_in_its_own() -> None:
    with_tool, with_thoughts = sent("OpenAI", "test_anthropic_inputs")

    system, user, called, result = with_tool["messages"]
    assert system == {"role": "system", "content": "you're a good assistant"}
    assert user["content"][1]["image_url"] == {"url": f"data:image/png;base64,{PNG}"}
    [call] = called["tool_calls"]
    assert (call["id"], json.loads(call["function"]["arguments"])) == ("foo", {"fav_color": "purple"})
    assert (result["role"], result["tool_call_id"]) == ("tool", "foo")
    assert with_tool["tools"][0]["function"]["parameters"]["required"] == ["fav_color"]
    # Another's thoughts are nothing to OpenAI.
    assert with_thoughts["messages"][1] == {"role": "assistant", "content": "Hello, how are you?"}


def test_content_in_anthropics_words_reaches_anthropic_in_the_same() -> None:
    with_tool, with_thoughts = sent("Anthropic", "test_anthropic_inputs")

    user, called, result = with_tool["messages"]
    assert with_tool["system"] == [{"type": "text", "text": "you're a good assistant"}]
    assert user["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
    call = {"type": "tool_use", "id": "foo", "name": "color_picker", "input": {"fav_color": "purple"}}
    assert called["content"][1] == call
    assert result["content"] == [{"type": "tool_result", "tool_use_id": "foo", "content": "That's a great pick!"}]
    assert with_thoughts["messages"][1]["content"][0]["thinking"].startswith("This is a simple greeting.")


@pytest.mark.parametrize(
    ("wire", "choices"),
    [
        ("OpenAI", ["required", {"type": "function", "function": {"name": "magic_function"}}]),
        ("Anthropic", [{"type": "any"}, {"type": "tool", "name": "magic_function"}]),
    ],
)
def test_that_a_tool_must_be_called_and_which_is_said_in_the_dialect(wire: str, choices: list[object]) -> None:
    assert [body["tool_choice"] for body in sent(wire, "test_tool_choice")] == choices


@pytest.mark.parametrize("wire", ["OpenAI", "Anthropic"])
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
def test_the_model_of_a_call_is_asked_instead_of_ones_own(wire: str, how: str) -> None:
    assert [body["model"] for body in sent(wire, f"test_{how}_with_model_override")] == ["another-model"]


@pytest.mark.parametrize("wire", ["OpenAI", "Anthropic"])
def test_a_recording_says_where_its_answers_are_not_a_models(wire: str) -> None:
    notes = {
        file.stem.partition(".")[2].partition("[")[0]: read(file).note for file in RECORDINGS.glob(f"Test{wire}.*")
    }

    assert {test for test, note in notes.items() if note == SCRIPTED_NOTE} == SCRIPTED & notes.keys()
    assert "fault server" in notes["test_usage_metadata"]
