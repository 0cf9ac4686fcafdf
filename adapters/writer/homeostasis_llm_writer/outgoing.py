"""Say what Writer is sent."""

from __future__ import annotations

from typing import Any

from homeostasis_llm import (
    ImagePart,
    InvalidRequestError,
    JSONSchema,
    LLMMessage,
    LLMRequest,
    TextPart,
    Tool,
    ToolCall,
    UnsuitableRequestError,
    data_url,
)


def chat_body(request: LLMRequest) -> dict[str, Any]:
    """The body for `/v1/chat`."""
    _refuse(request, "seed", "chat")
    told = {
        "model": request.model,
        "messages": [_message(message) for message in request.conversation()],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop,
        "tools": [_tool(tool) for tool in request.tools] if request.tools else None,
        "tool_choice": _tool_choice(request.tool_choice) if request.tools else None,
        "response_format": _response_format(request.response_format),
        **request.extra,
    }
    return {name: found for name, found in told.items() if found is not None}


def completion_body(request: LLMRequest) -> dict[str, Any]:
    """The body for `/v1/completions`. Raises `UnsuitableRequestError` for what plain text cannot say."""
    for name in ("tools", "response_format"):
        _refuse(request, name, "completions")
    conversation = request.conversation()
    for message in conversation:
        if message.role == "tool" or message.tool_calls:
            raise UnsuitableRequestError("writer: its completions know no tools; ask with api='chat'")
        if isinstance(message.content, list) and not all(isinstance(part, TextPart) for part in message.content):
            raise UnsuitableRequestError("writer: its completions take text alone; ask with api='chat'")
    told = {
        "model": request.model,
        "prompt": "\n\n".join(message.text for message in conversation),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop,
        "random_seed": request.seed,
        **request.extra,
    }
    return {name: found for name, found in told.items() if found is not None}


def _refuse(request: LLMRequest, field: str, api: str) -> None:
    if getattr(request, field) not in (None, [], "text"):
        raise UnsuitableRequestError(f"writer: its {api} API has no {field}; leave it out", provider="writer")


def _message(message: LLMMessage) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.name:
        told["name"] = message.name
    if message.tool_calls:
        told["tool_calls"] = [_call(call, index) for index, call in enumerate(message.tool_calls)]
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    return told


def _content(message: LLMMessage) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [_part(part) for part in message.content]


def _part(part: object) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart(url=str(url)):
            return {"type": "image_url", "image_url": {"url": url}}
        case ImagePart(data=bytes(data), media_type=str(media_type)):
            return {"type": "image_url", "image_url": {"url": data_url(data, media_type)}}
    raise InvalidRequestError(f"writer: a part of type {type(part).__name__} cannot be sent")


def _call(call: ToolCall, index: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments_text}
    return {"id": call.id, "type": "function", "index": index, "function": function}


def _tool(tool: Tool | dict[str, Any]) -> dict[str, Any]:
    if isinstance(tool, dict):
        return tool  # one of Writer's own: graph, llm, translation, vision, web_search
    told = {"name": tool.name, "description": tool.description or None, "parameters": tool.parameters}
    return {"type": "function", "function": {name: found for name, found in told.items() if found is not None}}


def _tool_choice(choice: str | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    if choice in {"auto", "none", "required"}:
        return {"value": choice}
    return {"value": {"type": "function", "function": {"name": choice}}}


def _response_format(form: object) -> dict[str, Any] | None:
    if isinstance(form, JSONSchema):
        return {"type": "json_schema", "json_schema": {"name": form.name, "schema": form.schema}}
    if form == "json":
        # Writer knows text and schemas; this is the schema of any object.
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    return None
