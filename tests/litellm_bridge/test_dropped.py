"""What litellm would leave out of a request without a word arrives in the provider's words, or is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from homeostasis_llm import (
    AudioPart,
    FilePart,
    ImagePart,
    JSONSchema,
    LLMChunk,
    LLMError,
    LLMMessage,
    LLMRequest,
    Tool,
    UnsuitableRequestError,
)
from homeostasis_llm.litellm_bridge import dropped
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.litellm_bridge.runtime import load_litellm
from homeostasis_llm.messages import ContentPart

from ..loopback import Loopback
from .wires import KEY, ask

TOOL = Tool(name="weather")
FORM = JSONSchema(schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
SOUND = AudioPart(data=b"RIFF-sound", media_type="audio/wav")
PAPER = FilePart(data=b"%PDF-paper", media_type="application/pdf", name="a.pdf")
PICTURE = ImagePart(data=b"\x89PNG\r\n\x1a\npicture")
NO_ANSWER = {"error": {"message": "Asked, and that was all."}}


@pytest.fixture
def server(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """Takes a request, and no more."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    loopback.always(status=400, json=NO_ANSWER)
    return loopback


def named(provider: str, server: Loopback) -> LiteLLMProvider:
    return LiteLLMProvider(provider, KEY, base_url=server.url)


def sent(provider: str, request: LLMRequest, server: Loopback) -> Any:
    """The body that the provider is sent."""
    with pytest.raises(LLMError):
        named(provider, server).complete(request)
    return server.requests[-1].json


def with_part(part: ContentPart, model: str) -> LLMRequest:
    return LLMRequest(messages=[LLMMessage(role="user", content=[part])], model=model)


@pytest.mark.parametrize(
    ("provider", "model", "fields", "field"),
    [
        ("cohere", "command-a-03-2025", {"tools": [TOOL], "tool_choice": "weather"}, "tool_choice"),
        ("cohere", "command-a-03-2025", {"tools": [TOOL], "response_format": "json"}, "response_format"),
        ("cohere", "command-a-03-2025", {"tools": [TOOL], "response_format": FORM}, "response_format"),
        ("zai", "glm-4.6", {"response_format": FORM}, "response_format"),
        ("ollama", "llama3.1", {"tools": [TOOL], "tool_choice": "weather"}, "tool_choice"),
        ("ollama", "llama3.1", {"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ("ollama", "llama3.1", {"tools": [TOOL], "tool_choice": "none"}, "tool_choice"),
        ("gemini", "gemini-2.5-flash", {"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ("gemini", "gemini-2.5-flash", {"tools": [TOOL] * 2, "parallel_tool_calls": False}, "parallel_tool_calls"),
        ("vertex_ai", "gemini-2.5-flash", {"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ("bedrock", "amazon.nova-pro-v1:0", {"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ("anthropic", "claude-sonnet-4-5", {"response_format": "json"}, "response_format"),
        ("bedrock", "amazon.nova-pro-v1:0", {"response_format": "json"}, "response_format"),
        ("vertex_ai", "claude-sonnet-4-5", {"response_format": "json"}, "response_format"),
        ("moonshot", "kimi-k2.5", {"temperature": 0.0}, "temperature"),
        ("moonshot", "moonshot-v1-8k", {"temperature": 1.5}, "temperature"),
    ],
)
def test_what_a_provider_cannot_be_told_is_refused_by_its_name(
    provider: str, model: str, fields: dict[str, Any], field: str, server: Loopback
) -> None:
    with pytest.raises(UnsuitableRequestError) as caught:
        named(provider, server).complete(ask(model=model, **fields))

    assert f"{provider} cannot be told LLMRequest.{field}=" in caught.value.message
    assert (caught.value.provider, caught.value.model) == (provider, model)
    assert server.requests == []


@pytest.mark.parametrize(
    ("provider", "model", "part"),
    [
        ("anthropic", "claude-sonnet-4-5", SOUND),
        ("mistral", "voxtral-small-latest", SOUND),
        ("bedrock", "amazon.nova-pro-v1:0", SOUND),
        ("ollama", "llama3.1", SOUND),
        ("ollama", "llama3.1", PAPER),
        ("deepseek", "deepseek-chat", PICTURE),
        ("deepseek", "deepseek-chat", SOUND),
        ("deepseek", "deepseek-flash", PAPER),
        ("sambanova", "Llama-4-Maverick-17B-128E-Instruct", PICTURE),
        ("sambanova", "Llama-4-Maverick-17B-128E-Instruct", SOUND),
        ("sambanova", "Llama-4-Maverick-17B-128E-Instruct", PAPER),
    ],
)
def test_a_part_that_would_not_arrive_is_refused(
    provider: str, model: str, part: ContentPart, server: Loopback
) -> None:
    with pytest.raises(UnsuitableRequestError, match=f"{provider} cannot be told {part.type} parts"):
        named(provider, server).complete(with_part(part, model))

    assert server.requests == []


async def _streamed(provider: LiteLLMProvider, request: LLMRequest) -> list[LLMChunk]:
    return [chunk async for chunk in provider.acomplete_stream(request)]


@pytest.mark.parametrize(
    "way",
    [
        lambda provider, request: provider.complete(request),
        lambda provider, request: list(provider.complete_stream(request)),
        lambda provider, request: asyncio.run(provider.acomplete(request)),
        lambda provider, request: asyncio.run(_streamed(provider, request)),
    ],
    ids=["complete", "complete_stream", "acomplete", "acomplete_stream"],
)
def test_each_way_of_asking_refuses(way: Callable[[LiteLLMProvider, LLMRequest], object], server: Loopback) -> None:
    with pytest.raises(UnsuitableRequestError, match="give the form as a JSONSchema"):
        way(named("anthropic", server), ask(response_format="json"))

    assert server.requests == []


@pytest.mark.parametrize(
    ("provider", "model", "fields"),
    [
        ("cohere", "command-a-03-2025", {"tools": [TOOL], "tool_choice": "auto"}),
        ("ollama", "llama3.1", {"tools": [TOOL], "tool_choice": "auto"}),
        ("ollama", "llama3.1", {"tool_choice": "none"}),
        ("gemini", "gemini-2.5-flash", {"tools": [TOOL], "parallel_tool_calls": True}),
        ("bedrock", "amazon.nova-pro-v1:0", {"tools": [TOOL], "parallel_tool_calls": True}),
        ("anthropic", "claude-sonnet-4-5", {"response_format": "text"}),
        ("moonshot", "kimi-k2.5", {"temperature": 1.0}),
    ],
)
def test_what_a_provider_does_unasked_need_not_be_told(
    provider: str, model: str, fields: dict[str, Any], server: Loopback
) -> None:
    assert sent(provider, ask(model=model, **fields), server)


@pytest.mark.parametrize(("choice", "word"), [("required", "REQUIRED"), ("none", "NONE")])
def test_cohere_is_told_whether_to_call_tools(choice: str, word: str, server: Loopback) -> None:
    request = ask(tools=[TOOL], tool_choice=choice, extra={"k": 3})

    body = sent("cohere", request, server)

    assert (body["tool_choice"], body["k"]) == (word, 3)


@pytest.mark.parametrize("lane", ["direct", "full"])
@pytest.mark.parametrize(
    ("provider", "model", "form", "told"),
    [
        ("cohere", "command-a-03-2025", "text", {"type": "text"}),
        ("cohere", "command-a-03-2025", "json", {"type": "json_object"}),
        ("cohere", "command-a-03-2025", FORM, {"type": "json_object", "json_schema": FORM.schema}),
        ("zai", "glm-4.6", "text", {"type": "text"}),
        ("zai", "glm-4.6", "json", {"type": "json_object"}),
    ],
)
def test_a_form_that_litellm_refuses_is_told_to_who_knows_it(  # noqa: PLR0917  # a table, two fixtures and a lane
    provider: str, model: str, form: Any, told: Any, lane: str, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEOSTASIS_LITELLM_LANE", lane)

    assert sent(provider, ask(model=model, response_format=form), server)["response_format"] == told


def test_mistral_is_told_which_tool_to_call(server: Loopback) -> None:
    request = ask(tools=[TOOL], tool_choice="weather", seed=0, extra={"safe_prompt": True})

    body = sent("mistral", request, server)

    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert (body["random_seed"], body["safe_prompt"]) == (0, True)


def test_gemini_is_told_what_litellm_does_not_know(server: Loopback) -> None:
    extra = {"cachedContents": "zorb", "generationConfig": {"zorb": 1}, "topK": 4, "extra_body": {"mine": True}}

    body = sent("gemini", ask(model="gemini-2.5-flash", max_tokens=7, extra=extra), server)

    assert (body["cachedContents"], body["mine"]) == ("zorb", True)
    assert body["generationConfig"] == {"max_output_tokens": 7, "topK": 4, "zorb": 1}


def test_a_model_that_can_be_told_is_told(server: Loopback) -> None:
    request = ask(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", tools=[TOOL] * 2, parallel_tool_calls=False)

    body = sent("bedrock", request, server)

    assert body["additionalModelRequestFields"]["tool_choice"]["disable_parallel_tool_use"] is True


def test_a_model_that_sees_is_shown_pictures(server: Loopback) -> None:
    body = sent("deepseek", with_part(PICTURE, "deepseek-flash"), server)

    assert body["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")


def _is_in_the_table(what: str, model: str) -> bool:
    return any(row.what == what and row.whose.search(model) for row in dropped._DROPPED)


def _listed(provider: str) -> dict[str, dict[str, Any]]:
    """litellm's models of a provider, by its name, a slash and theirs."""
    return {
        f"{provider}/{name.removeprefix(f'{provider}/')}": facts
        for name, facts in load_litellm().model_cost.items()
        if str(facts.get("litellm_provider", "")).startswith(provider) and facts.get("mode") == "chat"
    }


def test_the_table_and_litellm_agree_on_which_models_of_claude_can_be_told_to_call_one_by_one() -> None:
    can = {name: facts.get("supports_parallel_tool_use_config") is True for name, facts in _listed("bedrock").items()}
    claudes = {name: told for name, told in can.items() if "claude" in name and "mantle" not in name}
    # A place in front of the name is litellm's; what is left has the facts.
    odd = {
        name
        for name, told in claudes.items()
        if _is_in_the_table("parallel_tool_calls", name) == told and f"bedrock/{name.split('/')[-1]}" == name
    }

    assert len(claudes) > 50
    assert not odd


def test_the_table_and_litellm_agree_on_which_models_of_deepseek_see() -> None:
    sees = {name: facts.get("supports_vision") is True for name, facts in _listed("deepseek").items()}

    assert {name for name in sees if not _is_in_the_table("image", name)} == {n for n, told in sees.items() if told}


def test_the_table_and_litellm_agree_on_which_models_of_moonshot_take_a_temperature() -> None:
    thinks = {name for name, facts in _listed("moonshot").items() if facts.get("supports_reasoning")}
    refused = {
        name
        for name in _listed("moonshot")
        for row in dropped._DROPPED
        if row.what == "temperature" and row.is_lost(0.5) and row.whose.search(name)
    }

    assert refused == thinks != set()


def test_what_litellm_places_for_google_is_left_to_it() -> None:
    load_litellm()
    from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import VertexGeminiConfig
    from litellm.types.llms.vertex_ai import GenerationConfig

    fields = set(LLMRequest.__dataclass_fields__) | {"max_completion_tokens", "extra_headers", "stream"}
    placed = {*VertexGeminiConfig().get_supported_openai_params("gemini-2.5-flash"), *GenerationConfig.__annotations__}

    assert not {name for name in placed - fields if not dropped._is_placed(name)}
