"""The requests that both lanes are asked for, by what is said in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeostasis_llm import LLMMessage, LLMRequest
from homeostasis_llm.messages import AudioPart, FilePart, ImagePart, Reasoning, TextPart, ToolCall
from homeostasis_llm.request import JSONSchema, Tool

Fields = Mapping[str, Any]
"""Those of an `LLMRequest`, but for the model."""

_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
_WAV = (
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"
)
_PDF = b"%PDF-1.4\n%%EOF\n"

_PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
_FORM = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "year": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
    },
    "required": ["title", "year"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "object", "properties": {"name": {"enum": ["a", "b"]}}}},
}

_WEATHER = Tool(name="weather", description="The weather at a place.", parameters=_PLACE)
_CLOCK = Tool(name="clock")
_STRICT = Tool(
    name="film", description="Ünïcode ☂", parameters={**_FORM, "required": ["title", "year", "tags"]}, strict=True
)


def _user(*content: Any) -> LLMMessage:
    return LLMMessage(role="user", content=content[0] if isinstance(content[0], str) else list(content))


def _said(text: str = "", *calls: ToolCall, **fields: Any) -> LLMMessage:
    return LLMMessage(role="assistant", content=text, tool_calls=list(calls), **fields)


def _told(call_id: str, content: Any, **fields: Any) -> LLMMessage:
    return LLMMessage(role="tool", tool_call_id=call_id, content=content, **fields)


def _call(name: str, call_id: str, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments, id=call_id)


_HI = [_user("Hi")]
_SEEN = TextPart("What is this?")
_TURNS = [_user("Hi"), _said("Hello."), _user("Who are you?")]
_ONE_CALL = [_user("Weather in Oslo?"), _said("", _call("weather", "call_1", place="Oslo")), _told("call_1", "Rain.")]


def _asking(messages: list[LLMMessage] = _HI, **fields: Any) -> Fields:
    return {"messages": messages, **fields}


def _extra(**extra: Any) -> Fields:
    return _asking(extra=extra)


FETCHED = frozenset({"bedrock", "gemini"})
"""Providers for whom litellm fetches pictures: those requests take the full lane, and tests have no network."""


def cases(provider: str) -> dict[str, Fields]:
    """All of them; `provider` is whose thoughts are handed back."""
    known = {**_CASES, **_with_thoughts(provider), **_OF_THEIR_OWN.get(provider, {})}
    return {about: fields for about, fields in known.items() if provider not in FETCHED or about != "image by URL"}


def request_of(fields: Fields, model: str) -> LLMRequest:
    """The request for `model`."""
    return LLMRequest(model=model, **fields)


_CASES: dict[str, Fields] = {
    "plain": _asking(),
    "turns": _asking(_TURNS),
    "words of all alphabets": _asking([_user('Grüße, 世界 👋\n\t"quoted" \\ \u2028 \x7f')]),
    "an empty message": _asking([_user("")]),
    "two of the user's in a row": _asking([_user("Hi"), _user("there")]),
    "an answer begun": _asking([_user("Count"), _said("1, 2,")]),
    "an answer first": _asking([_said("Welcome."), _user("Hi")]),
    "a speaker's name": _asking([LLMMessage(role="user", content="Hi", name="ann")]),
    "parts of text": _asking([_user(TextPart("One."), TextPart("Two."))]),
    "system": _asking(system_prompt="Be brief."),
    "system of two": _asking([LLMMessage(role="system", content="In French."), *_TURNS], system_prompt="Be brief."),
    "system amid": _asking([*_TURNS[:2], LLMMessage(role="system", content="In French."), _TURNS[2]]),
    "system alone": _asking([LLMMessage(role="system", content="Be brief.")]),
    "system in parts": _asking([LLMMessage(role="system", content=[TextPart("Be brief.")]), *_HI]),
    "temperature 0": _asking(temperature=0.0),
    "temperature": _asking(temperature=0.7),
    "temperature 1": _asking(temperature=1.0),
    "temperature 2": _asking(temperature=2.0),
    "max_tokens": _asking(max_tokens=17),
    "top_p": _asking(top_p=0.5),
    "stop": _asking(stop=["END"]),
    "stop at several": _asking(stop=["END", "\n\n", "STOP"]),
    "seed": _asking(seed=0),
    "tools": _asking(tools=[_WEATHER]),
    "several tools": _asking(tools=[_WEATHER, _CLOCK]),
    "strict tools": _asking(tools=[_STRICT]),
    "a provider's own tool": _asking(tools=[{"type": "web_search"}]),
    "tool_choice auto": _asking(tools=[_WEATHER], tool_choice="auto"),
    "tool_choice none": _asking(tools=[_WEATHER], tool_choice="none"),
    "tool_choice required": _asking(tools=[_WEATHER, _CLOCK], tool_choice="required"),
    "tool_choice by name": _asking(tools=[_WEATHER, _CLOCK], tool_choice="clock"),
    "tool_choice without tools": _asking(tool_choice="auto"),
    "parallel_tool_calls": _asking(tools=[_WEATHER], parallel_tool_calls=True),
    "no parallel_tool_calls": _asking(tools=[_WEATHER], parallel_tool_calls=False),
    "a tool's result": _asking(_ONE_CALL, tools=[_WEATHER]),
    "a tool's result without tools": _asking(_ONE_CALL),
    "a tool's failure": _asking(
        [_user("Time?"), _said("", _call("clock", "call_1")), _told("call_1", "no clock", is_error=True)],
        tools=[_CLOCK],
    ),
    "results of two tools": _asking(
        [
            _user("Weather and time?"),
            _said("Let me see.", _call("weather", "call_1", place="Oslo"), _call("clock", "call_2")),
            _told("call_1", "Rain.", name="weather"),
            _told("call_2", "Noon.", name="clock"),
        ],
        tools=[_WEATHER, _CLOCK],
    ),
    "results and then an answer": _asking([*_ONE_CALL, _said("It rains."), _user("Thanks.")], tools=[_WEATHER]),
    "a call of nonsense": _asking(
        [
            _user("Weather?"),
            _said("", ToolCall(name="weather", id="call_1", invalid_arguments='{"place": ')),
            _told("call_1", "What place?"),
        ],
        tools=[_WEATHER],
    ),
    "a tool's result in parts": _asking(
        [*_ONE_CALL[:2], _told("call_1", [TextPart("Rain."), TextPart("Wind.")])], tools=[_WEATHER]
    ),
    "a long id of a call": _asking(
        [
            _user("Time?"),
            _said("", _call("clock", "toolu_01A09q90qw90lq917835lq9")),
            _told("toolu_01A09q90qw90lq917835lq9", "1"),
        ],
        tools=[_CLOCK],
    ),
    "text": _asking(response_format="text"),
    "json": _asking(response_format="json"),
    "JSON schema": _asking(response_format=JSONSchema(schema=_FORM, name="film")),
    "strict JSON schema": _asking(response_format=JSONSchema(schema=_FORM, name="film", strict=True)),
    "lax JSON schema": _asking(response_format=JSONSchema(schema=_FORM, strict=False)),
    "JSON schema and tools": _asking(response_format=JSONSchema(schema=_FORM), tools=[_WEATHER]),
    "image by URL": _asking([_user(_SEEN, ImagePart(url="https://pictures.example/1.png"))]),
    "image": _asking([_user(_SEEN, ImagePart(data=_PNG, media_type="image/png"))]),
    "image alone": _asking([_user(ImagePart(data=_PNG, media_type="image/png", detail="low"))]),
    "images": _asking([_user(ImagePart(data=_PNG, media_type="image/png"), ImagePart(data=_PNG), _SEEN)]),
    "sound": _asking([_user(_SEEN, AudioPart(data=_WAV, media_type="audio/wav"))]),
    "file": _asking([_user(_SEEN, FilePart(data=_PDF, media_type="application/pdf", name="a.pdf"))]),
    **{f"reasoning {effort}": _asking(reasoning_effort=effort) for effort in ("none", "minimal", "low", "medium")},
    "reasoning high": _asking(reasoning_effort="high", max_tokens=4096),
    "reasoning with tools": _asking(_ONE_CALL, tools=[_WEATHER], reasoning_effort="low"),
    "thinking": _extra(thinking={"type": "enabled", "budget_tokens": 2048}),
    "penalties": _extra(frequency_penalty=0.5, presence_penalty=0),
    "n": _extra(n=2),
    "logprobs": _extra(logprobs=True, top_logprobs=2),
    "logit_bias": _extra(logit_bias={"50256": -100}),
    "user": _extra(user="ann"),
    "top_k": _extra(top_k=5),
    "service_tier": _extra(service_tier="auto"),
    "store": _extra(store=True, prompt_cache_key="a", safety_identifier="b"),
    "verbosity": _extra(verbosity="low"),
    "prediction": _extra(prediction={"type": "content", "content": "Hello"}),
    "modalities": _extra(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}),
    "web search": _extra(web_search_options={"search_context_size": "low"}),
    "an unknown parameter": _extra(a_field_of_its_own={"x": [1, 2.5, None, True]}),
    "extra_body": _extra(extra_body={"a_field_of_its_own": {"x": 1}}),
    "an unknown parameter and extra_body": _extra(a_field_of_its_own=0, extra_body={"another": ""}),
    "everything": _asking(
        _ONE_CALL,
        system_prompt="Be brief.",
        temperature=0.5,
        max_tokens=4096,
        top_p=0.9,
        stop=["END"],
        seed=7,
        tools=[_WEATHER, _STRICT],
        tool_choice="auto",
        extra={"user": "ann", "a_field_of_its_own": 1},
    ),
}


_OF_THEIR_OWN: Mapping[str, Mapping[str, Fields]] = {
    "anthropic": {
        "tools that its servers run": _asking(
            tools=[
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
                {"type": "web_fetch_20250910", "name": "web_fetch"},
                {"type": "code_execution_20250825", "name": "code_execution"},
                _CLOCK,
            ]
        ),
        "the memory, and a shell": _asking(
            tools=[{"type": "memory_20250818", "name": "memory"}, {"type": "bash_20250124", "name": "bash"}]
        ),
        "a name that tools may not have": _asking(tools=[Tool(name="a/b"), Tool(name="a_b")], tool_choice="a/b"),
        "a tool that is told of when it is looked for": _asking(
            tools=[
                {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
                {"type": "function", "function": {"name": "clock", "parameters": _PLACE}, "defer_loading": True},
            ]
        ),
        "a server of tools": _asking(tools=[{"type": "url", "url": "https://tools.example", "name": "tools"}]),
        "what is to be kept": _extra(cache_control={"type": "ephemeral"}),
        "what is to be kept, by litellm": _extra(
            cache_control_injection_points=[{"location": "message", "role": "user"}]
        ),
        "what is to be forgotten": _extra(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}),
        "an effort": _extra(output_config={"effort": "low"}),
        "adaptive thinking": _extra(thinking={"type": "adaptive"}),
        "speed": _extra(speed="fast"),
        "a container": _extra(container="container_1"),
        "who asks": _extra(metadata={"user_id": "ann"}),
    },
    "bedrock": {
        "a guardrail": _extra(
            guardrailConfig={"guardrailIdentifier": "g1", "guardrailVersion": "1", "trace": "enabled"}
        ),
        "speed": _extra(performanceConfig={"latency": "optimized"}),
        "what is noted of it": _extra(requestMetadata={"team": "a"}),
        "a tier": _extra(serviceTier={"type": "flex"}),
        "fields of the model's own": _extra(additionalModelRequestFields={"x": 1}),
        "a name that tools may not have": _asking(tools=[Tool(name="a/b"), Tool(name="a_b")], tool_choice="a/b"),
        "a tool of the name that JSON has": _asking(tools=[Tool(name="json_tool_call")]),
        "another region": _extra(aws_region_name="eu-west-1"),
        "a profile": _extra(model_id="arn:aws:bedrock:eu-west-1:1:application-inference-profile/a"),
        "what is to be kept, by litellm": _extra(
            cache_control_injection_points=[{"location": "message", "role": "user"}]
        ),
    },
}
"""What only one of them can be asked."""


def _with_thoughts(provider: str) -> dict[str, Fields]:
    thought = Reasoning(text="Rain is likely.", provider=provider)
    signed = Reasoning(
        text="Rain is likely.",
        provider=provider,
        payload={"thinking_blocks": [{"type": "thinking", "thinking": "Rain is likely.", "signature": "c2ln"}]},
    )
    detailed = Reasoning(
        text="Rain.", provider=provider, payload={"reasoning_details": [{"type": "reasoning.text", "text": "Rain."}]}
    )
    kinds = {"thoughts": thought, "signed thoughts": signed, "thoughts in detail": detailed}
    call = _call("weather", "call_1", place="Oslo")
    return {
        **{
            f"{kind} before an answer": _asking([_user("Hi"), _said("Hello.", reasoning=given), _user("And?")])
            for kind, given in kinds.items()
        },
        # The parameters are those of "reasoning with tools": of the same, a lane may make the same but once.
        "signed thoughts, and more of them": _asking(
            [_ONE_CALL[0], _said("", call, reasoning=signed), _ONE_CALL[2]], tools=[_WEATHER], reasoning_effort="low"
        ),
        **{
            f"{kind} before a call": _asking(
                [_ONE_CALL[0], _said("", call, reasoning=given), _ONE_CALL[2]], tools=[_WEATHER]
            )
            for kind, given in kinds.items()
        },
    }


TELLING = {
    "plain",
    "system",
    "an answer begun",
    "temperature",
    "temperature 0",
    "max_tokens",
    "stop",
    "tools",
    "strict tools",
    "tool_choice required",
    "tool_choice by name",
    "no parallel_tool_calls",
    "a tool's result",
    "a tool's result without tools",
    "json",
    "JSON schema",
    "strict JSON schema",
    "JSON schema and tools",
    "image",
    "image by URL",
    "sound",
    "reasoning none",
    "reasoning high",
    "reasoning with tools",
    "thinking",
    "penalties",
    "logprobs",
    "an unknown parameter",
    "everything",
    "signed thoughts before a call",
    "signed thoughts, and more of them",
}
"""Those that litellm may translate in one way for one model, and in another for the next."""

MODELS: dict[str, tuple[str, ...]] = {
    "openai": ("gpt-4o", "gpt-5.4", "gpt-5", "o3-mini", "o1", "gpt-3.5-turbo", "gpt-4o-audio-preview", "some-model"),
    "anthropic": ("claude-sonnet-4-5", "claude-opus-4-6", "claude-3-5-haiku-latest", "claude-opus-4-8"),
    "gemini": ("gemini-2.5-flash", "gemini-2.0-flash", "gemini-3-pro-preview", "gemma-3-27b-it"),
    "mistral": ("magistral-medium-latest", "mistral-large-latest", "pixtral-12b-2409", "codestral-latest"),
    "cohere": ("command-r-plus", "command-a-03-2025", "command-a-reasoning-08-2025"),
    "groq": ("openai/gpt-oss-20b", "qwen/qwen3-32b", "llama-3.3-70b-versatile", "deepseek-r1-distill-llama-70b"),
    "openrouter": (
        "anthropic/claude-sonnet-4.5",
        "openai/gpt-5",
        "google/gemini-2.5-pro",
        "deepseek/deepseek-r1",
        "mistralai/mistral-large",
    ),
    "deepseek": ("deepseek-chat", "deepseek-reasoner", "deepseek-v4-flash"),
    "xai": ("grok-3-mini", "grok-4", "grok-4-fast-reasoning", "grok-2-vision"),
    "together_ai": ("Qwen/Qwen3-235B-A22B-Instruct-2507-tput", "deepseek-ai/DeepSeek-R1", "some-model"),
    "fireworks_ai": (
        "accounts/fireworks/models/kimi-k2-instruct",
        "accounts/fireworks/models/llama-v3p2-90b-vision-instruct",
        "accounts/fireworks/models/gpt-oss-120b",
        "accounts/ann/models/mine#accounts/ann/deployments/1",
    ),
    "ollama": ("llama3.1", "qwen3", "gpt-oss:20b"),
    "perplexity": ("sonar", "sonar-reasoning-pro", "sonar-deep-research"),
    "azure": ("gpt-4o", "gpt-5", "o3-mini", "a-deployment"),
    "bedrock": (
        "converse/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.amazon.nova-pro-v1:0",
        "meta.llama3-3-70b-instruct-v1:0",
        "invoke/anthropic.claude-3-5-sonnet-20240620-v1:0",
        "us.deepseek.r1-v1:0",
        "openai.gpt-oss-120b-1:0",
        "ai21.jamba-1-5-large-v1:0",
    ),
    "moonshot": ("moonshot-v1-8k", "kimi-k2.5", "kimi-thinking-preview"),
    "dashscope": ("qwen-plus", "qwq-32b"),
    "cerebras": ("gpt-oss-120b", "llama3.1-8b"),
    "sambanova": ("DeepSeek-R1", "Meta-Llama-3.3-70B-Instruct"),
    "hosted_vllm": ("some-model", "Qwen/Qwen3-8B"),
}
"""Beside the default model: those that litellm knows something particular of, and one that it does not know."""
