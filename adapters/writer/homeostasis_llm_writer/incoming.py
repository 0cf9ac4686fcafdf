"""Read what Writer answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from homeostasis_llm import (
    LLMChunk,
    LLMResponse,
    ToolCall,
    ToolCallFragment,
    Usage,
    finish_reason_of,
    parse_tool_call,
)

_OF_THE_ANSWER = ("created", "system_fingerprint", "service_tier")

_OF_THE_MESSAGE = ("graph_data", "llm_data", "image_data", "translation_data", "web_search_data", "refusal")
"""What Writer's own tools found, as they are called in an answer."""

Told = Mapping[str, Any]


def response(told: Told) -> LLMResponse:
    """An answer of `/v1/chat`. Of several choices, the first."""
    choice = _first(told["choices"])
    if choice is None:
        raise ValueError("there is no choice in it")
    message = choice["message"]
    return LLMResponse(
        content=message.get("content"),
        model=told.get("model"),
        usage=told.get("usage"),
        metadata={"finish_reason": choice.get("finish_reason"), **_metadata(told, message)},
        finish_reason=finish_reason_of(choice.get("finish_reason")),
        tool_calls=[_call(call) for call in message.get("tool_calls") or ()],
    )


def chunk(told: Told) -> LLMChunk | None:
    """A piece of a stream of `/v1/chat`. None where it belongs to another choice than the first."""
    choices = told.get("choices") or ()
    choice = _first(choices)
    if choice is None and choices:
        return None
    # Writer repeats each piece in `message`, which its reference calls deprecated for streams.
    delta = {} if choice is None else choice.get("delta") or choice.get("message") or {}
    made = LLMChunk(
        text=delta.get("content") or "",
        model=told.get("model"),
        usage=None if not told.get("usage") else Usage.of(told["usage"]),
        metadata=_metadata(told, delta),
        tool_calls=[_fragment(call, place) for place, call in enumerate(delta.get("tool_calls") or ())],
    )
    if choice is not None and (word := choice.get("finish_reason")):
        made.finish_reason = finish_reason_of(word)
        made.metadata["finish_reason"] = word
    return made


def completion(told: Told) -> LLMResponse:
    """An answer of `/v1/completions`, which says neither why it ended nor what it took."""
    return LLMResponse(
        content=told["choices"][0]["text"],
        model=told.get("model"),
        usage=told.get("usage"),
        metadata={name: told[name] for name in _OF_THE_ANSWER if told.get(name) is not None},
    )


def completion_chunk(told: Told) -> LLMChunk:
    """A piece of a stream of `/v1/completions`."""
    return LLMChunk(text=told["value"])


def error_body(body: bytes) -> dict[str, Any] | None:
    """What an error says, in the words that `error_from_answer` reads; None where it is not of Writer's form."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("errors"), list):
        return None
    errors = [error for error in told["errors"] if isinstance(error, dict)]
    said = "; ".join(str(error["description"]) for error in errors if error.get("description"))
    key = next((error["key"] for error in errors if isinstance(error.get("key"), str)), None)
    return {"error": {"message": said, "code": key, "type": told.get("tpe")}}


def _first(choices: Iterable[Told]) -> Told | None:
    return next((choice for choice in choices if choice.get("index", 0) == 0), None)


def _metadata(told: Told, message: Told) -> dict[str, Any]:
    kept: dict[str, Any] = {"response_id": told.get("id")}
    kept |= {name: told[name] for name in _OF_THE_ANSWER if told.get(name) is not None}
    return kept | {name: message[name] for name in _OF_THE_MESSAGE if _says(message.get(name))}


def _says(found: object) -> bool:
    """Whether there is anything in it: where no graph was asked, `graph_data` is sent with fields that are null."""
    return any(_says(inner) for inner in found.values()) if isinstance(found, Mapping) else bool(found)


def _call(call: Told) -> ToolCall:
    return parse_tool_call(call["function"]["name"], call["function"].get("arguments"), call.get("id"))


def _fragment(call: Told, place: int) -> ToolCallFragment:
    function = call.get("function") or {}
    index = call.get("index")
    return ToolCallFragment(
        index=place if index is None else index,
        id=call.get("id"),
        name=function.get("name"),
        arguments=function.get("arguments") or "",
    )
