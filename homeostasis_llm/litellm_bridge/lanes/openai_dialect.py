"""Read answers of OpenAI's chat completions, and of the many that took their form, into our values.

Source: OpenAI's API reference; for thoughts, those of DeepSeek, Groq, Mistral and OpenRouter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...messages import Reasoning, ToolCall
from ...response import (
    FinishReason,
    LLMChunk,
    LLMResponse,
    ToolCallFragment,
    finish_reason_of,
    parse_tool_call,
    text_chunk,
)
from ...usage import Usage
from ..exchange import Exchange
from ..wire import raw_id, raw_model, raw_usage
from .dialect import Dialect
from .events import Events

_EXTRAS = ("annotations", "provider_specific_fields", "images", "audio", "refusal")
_OF_GOOGLE = ("extra_content", "thought_signature")
"""What it adds to messages at its endpoint of OpenAI's form, where tool calls have the first one, too."""
_PLAIN = frozenset({"role", "content"})
"""All that most pieces of a stream have."""
_NOTHING: Mapping[str, Any] = {}
_PAYLOAD = ("thinking_blocks", "reasoning_details", "reasoning_items")


def checked(found: object) -> dict[str, Any]:
    """`found`, where it is an answer or an event. Raises `ValueError` for an error, and for what is neither."""
    if not isinstance(found, dict):
        raise ValueError("an answer of OpenAI's form is a JSON object")  # noqa: TRY004  # as for what is no JSON at all
    if found.get("error") or not isinstance(found.get("choices"), list):
        raise ValueError("it has no choices, which an answer of OpenAI's form has")
    return found


def read_answer(raw: Mapping[str, Any], exchange: Exchange, provider: str) -> LLMResponse:
    """A whole answer."""
    choice = _first(raw)
    message = choice.get("message") or {}
    text, thoughts = _content(message)
    calls = [_call(call) for call in _called(message)]
    word, finish = _finish(choice.get("finish_reason"), called=bool(calls))
    payload = _payload(message)
    return LLMResponse(
        content=text,
        provider=provider,
        model=raw_model(raw),
        usage=_usage(raw),
        metadata={"finish_reason": word, "response_id": raw_id(raw), **_extras(message)},
        tool_calls=calls,
        finish_reason=finish,
        reasoning=Reasoning(text=thoughts, provider=provider, payload=payload) if thoughts or payload else None,
        request_id=exchange.request_id,
        latency=exchange.seconds,
    )


class DialectReading:
    """Reads the events of one stream, and keeps what is told beside the text."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._model: str | None = None
        self._id: str | None = None
        self._word: str | None = None
        self._usage: Usage | None = None
        self._called = False
        self.counted: Any = None

    def chunks(self, events: Sequence[Mapping[str, Any]]) -> list[LLMChunk]:
        """What events add."""
        return [self._chunk(event) for event in events]

    def _chunk(self, event: Mapping[str, Any]) -> LLMChunk:
        self._note(event)
        choice = _first(event)
        delta = choice.get("delta") or choice.get("message") or _NOTHING
        self._word = choice.get("finish_reason") or self._word
        if delta.keys() <= _PLAIN and isinstance(text := delta.get("content", ""), str):
            return text_chunk(self._provider, text)
        text, thoughts = _content(delta)
        chunk = LLMChunk(text=text, reasoning=thoughts, provider=self._provider)
        if calls := _called(delta):
            chunk.tool_calls = [_fragment(call, number) for number, call in enumerate(calls)]
            self._called = True
        chunk.reasoning_payload = _payload(delta)
        chunk.metadata = _extras(delta)
        return chunk

    def last(self, exchange: Exchange) -> LLMChunk:
        """What was told beside the text."""
        word, finish = _finish(self._word, called=self._called)
        return LLMChunk(
            provider=self._provider,
            model=self._model,
            usage=self._usage,
            finish_reason=finish,
            metadata={"finish_reason": word, "response_id": self._id},
            request_id=exchange.request_id,
            latency=exchange.seconds,
        )

    def _note(self, event: Mapping[str, Any]) -> None:
        if self._model is None:
            self._model = raw_model(event)
        if self._id is None:
            self._id = raw_id(event)
        if (event.get("usage") or "x_groq" in event) and (usage := _usage(event)) is not None:
            self._usage = usage if self._usage is None else self._usage.updated(usage)
            self.counted = event.get("usage") or self.counted


def _first(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = raw["choices"]
    return choices[0] if choices and isinstance(choices[0], dict) else {}


def _content(message: Mapping[str, Any]) -> tuple[str, str]:
    """The text, and the thoughts."""
    content = message.get("content")
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    if not isinstance(thoughts, str):
        details = _dicts(message.get("reasoning_details"))
        thoughts = "".join(detail["text"] for detail in details if isinstance(detail.get("text"), str))
    if content is None or isinstance(content, str):
        return content or "", thoughts
    # Mistral's models that think answer in parts.
    parts = _dicts(content)
    text = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    thinking = (inner for part in parts for inner in _dicts(part.get("thinking")))
    return text, thoughts + "".join(inner["text"] for inner in thinking if isinstance(inner.get("text"), str))


def _called(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tool calls of a message, or the one `function_call` that chat completions had before there were tools."""
    calls = _dicts(message.get("tool_calls"))
    single = message.get("function_call")
    return calls or ([{"function": single}] if isinstance(single, dict) and single.get("name") else [])


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    # OpenAI's custom tools take text instead of JSON.
    found = call.get("function") or call.get("custom")
    return found if isinstance(found, dict) else {}


def _call(call: Mapping[str, Any]) -> ToolCall:
    function = _function(call)
    arguments = function.get("arguments", function.get("input"))
    return parse_tool_call(function.get("name"), arguments, call.get("id"), _kept_with(call))


def _fragment(call: Mapping[str, Any], number: int) -> ToolCallFragment:
    function = _function(call)
    arguments = function.get("arguments", function.get("input")) or ""
    index = call.get("index")
    return ToolCallFragment(
        index=number if index is None else index,
        id=call.get("id"),
        name=function.get("name"),
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments),
        payload=_kept_with(call),
    )


def _kept_with(call: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the next turn brings back with the call."""
    own = call.get("provider_specific_fields")
    return {**(own or {}), "extra_content": extra} if (extra := call.get("extra_content")) else own


def _payload(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """What carries the model's thoughts to its next turn."""
    return {name: found for name in _PAYLOAD if (found := message.get(name))} or None


def _extras(message: Mapping[str, Any]) -> dict[str, Any]:
    extras = {name: found for name in _EXTRAS if (found := message.get(name))}
    if own := {name: found for name in _OF_GOOGLE if (found := message.get(name))}:
        extras["provider_specific_fields"] = {**extras.get("provider_specific_fields", {}), **own}
    return extras


def _finish(word: str | None, *, called: bool) -> tuple[str | None, FinishReason]:
    finish = finish_reason_of(word)
    # Some have one word for an answer and for a call of tools.
    return word, "tool_calls" if finish == "stop" and called else finish


def _usage(raw: Mapping[str, Any]) -> Usage | None:
    told = raw_usage(raw) if "usage" in raw or "x_groq" in raw else None
    usage = None if told is None else Usage.of(told)
    counted = usage is not None and not {usage.input_tokens, usage.output_tokens, usage.total_tokens} <= {None}
    return usage if counted else None


def _dicts(found: object) -> list[dict[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


DIALECT = Dialect(
    checked=checked,
    answer=read_answer,
    counted=lambda answer: answer.get("usage"),
    reading=DialectReading,
    cutter=lambda: Events(checked),
)
