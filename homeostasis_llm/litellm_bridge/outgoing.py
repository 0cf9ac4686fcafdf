"""Turn an `LLMRequest` into the arguments of `litellm.completion`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, assert_never

from ..errors import InvalidRequestError
from ..messages import AudioPart, ContentPart, FilePart, ImagePart, LLMMessage, TextPart, ToolCall, data_url
from ..request import JSONSchema, LLMRequest, Tool

# What `extra` may not hold: it is said elsewhere, or it steers litellm itself instead of the provider.
_RESERVED = frozenset(
    """
    model messages stream stream_options temperature max_tokens max_completion_tokens top_p stop seed tools tool_choice
    parallel_tool_calls response_format reasoning_effort timeout
    api_key api_base base_url api_version custom_llm_provider client headers extra_headers
    max_retries num_retries fallbacks context_window_fallback_dict
    mock_response mock_tool_calls mock_timeout logger_fn litellm_logging_obj acompletion
    """.split()  # noqa: SIM905  # a list of quoted words would be a screen long
)

_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
"""Names that chat completions use in place of media types; of others, the part after the slash."""


_TAKE_OBJECTS = ("anthropic", "bedrock", "gemini", "ollama", "vertex_ai")
"""How litellm's names begin of those whose APIs take the arguments of a call as an object, and not as its text."""


def completion_arguments(request: LLMRequest, provider: str, litellm_name: str, default_model: str) -> dict[str, Any]:
    """What `request` says, in the words of `litellm.completion`; only what was said is in it.

    `provider` is our own name for who is asked. Raises `InvalidRequestError` where `extra` repeats what has a field of
    its own.
    """
    if clash := sorted(_RESERVED & request.extra.keys()):
        raise InvalidRequestError(
            f"LLMRequest.extra: {clash[0]!r} is not for extra; it has a field or an option of its own",
            provider=provider,
        )
    said: dict[str, Any] = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop,
        "seed": request.seed,
        "tools": None if request.tools is None else [_tool(tool) for tool in request.tools],
        "tool_choice": _tool_choice(request.tool_choice),
        "parallel_tool_calls": request.parallel_tool_calls,
        "response_format": _response_format(request),
        "reasoning_effort": request.reasoning_effort,
    }
    return {
        "model": request.model if request.model is not None else default_model,
        "messages": [_message(message, provider, litellm_name) for message in request.conversation()],
        **{name: given for name, given in said.items() if given is not None},
        **request.extra,
    }


def _message(message: LLMMessage, provider: str, litellm_name: str) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.name is not None:
        written["name"] = message.name
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        written["tool_calls"] = [_tool_call(call, provider, litellm_name) for call in message.tool_calls]
    reasoning = message.reasoning
    # Signatures and encrypted thoughts mean something only to whom they came from; others refuse them.
    if reasoning is not None and reasoning.provider == provider:
        written.update(reasoning.payload or {})
        # DeepSeek and Moonshot want the thoughts back beside a tool call, and refuse the turn without them.
        if reasoning.text and message.tool_calls:
            written["reasoning_content"] = reasoning.text
    return written


def _content(message: LLMMessage) -> str | list[dict[str, Any]] | None:
    if isinstance(message.content, str):
        # An assistant's turn that only called tools has no text, and some providers refuse an empty one.
        return None if message.tool_calls and not message.content else message.content
    return [_part(part) for part in message.content]


def _part(part: ContentPart) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            url = part.url if part.data is None else data_url(part.data, part.media_type or "image/png")
            detail = {} if part.detail is None else {"detail": part.detail}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case AudioPart(data=bytes() as sound, media_type=str() as kind):
            name = _AUDIO_FORMATS.get(kind, kind.partition("/")[2])
            return {"type": "input_audio", "input_audio": {"data": base64.b64encode(sound).decode(), "format": name}}
        case AudioPart():
            return {"type": "file", "file": {"file_id": part.url, "format": part.media_type or "audio/wav"}}
        case FilePart():
            return {"type": "file", "file": _file(part)}
    assert_never(part)


def _file(part: FilePart) -> dict[str, Any]:
    # litellm's own convention: `file_id` may be a URL, which it hands on or fetches as the provider needs it.
    told: Mapping[str, Any] = {
        "file_id": part.file_id or part.url,
        "file_data": None if part.data is None else data_url(part.data, part.media_type or "application/octet-stream"),
        "filename": part.name,
        "format": part.media_type if part.data is None else None,
    }
    return {name: given for name, given in told.items() if given is not None}


def _tool_call(call: ToolCall, provider: str, litellm_name: str) -> dict[str, Any]:
    payload = dict(call.payload or {}) if call.provider in {"", provider} else {}
    # Google signs thoughts there, at its endpoint of OpenAI's form. Source: ai.google.dev/gemini-api/docs/openai.
    extra = payload.pop("extra_content", None)
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": _arguments(call, litellm_name)},
        **({"extra_content": extra} if extra else {}),
        **({"provider_specific_fields": payload} if payload else {}),
    }


def _arguments(call: ToolCall, litellm_name: str) -> str:
    if call.invalid_arguments is not None and litellm_name.startswith(_TAKE_OBJECTS):
        return json.dumps(call.arguments_object, ensure_ascii=False)  # of another text litellm makes none, and raises
    return call.arguments_text


def _tool(tool: Tool | dict[str, Any]) -> dict[str, Any]:
    if isinstance(tool, dict):
        return tool
    function: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: str | None) -> str | dict[str, Any] | None:
    if choice in {None, "auto", "none", "required"}:
        return choice
    return {"type": "function", "function": {"name": choice}}


def _response_format(request: LLMRequest) -> dict[str, Any] | None:
    match request.response_format:
        case None:
            return None
        case "text":
            return {"type": "text"}
        case "json":
            return {"type": "json_object"}
        case JSONSchema() as wanted:
            described: dict[str, Any] = {"name": wanted.name, "schema": wanted.schema}
            if wanted.strict is not None:
                described["strict"] = wanted.strict
            return {"type": "json_schema", "json_schema": described}
