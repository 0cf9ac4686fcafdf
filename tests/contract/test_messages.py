"""What a conversation may consist of, and what is refused before it is sent."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm import AudioPart, FilePart, ImagePart, LLMMessage, Reasoning, TextPart, ToolCall
from homeostasis_llm.messages import data_url

from .refusals import refusal

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
GIF = b"GIF89a\x01\x00\x01\x00"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "
PDF = b"%PDF-1.7\n"

# Types are wrong here on purpose.
message: Any = LLMMessage
image: Any = ImagePart
audio: Any = AudioPart
file: Any = FilePart
call: Any = ToolCall


@pytest.mark.parametrize(
    ("make", "said"),
    [
        # Roles.
        (
            lambda: message("robot", "x"),
            "LLMMessage.role: input should be 'system', 'user', 'assistant' or 'tool', got",
        ),
        (lambda: message("User", "x"), "LLMMessage.role: "),
        (lambda: message("user\n", "x"), "LLMMessage.role: "),
        (lambda: message("", "x"), "LLMMessage.role: "),
        (lambda: message(None, "x"), "LLMMessage.role: "),
        (message, "LLMMessage.role: field required"),
        # Tools' results and tool calls.
        (lambda: message("tool", "4"), "LLMMessage.tool_call_id: a tool's message must name the call it answers"),
        (lambda: message("tool", "4", tool_call_id=""), "LLMMessage.tool_call_id: "),
        (lambda: message("user", "x", tool_calls=[ToolCall("add")]), "LLMMessage.tool_calls: only an assistant's"),
        (lambda: message("assistant", tool_calls=["add"]), "LLMMessage.tool_calls[0]: "),
        (lambda: message("assistant", tool_calls=[{"arguments": {}}]), "LLMMessage.tool_calls[0].name: field required"),
        (lambda: call(""), "ToolCall.name: "),
        (lambda: call("add", "{}"), "ToolCall.arguments: input should be a valid dictionary, got '{}'"),
        (lambda: call("add", {"a": {1, 2}}), "ToolCall.arguments: cannot be sent as JSON: "),
        (lambda: call("add", {"a": float("nan")}), "ToolCall.arguments: cannot be sent as JSON: "),
        # Content.
        (lambda: message("user", 5), "LLMMessage.content: input should be a valid string, got 5"),
        (lambda: message("user", None), "LLMMessage.content: "),
        (lambda: message("user", "half \ud83d"), "LLMMessage.content: has half a character at position 5"),
        (lambda: message("user", [TextPart("a"), "b"]), "LLMMessage.content[1]: "),
        (lambda: message("user", [{"type": "text"}]), "LLMMessage.content[0].text: field required"),
        (lambda: message("user", [{"text": "no type"}]), "LLMMessage.content[0]: "),
        (lambda: message("user", [{"type": "video", "url": "https://x.example"}]), "LLMMessage.content[0]: "),
        (
            lambda: message("user", [{"type": "image", "data": b"hello"}]),
            "LLMMessage.content[0]: ImagePart.data: is no PNG",
        ),
        (
            lambda: message("user", [{"type": "image", "data": "!"}]),
            "LLMMessage.content[0].data: is a string that is not",
        ),
        (lambda: TextPart("\udcff"), "TextPart.text: has half a character at position 0"),
        # Images.
        (image, "ImagePart: needs one of url or data"),
        (lambda: image(url="https://x.example/a.png", data=PNG), "ImagePart: needs one of url or data, not both"),
        (lambda: image(data=b""), "ImagePart.data: is empty"),
        (lambda: image(data=b"hello"), "ImagePart.data: is no PNG, JPEG, GIF or WebP image; it begins with b'hello'"),
        (lambda: image(data=b"<svg/>"), "ImagePart.data: is no PNG, JPEG, GIF or WebP image"),
        (lambda: image(data=b"RIFF\x24\x00\x00\x00WAVE"), "ImagePart.data: is no PNG, JPEG, GIF or WebP image"),
        (lambda: image(data=PNG[:-6][:7]), "ImagePart.data: is no PNG, JPEG, GIF or WebP image"),
        (lambda: image(data="not base64"), "ImagePart.data: is a string that is not base64"),
        (lambda: image(data=PNG, detail="very high"), "ImagePart.detail: "),
        (lambda: image(url="x.example/a.png"), "ImagePart.url: must start with https://, http://"),
        (lambda: image(url="/home/me/a.png"), "ImagePart.url: must start with https://, http://"),
        (lambda: image(url=""), "ImagePart.url: must start with https://, http://"),
        (lambda: image(url="data:image/png;base64"), "ImagePart.url: a data: URL needs a comma"),
        (lambda: image(url="data:image/png;base64,%%%"), "ImagePart.url: its base64 cannot be read"),
        (lambda: image(url="data:image/png;base64,"), "ImagePart.data: is empty"),
        (lambda: image(url="data:image/png;base64,aGVsbG8="), "ImagePart.data: is no PNG"),
        (lambda: image(PNG), "ImagePart.url: "),
        # Sound.
        (audio, "AudioPart: needs one of url or data"),
        (lambda: audio(data=b"RIFF"), "AudioPart.media_type: with bytes it must name their type, as in 'audio/wav'"),
        (lambda: audio(data=b"RIFF", media_type="video/mp4"), "AudioPart.media_type: "),
        (lambda: audio(url="data:video/mp4;base64,AAAA"), "AudioPart.media_type: "),
        # Files.
        (file, "FilePart: needs one of url, data or file_id"),
        (lambda: file(file_id=""), "FilePart.file_id: "),
        (
            lambda: file(file_id="file_1", url="https://x.example/a.pdf"),
            "FilePart: needs one of url, data or file_id, not",
        ),
        (lambda: file(file_id="file_1", data=PDF, media_type="application/pdf"), "FilePart: needs one of"),
        (lambda: file(data=PDF), "FilePart.media_type: with bytes it must name their type, as in 'application/pdf'"),
        (lambda: file(data=b"", media_type="application/pdf"), "FilePart.data: is empty"),
    ],
)
def test_bad_input_is_refused_by_its_field(make: Callable[[], object], said: str) -> None:
    assert refusal(make).startswith(said)


def test_a_long_input_is_not_repeated_in_full() -> None:
    assert len(refusal(lambda: message("x" * 2_000_000))) < 200


@pytest.mark.parametrize(
    ("data", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")]
)
def test_the_type_of_an_image_is_seen_in_its_bytes(data: bytes, media_type: str) -> None:
    assert ImagePart(data=data).media_type == media_type
    assert ImagePart(data=data, media_type="image/tiff").media_type == media_type


def test_bytes_may_come_as_base64() -> None:
    as_text: Any = base64.b64encode(PNG).decode()

    assert ImagePart(data=as_text) == ImagePart(data=PNG)
    assert message("user", [{"type": "image", "data": as_text}]).content == [ImagePart(data=PNG)]


@pytest.mark.parametrize("data", [PNG, JPEG, GIF, WEBP])
def test_a_data_url_is_taken_apart(data: bytes) -> None:
    part = ImagePart(url=data_url(data, "image/x-whatever"))

    assert part == ImagePart(data=data)
    assert part.url is None


@pytest.mark.parametrize(
    ("url", "data", "media_type"),
    [
        ("data:application/pdf;base64,JVBERi0=", b"%PDF-", "application/pdf"),
        ("data:application/pdf;name=a.pdf;base64,JVBERi0=", b"%PDF-", "application/pdf"),
        ("data:application/pdf;base64,JVBERi0%3D", b"%PDF-", "application/pdf"),
        ("data:text/plain,100%25%0A", b"100%\n", "text/plain"),
        ("data:text/csv;charset=utf-8,a,b", b"a,b", "text/csv"),
    ],
)
def test_data_urls_of_all_forms_are_read(url: str, data: bytes, media_type: str) -> None:
    part = FilePart(url=url)

    assert (part.url, part.data, part.media_type) == (None, data, media_type)


def test_a_media_type_that_is_given_counts_more_than_that_of_the_data_url() -> None:
    part = AudioPart(url="data:application/octet-stream;base64,AAAA", media_type="audio/mpeg")

    assert part.media_type == "audio/mpeg"


@given(st.binary(min_size=1))
def test_any_bytes_survive_a_data_url(data: bytes) -> None:
    assert FilePart(url=data_url(data, "application/octet-stream")).data == data


@pytest.mark.parametrize("url", ["https://x.example/a", "http://127.0.0.1/a", "gs://bucket/a", "s3://bucket/a"])
@pytest.mark.parametrize("part", [ImagePart, AudioPart, FilePart])
def test_what_the_provider_fetches_by_itself_stays_a_url(part: Any, url: str) -> None:
    assert part(url=url).url == url
    assert part(url=url).data is None


def test_a_file_may_be_named_by_the_number_its_upload_got() -> None:
    assert FilePart(file_id="file_1").file_id == "file_1"


def test_parts_and_calls_may_be_dicts() -> None:
    made = message(
        "assistant",
        [{"type": "text", "text": "so"}, {"type": "file", "file_id": "file_1"}],
        tool_calls=[{"name": "add", "arguments": {"a": 1}, "id": "call_1"}],
        reasoning={"text": "because"},
    )

    assert made.content == [TextPart("so"), FilePart(file_id="file_1")]
    assert made.tool_calls == [ToolCall("add", {"a": 1}, "call_1")]
    assert made.reasoning == Reasoning("because")


def test_the_text_of_a_message_is_that_of_its_text_parts() -> None:
    assert LLMMessage("user", "hello").text == "hello"
    assert LLMMessage("user", [TextPart("hel"), ImagePart(data=PNG), TextPart("lo")]).text == "hello"
    assert LLMMessage("user", [ImagePart(data=PNG)]).text == ""


def test_a_tools_message_may_say_that_the_tool_failed() -> None:
    made = LLMMessage("tool", "division by zero", tool_call_id="call_1", name="divide", is_error=True)

    assert (made.tool_call_id, made.name, made.is_error) == ("call_1", "divide", True)


def test_a_call_without_an_id_gets_one_that_no_other_has() -> None:
    calls = [ToolCall("add") for _ in range(100)]

    assert len({each.id for each in calls}) == 100
    assert all(each.id.startswith("call_") for each in calls)
    assert copy.copy(calls[0]).id == calls[0].id


def test_reasoning_reads_as_its_text() -> None:
    assert str(Reasoning("because", "anthropic", {"signature": "s"})) == "because"


def test_a_prompt_of_two_megabytes_is_taken_as_it_is() -> None:
    prompt = "лама " * 400_000

    # Not even copied: neither checking nor nesting costs by the length.
    assert LLMMessage("user", prompt).content is prompt


@given(st.text())
def test_any_text_is_content(text: str) -> None:
    assert LLMMessage("user", text).text == text
    assert LLMMessage("user", [TextPart(text)]).text == text
