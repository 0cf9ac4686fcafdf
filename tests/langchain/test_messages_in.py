"""What LangChain's messages become on the way to a provider."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from homeostasis_llm import (
    AudioPart,
    ChatHomeostasis,
    FilePart,
    ImagePart,
    InvalidRequestError,
    LLMMessage,
    LLMResponse,
    Reasoning,
    TextPart,
    ToolCall,
)

from .providers import Scripted

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
PNG64 = base64.b64encode(PNG).decode()
PDF64 = base64.b64encode(b"%PDF-1.7").decode()
WAV64 = base64.b64encode(b"RIFF....WAVE").decode()
PDF = FilePart(data=b"%PDF-1.7", media_type="application/pdf")
WAV = AudioPart(data=b"RIFF....WAVE", media_type="audio/wav")


def sent(*messages: BaseMessage, name: str = "scripted") -> list[LLMMessage]:
    """What a provider receives of `messages`."""
    provider = Scripted(name=name)
    ChatHomeostasis(provider=provider).invoke(list(messages))
    return provider.asked[0].messages


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "hi"}, TextPart(text="hi")),
        ("hi", TextPart(text="hi")),
        ({"type": "text-plain", "text": "hi", "mime_type": "text/plain"}, TextPart(text="hi")),
        ({"type": "image", "base64": PNG64, "mime_type": "image/png"}, ImagePart(data=PNG)),
        ({"type": "image", "url": "https://a.example/b.png"}, ImagePart(url="https://a.example/b.png")),
        ({"type": "audio", "base64": WAV64, "mime_type": "audio/wav"}, WAV),
        ({"type": "audio", "url": "https://a.example/b.wav"}, AudioPart(url="https://a.example/b.wav")),
        ({"type": "file", "base64": PDF64, "mime_type": "application/pdf"}, PDF),
        ({"type": "file", "url": "https://a.example/b.pdf"}, FilePart(url="https://a.example/b.pdf")),
        ({"type": "file", "file_id": "file-1"}, FilePart(file_id="file-1")),
        (
            {"type": "file", "base64": PDF64, "mime_type": "application/pdf", "extras": {"filename": "a.pdf"}},
            FilePart(data=b"%PDF-1.7", media_type="application/pdf", name="a.pdf"),
        ),
    ],
)
def test_a_standard_block_becomes_a_part(block: Any, part: object) -> None:
    [message] = sent(HumanMessage([block, {"type": "text", "text": "?"}]))

    assert message.content == [part, TextPart(text="?")]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG64}"}}, ImagePart(data=PNG)),
        (
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
            ImagePart(url="https://a.example/b.png", detail="low"),
        ),
        ({"type": "image_url", "image_url": "https://a.example/b.png"}, ImagePart(url="https://a.example/b.png")),
        ({"type": "input_audio", "input_audio": {"data": WAV64, "format": "wav"}}, WAV),
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF64}", "filename": "a.pdf"}},
            FilePart(data=b"%PDF-1.7", media_type="application/pdf", name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, FilePart(file_id="file-1")),
    ],
)
def test_openais_older_blocks_become_parts(block: dict[str, Any], part: object) -> None:
    [message] = sent(HumanMessage([block, {"type": "text", "text": "?"}]))

    assert message.content == [part, TextPart(text="?")]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source_type": "base64", "data": PNG64, "mime_type": "image/png"},
            ImagePart(data=PNG),
        ),
        (
            {"type": "image", "source_type": "url", "url": "https://a.example/b.png"},
            ImagePart(url="https://a.example/b.png"),
        ),
        ({"type": "file", "source_type": "base64", "data": PDF64, "mime_type": "application/pdf"}, PDF),
    ],
)
def test_langchains_older_blocks_become_parts(block: dict[str, Any], part: object) -> None:
    [message] = sent(HumanMessage([block, {"type": "text", "text": "?"}]))

    assert message.content == [part, TextPart(text="?")]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG64}},
            ImagePart(data=PNG),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
            ImagePart(url="https://a.example/b.png"),
        ),
        ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF64}}, PDF),
        (
            {"type": "document", "title": "A", "source": {"type": "url", "url": "https://a.example/b.pdf"}},
            FilePart(url="https://a.example/b.pdf", name="A"),
        ),
        ({"type": "document", "source": {"type": "file", "file_id": "file-1"}}, FilePart(file_id="file-1")),
        ({"type": "document", "source": {"type": "text", "data": "hi"}}, TextPart(text="hi")),
        ({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}, TextPart(text="hi")),
    ],
)
def test_anthropics_blocks_become_parts(block: dict[str, Any], part: object) -> None:
    [message] = sent(HumanMessage([block, {"type": "text", "text": "?"}]))

    assert message.content == [part, TextPart(text="?")]


@pytest.mark.parametrize("content", ["hi", ["hi"], [{"type": "text", "text": "hi"}]])
def test_a_single_text_is_a_string_however_it_was_wrapped(content: Any) -> None:
    assert sent(HumanMessage(content)) == [LLMMessage(role="user", content="hi")]


def test_several_system_messages_stay_apart_and_in_place() -> None:
    said = sent(SystemMessage("a"), SystemMessage([{"type": "text", "text": "b"}]), HumanMessage("c"))

    assert [(message.role, message.content) for message in said] == [("system", "a"), ("system", "b"), ("user", "c")]


def test_names_of_participants_are_kept() -> None:
    said = sent(HumanMessage("a", name="ann"), AIMessage("b", name="bot"), SystemMessage("c", name="rule"))

    assert [message.name for message in said] == ["ann", "bot", "rule"]


@pytest.mark.parametrize(
    ("word", "role"),
    [
        ("user", "user"),
        ("human", "user"),
        ("assistant", "assistant"),
        ("ai", "assistant"),
        ("system", "system"),
        ("developer", "system"),
    ],
)
def test_a_chat_message_has_the_role_it_names(word: str, role: str) -> None:
    [message] = sent(ChatMessage(content="hi", role=word))

    assert (message.role, message.content) == (role, "hi")


def test_a_tools_answer_names_its_call_and_says_whether_it_failed() -> None:
    asked = AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}])
    failed = ToolMessage("no b", name="add", tool_call_id="c1", status="error", artifact={"big": "thing"})

    _, call, answer = sent(HumanMessage("1+?"), asked, failed)

    assert call.tool_calls == [ToolCall(name="add", arguments={"a": 1}, id="c1")]
    assert answer == LLMMessage(role="tool", content="no b", tool_call_id="c1", name="add", is_error=True)


def test_a_tools_answer_may_hold_an_image() -> None:
    shown = ToolMessage([{"type": "image", "base64": PNG64, "mime_type": "image/png"}], tool_call_id="c1")

    [answer] = sent(shown)

    assert answer.content == [ImagePart(data=PNG)]


def test_anthropics_tool_result_in_a_users_message_becomes_a_tools_message() -> None:
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "3"}], "is_error": True}

    said = sent(HumanMessage([result, {"type": "text", "text": "go on"}]))

    assert said == [
        LLMMessage(role="tool", content="3", tool_call_id="c1", is_error=True),
        LLMMessage(role="user", content="go on"),
    ]


def test_anthropics_tool_use_block_is_the_call_that_tool_calls_also_names() -> None:
    content: list[Any] = [
        {"type": "text", "text": "let me see"},
        {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
        {"type": "tool_use", "id": "c2", "name": "add", "input": {"a": 2}},
    ]

    [message] = sent(AIMessage(content, tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}]))

    assert message.content == "let me see"
    assert [(call.id, call.arguments) for call in message.tool_calls] == [("c1", {"a": 1}), ("c2", {"a": 2})]


def test_a_call_that_streamed_in_is_read_from_tool_calls_where_the_block_has_only_its_beginning() -> None:
    begun: list[Any] = [{"type": "tool_use", "id": "c1", "name": "add", "input": {}, "partial_json": '{"a": 1}'}]

    [message] = sent(AIMessage(begun, tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}]))

    assert [call.arguments for call in message.tool_calls] == [{"a": 1}]


def test_a_call_that_could_not_be_read_goes_back_as_the_model_wrote_it() -> None:
    written = AIMessage("", invalid_tool_calls=[{"name": "add", "args": '{"a": 1', "id": "c1", "error": None}])

    [message] = sent(written)

    [call] = message.tool_calls
    assert (call.name, call.id, call.invalid_arguments, call.arguments) == ("add", "c1", '{"a": 1', {})


def test_a_streamed_message_can_be_sent_back() -> None:
    streamed = AIMessageChunk(content="he") + AIMessageChunk(content="llo")

    assert sent(streamed) == [LLMMessage(role="assistant", content="hello")]


def test_anthropics_signed_thoughts_are_kept_for_anthropic() -> None:
    content: list[Any] = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "hi"},
    ]

    [message] = sent(AIMessage(content))

    assert message.content == "hi"
    assert message.reasoning == Reasoning(
        text="hm",
        provider="anthropic",
        payload={
            "thinking_blocks": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "redacted_thinking", "data": "xyz"},
            ]
        },
    )


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock"])
def test_thoughts_of_langchains_own_models_are_read_through_langchains_translators(dialect: str) -> None:
    content: list[Any] = [{"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "text", "text": "hi"}]

    [message] = sent(AIMessage(content, response_metadata={"model_provider": dialect}))

    assert message.content == "hi"
    assert message.reasoning is not None
    assert (message.reasoning.text, message.reasoning.provider) == ("hm", dialect)


def test_reasoning_beside_the_content_is_found() -> None:
    [message] = sent(AIMessage("hi", additional_kwargs={"reasoning_content": "hm"}))

    assert message.reasoning == Reasoning(text="hm")


def test_what_a_provider_wants_back_survives_a_turn_and_a_store() -> None:
    thought = Reasoning(text="hm", provider="acme", payload={"signature": "s"})
    call = ToolCall(name="add", arguments={"a": 1}, id="c1", payload={"thought_signature": "t"})
    provider = Scripted(
        LLMResponse(content="", provider="acme", reasoning=thought, tool_calls=[call]), "3", name="acme"
    )
    model = ChatHomeostasis(provider=provider)
    answer = model.invoke("1+?")
    stored = AIMessage.model_validate(json.loads(answer.model_dump_json()))

    model.invoke([HumanMessage("1+?"), stored, ToolMessage("2", tool_call_id="c1")])

    back = provider.asked[1].messages[1]
    assert back.reasoning == thought
    assert back.tool_calls == [call]


def test_what_one_provider_wants_back_is_not_for_another() -> None:
    thought = Reasoning(text="hm", provider="acme", payload={"signature": "s"})
    call = ToolCall(name="add", id="c1", payload={"thought_signature": "t"})
    answered = LLMResponse(content="", provider="acme", reasoning=thought, tool_calls=[call])
    answer = ChatHomeostasis(provider=Scripted(answered, name="acme")).invoke("1+?")

    [message] = sent(answer, name="other")

    assert message.reasoning is not None
    assert message.reasoning.provider == "acme"  # a provider sends its own payloads only
    assert message.tool_calls[0].payload is None


def test_what_a_providers_server_did_is_not_sent_again() -> None:
    call = {"type": "server_tool_call", "id": "s1", "name": "web_search", "args": {"query": "x"}}

    [message] = sent(AIMessage([call, {"type": "text", "text": "found"}]))

    assert message.content == "found"
    assert message.tool_calls == []


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (FunctionMessage(content="3", name="add"), "messages[1]: FunctionMessage .* send a ToolMessage"),
        (RemoveMessage(id="1"), "messages[1]: RemoveMessage is no message"),
        (ChatMessage(content="hi", role="critic"), "messages[1]: ChatMessage.role: .* got 'critic'"),
        (HumanMessage([{"type": "video", "url": "https://a.example/b.mp4"}]), "messages[1]: .* 'video' cannot be sent"),
        (HumanMessage([{"type": "hologram", "data": "x"}]), "messages[1]: .* 'hologram' cannot be sent"),
        (HumanMessage([{"type": "image", "file_id": "f"}]), "messages[1]: an image cannot be sent by its file_id"),
        (HumanMessage([{"type": "audio", "file_id": "f"}]), "messages[1]: audio cannot be sent by its file_id"),
        (
            HumanMessage([{"type": "image", "mime_type": "image/png", "base64": PDF64}]),
            "messages[1]: ImagePart.data: is no PNG",
        ),
        (HumanMessage([{"type": "file", "base64": PDF64}]), "messages[1]: FilePart.media_type"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_place_before_anything_is_sent(message: BaseMessage, says: str) -> None:
    provider = Scripted()

    with pytest.raises(InvalidRequestError, match=says.replace("[", r"\[").replace("]", r"\]")) as caught:
        ChatHomeostasis(provider=provider).invoke([HumanMessage("hi"), message])

    assert isinstance(caught.value, ModelInvalidRequestError)
    assert "\n" not in str(caught.value)
    assert provider.asked == []


def test_no_messages_at_all_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="messages"):
        ChatHomeostasis(provider=Scripted()).invoke([])
