"""A provider as an author writes it, in the dialect that FaultServer and OpenAIWire speak."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from homeostasis_llm import (
    HTTPAnswer,
    HTTPProvider,
    HTTPRequest,
    LLMChunk,
    LLMMessage,
    LLMRequest,
    LLMResponse,
    ServerEvent,
    ToolCallFragment,
    Usage,
    finish_reason_of,
    parse_tool_call,
)

KEY = "zorb-made-up-0123456789"


class Zorb(HTTPProvider):
    """Three methods, and facts."""

    base_url = "https://api.zorb.example"
    models_path = "/v1/models"
    key_prefix = "zorb-"
    lacks: ClassVar[Collection[str]] = (
        "image",
        "audio",
        "file",
        "response_format",
        "reasoning_effort",
        "parallel_tool_calls",
    )

    @property
    def name(self) -> str:
        return "zorb"

    @property
    def default_model(self) -> str:
        return "zorb-1"

    def build_request(self, request: LLMRequest) -> HTTPRequest:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [_message(message) for message in request.conversation()],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop": request.stop,
            "seed": request.seed,
            "stream_options": {"include_usage": True},
            **request.extra,
        }
        if request.tools:
            body["tools"] = [
                tool
                if isinstance(tool, dict)
                else {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
                }
                for tool in request.tools
            ]
            body["tool_choice"] = request.tool_choice
        return HTTPRequest("/v1/chat/completions", json={key: told for key, told in body.items() if told is not None})

    def read_response(self, answer: HTTPAnswer) -> LLMResponse:
        told = answer.json
        (choice,) = told["choices"]
        return LLMResponse(
            content=choice["message"]["content"],
            model=told["model"],
            usage=told.get("usage"),
            metadata={"finish_reason": choice["finish_reason"], "response_id": told["id"]},
            tool_calls=[
                parse_tool_call(call["function"]["name"], call["function"]["arguments"], call["id"])
                for call in choice["message"].get("tool_calls", [])
            ],
        )

    def read_event(self, event: ServerEvent) -> LLMChunk:
        told = event.json
        chunk = LLMChunk(model=told["model"], metadata={"response_id": told["id"]})
        if told.get("usage"):
            chunk.usage = Usage.of(told["usage"])
        for choice in told["choices"]:
            chunk.text = choice["delta"].get("content") or ""
            chunk.tool_calls = [_fragment(call) for call in choice["delta"].get("tool_calls", [])]
            if choice["finish_reason"]:
                chunk.finish_reason = finish_reason_of(choice["finish_reason"])
                chunk.metadata["finish_reason"] = choice["finish_reason"]
        return chunk


def _message(message: LLMMessage) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        told["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_object}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    return told


def _fragment(call: dict[str, Any]) -> ToolCallFragment:
    function = call.get("function") or {}
    return ToolCallFragment(
        index=call["index"], id=call.get("id"), name=function.get("name"), arguments=function.get("arguments") or ""
    )


def asked(text: str = "Hi", **fields: Any) -> LLMRequest:
    """A request with one message of the user's."""
    return LLMRequest(messages=[LLMMessage(role="user", content=text)], **fields)
