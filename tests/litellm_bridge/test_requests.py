"""What is really sent for a request."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from homeostasis_llm import (
    AudioPart,
    AuthenticationError,
    FilePart,
    ImagePart,
    InvalidRequestError,
    JSONSchema,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    ServerError,
    TextPart,
    Timeout,
    Tool,
    ToolCall,
)
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider

from ..loopback import Loopback
from .wires import KEY, anthropic_answer, ask, openai_answer

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = Tool(name="weather", description="Tells the weather", parameters=SCHEMA)


@pytest.fixture
def openai(loopback: Loopback) -> LLMProviderInterface:
    loopback.always(json=openai_answer())
    return LiteLLMProvider("openai", KEY, base_url=f"{loopback.url}/v1")


def sent(loopback: Loopback) -> Any:
    """The body of the last request."""
    return loopback.requests[-1].json


@pytest.mark.parametrize(
    ("field", "given", "name", "expected"),
    [
        ("max_tokens", 5, "max_tokens", 5),
        ("temperature", 0.0, "temperature", 0.0),
        ("top_p", 0.0, "top_p", 0.0),
        ("stop", "END", "stop", ["END"]),
        ("stop", ["a", "b"], "stop", ["a", "b"]),
        ("seed", 0, "seed", 0),
        ("tools", [TOOL], "tools", [{"type": "function", "function": {**vars(TOOL), "strict": None}}]),
        ("response_format", "json", "response_format", {"type": "json_object"}),
        (
            "response_format",
            JSONSchema(schema=SCHEMA, name="place", strict=True),
            "response_format",
            {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}},
        ),
        ("extra", {"logit_bias": {"50256": -100}}, "logit_bias", {"50256": -100}),
        ("extra", {"a_field_of_its_own": [0]}, "a_field_of_its_own", [0]),
    ],
)
def test_each_parameter_is_sent_as_it_was_given(  # noqa: PLR0917  # a table and two fixtures
    field: str, given: Any, name: str, expected: object, openai: LLMProviderInterface, loopback: Loopback
) -> None:
    fields: dict[str, Any] = {field: given}
    openai.complete(ask(**fields))

    found = sent(loopback)[name]
    if name == "tools":
        expected[0]["function"].pop("strict")  # type: ignore[index]  # None is not sent
    assert found == expected


def test_nothing_is_sent_that_was_not_said(openai: LLMProviderInterface, loopback: Loopback) -> None:
    openai.complete(ask("Hi"))

    assert sent(loopback) == {"model": "some-model", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("weather", {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_a_tool_is_chosen_by_a_word_or_by_its_name(
    choice: str, expected: object, openai: LLMProviderInterface, loopback: Loopback
) -> None:
    openai.complete(ask(tools=[TOOL], tool_choice=choice, parallel_tool_calls=False))

    assert sent(loopback)["tool_choice"] == expected
    assert sent(loopback)["parallel_tool_calls"] is False


def test_a_conversation_is_sent_in_order_with_the_system_prompt_first(
    openai: LLMProviderInterface, loopback: Loopback
) -> None:
    openai.complete(
        LLMRequest(
            system_prompt="Be brief.",
            messages=[
                LLMMessage(role="system", content="Be kind."),
                LLMMessage(role="user", content="Weather?", name="ann"),
                LLMMessage(role="assistant", tool_calls=[ToolCall(name="weather", arguments={"city": "Ulm"}, id="c1")]),
                LLMMessage(role="tool", content="Rain", tool_call_id="c1"),
            ],
            model="m",
        )
    )

    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Ulm"}'}}
    assert sent(loopback)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Weather?", "name": "ann"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": "Rain", "tool_call_id": "c1"},
    ]


def test_parts_other_than_text_are_sent_as_chat_completions_have_them(
    openai: LLMProviderInterface, loopback: Loopback
) -> None:
    parts: list[TextPart | ImagePart | AudioPart | FilePart] = [
        TextPart(text="See:"),
        ImagePart(data=PNG, detail="low"),
        ImagePart(url="https://example.org/cat.png"),
        AudioPart(data=b"RIFF", media_type="audio/wav"),
        FilePart(data=b"%PDF-", media_type="application/pdf", name="a.pdf"),
        FilePart(file_id="file-1"),
    ]

    openai.complete(LLMRequest(messages=[LLMMessage(role="user", content=parts)], model="gpt-4o"))

    image = base64.b64encode(PNG).decode()
    assert sent(loopback)["messages"][0]["content"] == [
        {"type": "text", "text": "See:"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]


def test_the_dialect_is_the_providers_own(loopback: Loopback) -> None:
    loopback.always(json=anthropic_answer())
    anthropic = LiteLLMProvider("anthropic", KEY, base_url=loopback.url)

    anthropic.complete(ask("Hi", system_prompt="Be brief.", max_tokens=7, tools=[TOOL], tool_choice="required"))

    request = loopback.requests[0]
    assert (request.path, request.headers["x-api-key"]) == ("/v1/messages", KEY)
    assert request.json["system"] == [{"type": "text", "text": "Be brief."}]
    assert request.json["max_tokens"] == 7
    assert request.json["tools"][0]["input_schema"] == SCHEMA
    assert request.json["tool_choice"]["type"] == "any"


@pytest.mark.parametrize("lane", ["direct", "full"])
@pytest.mark.parametrize(
    ("name", "model", "within"),
    [
        ("openai", "gpt-5-mini", '"arguments": "{\\"city\\": \\"Osl"'),
        ("groq", "llama-3.3-70b-versatile", '"arguments": "{\\"city\\": \\"Osl"'),
        ("cohere", "command-a-03-2025", '"arguments": "{\\"city\\": \\"Osl"'),
        ("anthropic", "claude-sonnet-4-5", '"input": {"INVALID_JSON": "{\\"city\\": \\"Osl"}'),
        ("bedrock", "us.amazon.nova-pro-v1:0", '"input": {"INVALID_JSON": "{\\"city\\": \\"Osl"}'),
        ("gemini", "gemini-2.5-flash", '"args": {"INVALID_JSON": "{\\"city\\": \\"Osl"}'),
        ("ollama", "llama3.1", '"arguments": {"INVALID_JSON": "{\\"city\\": \\"Osl"}'),
    ],
)
def test_a_call_whose_arguments_are_no_json_can_be_told_of(  # noqa: PLR0917  # a table, two fixtures and a lane
    name: str, model: str, within: str, lane: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEOSTASIS_LITELLM_LANE", lane)
    loopback.always(status=503, json={})
    broken = ToolCall(name="weather", id="call_1", invalid_arguments='{"city": "Osl')
    told = [
        LLMMessage(role="user", content="Weather?"),
        LLMMessage(role="assistant", tool_calls=[broken]),
        LLMMessage(role="tool", content="what city?", tool_call_id="call_1", is_error=True),
    ]

    with pytest.raises(ServerError):
        LiteLLMProvider(name, KEY, base_url=loopback.url).complete(LLMRequest(told, model=model, tools=[TOOL]))

    asked = next(request for request in loopback.requests if request.path != "/api/show")
    assert within in json.dumps(asked.json)


def test_a_field_that_a_provider_lacks_is_refused_and_not_dropped(loopback: Loopback) -> None:
    anthropic = LiteLLMProvider("anthropic", KEY, base_url=loopback.url)

    with pytest.raises(InvalidRequestError, match="seed"):
        anthropic.complete(ask(seed=7))

    assert loopback.requests == []


@pytest.mark.parametrize("name", ["api_key", "api_base", "model", "messages", "stream", "mock_response", "timeout"])
def test_extra_cannot_say_what_has_a_place_of_its_own(
    name: str, openai: LLMProviderInterface, loopback: Loopback
) -> None:
    with pytest.raises(InvalidRequestError, match=rf"LLMRequest\.extra: '{name}'"):
        openai.complete(ask(extra={name: "x"}))

    assert loopback.requests == []


def test_headers_of_ones_own_are_sent_beside_the_key(loopback: Loopback) -> None:
    loopback.always(json=openai_answer())

    LiteLLMProvider("openai", KEY, base_url=loopback.url, headers={"x-team": "blue"}).complete(ask())

    assert loopback.requests[0].headers["x-team"] == "blue"
    assert loopback.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_no_key_means_that_none_is_looked_for_in_the_environment(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    loopback.always(json=openai_answer())

    LiteLLMProvider("openai", "", base_url=loopback.url).complete(ask())

    assert KEY not in str(loopback.requests[0].headers)


def test_the_environment_may_name_the_base_url(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback.always(json=openai_answer())
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/theirs")
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/ours")

    LiteLLMProvider("openai", KEY).complete(ask())

    assert loopback.requests[0].path == "/ours/chat/completions"


@pytest.mark.parametrize("base_url", ["example.org/v1", "ftp://example.org", "http://", "", "https:/example.org"])
def test_a_base_url_that_is_none_is_refused_at_once(base_url: str) -> None:
    with pytest.raises(InvalidRequestError, match="base_url"):
        LiteLLMProvider("openai", KEY, base_url=base_url)


def test_without_any_model_the_request_is_refused(loopback: Loopback) -> None:
    provider = LiteLLMProvider("hosted_vllm", KEY, base_url=loopback.url)

    with pytest.raises(InvalidRequestError, match=r"LLMRequest\.model"):
        provider.complete(LLMRequest(messages=[LLMMessage(role="user", content="Hi")]))


def test_a_request_of_an_authors_own_class_is_taken_as_it_is(openai: LLMProviderInterface, loopback: Loopback) -> None:
    @dataclass
    class Mine(LLMRequest):
        flavour: str = "sweet"

    openai.complete(Mine(messages=[LLMMessage(role="user", content="Hi")], model="m"))

    assert sent(loopback)["model"] == "m"


def test_answers_share_a_connection(openai: LLMProviderInterface, loopback: Loopback) -> None:
    for _ in range(3):
        openai.complete(ask(timeout=Timeout(total=5)))

    assert len(loopback.requests) == 3
    assert loopback.connections == 1


@pytest.mark.parametrize(
    ("name", "below", "path"),
    [
        ("cohere", "/v2", "/v2/chat"),
        ("gemini", "", "/v1beta/models/some-model:generateContent"),
        ("gemini", "/v1alpha", "/v1alpha/models/some-model:generateContent"),
        ("anthropic", "", "/v1/messages"),
        ("mistral", "/v1", "/v1/chat/completions"),
        ("lm_studio", "/v1", "/v1/chat/completions"),
    ],
)
def test_a_base_url_means_the_same_for_every_provider(name: str, below: str, path: str, loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": "No."}})

    with pytest.raises(AuthenticationError):
        LiteLLMProvider(name, KEY, base_url=loopback.url + below).complete(ask())

    assert loopback.requests[0].path == path


@pytest.mark.parametrize("lane", ["direct", "full"])
def test_cookies_are_not_kept(lane: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_LITELLM_LANE", lane)
    loopback.always(json=openai_answer(), headers={"Set-Cookie": "session=of-the-first-key; Path=/"})
    provider = LiteLLMProvider("groq", KEY, base_url=loopback.url)

    async def ask_twice() -> None:
        await provider.acomplete(ask())
        await provider.acomplete(ask())

    provider.complete(ask())
    provider.complete(ask())
    asyncio.run(ask_twice())

    assert len(loopback.requests) == 4
    assert all("cookie" not in request.headers for request in loopback.requests)


def test_a_server_on_ones_own_machine_is_never_taken_for_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LM_STUDIO_API_BASE", "HOMEOSTASIS_LM_STUDIO_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)

    # Not asked over a socket: the developer may have such a server running at that very port.
    connection = LiteLLMProvider("lm_studio", KEY)._connection()

    assert "localhost" in connection["api_base"] or "127.0.0.1" in connection["api_base"]
