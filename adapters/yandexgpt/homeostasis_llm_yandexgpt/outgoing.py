"""Say what Yandex Cloud is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from homeostasis_llm import JSONSchema, LLMMessage, LLMRequest, Tool


def body(request: LLMRequest, uri: str) -> dict[str, Any]:
    """The body of a request to the model at `uri`."""
    options: dict[str, Any] = {"stream": False}
    if request.temperature is not None:
        options["temperature"] = request.temperature
    if request.max_tokens is not None:
        # The reference has a string, as protobuf's JSON has 64-bit numbers; it reads numbers as well.
        options["maxTokens"] = request.max_tokens
    if request.reasoning_effort is not None:
        # It knows no degrees, and shows no thoughts.
        options["reasoningOptions"] = {"mode": "DISABLED" if request.reasoning_effort == "none" else "ENABLED_HIDDEN"}
    told = {
        "modelUri": uri,
        "completionOptions": options,
        "messages": _messages(request.conversation()),
        "tools": [_tool(tool) for tool in request.tools] if request.tools else None,
        "toolChoice": _tool_choice(request.tool_choice) if request.tools else None,
        "parallelToolCalls": request.parallel_tool_calls,
        "jsonObject": True if request.response_format == "json" else None,
        "jsonSchema": _schema(request.response_format),
        **request.extra,
    }
    return {name: found for name, found in told.items() if found is not None}


def _messages(conversation: Sequence[LLMMessage]) -> list[dict[str, Any]]:
    names = {call.id: call.name for message in conversation for call in message.tool_calls}
    told: list[dict[str, Any]] = []
    for message in conversation:
        if message.role == "tool":
            # Results are known by the tool's name, and those of one turn go together.
            name = message.name or names.get(message.tool_call_id or "", "")
            result = {"functionResult": {"name": name, "content": message.text}}
            if told and "toolResultList" in told[-1]:
                told[-1]["toolResultList"]["toolResults"].append(result)
            else:
                told.append({"role": "assistant", "toolResultList": {"toolResults": [result]}})
            continue
        # A message has a text or calls, not both.
        if message.text or not message.tool_calls:
            told.append({"role": message.role, "text": message.text})
        if message.tool_calls:
            calls = [
                {"functionCall": {"name": call.name, "arguments": call.arguments_object}} for call in message.tool_calls
            ]
            told.append({"role": message.role, "toolCallList": {"toolCalls": calls}})
    return told


def _tool(tool: Tool | dict[str, Any]) -> dict[str, Any]:
    if isinstance(tool, dict):
        return tool
    told = {"name": tool.name, "description": tool.description, "parameters": tool.parameters, "strict": tool.strict}
    return {"function": {name: found for name, found in told.items() if found not in (None, "")}}


def _tool_choice(choice: str | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    return {"mode": choice.upper()} if choice in {"auto", "none", "required"} else {"functionName": choice}


def _schema(form: object) -> dict[str, Any] | None:
    return {"schema": form.schema} if isinstance(form, JSONSchema) else None
