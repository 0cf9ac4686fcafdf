"""Read what litellm gives back: whole answers and pieces of streams.

litellm fills gaps by guessing: it counts tokens itself where the provider told nothing, and ends every stream with
"stop", also one that broke off. The wire's own last bytes, which the exchange kept, tell the guesses from the facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..error_facts import request_id
from ..messages import Reasoning, ToolCall
from ..response import LLMChunk, LLMResponse, ToolCallFragment, finish_reason_of, parse_tool_call
from ..usage import Usage
from .exchange import Exchange

# Where the providers' wire formats count tokens; see usage.py for the dialects.
_COUNTS = re.compile(rb'"usage|okenCount"|_tokens"|Tokens"|"prompt_eval_count"|"tokens"|"token_count"')

# How their streams say that they are finished.
_ENDS = re.compile(
    rb"\[DONE\]|message_stop|message-end|stream-end|messageStop|response\.(?:completed|incomplete)"
    rb'|"(?:finish_?[rR]eason|stop_?[rR]eason|done_reason)"\s*:\s*["\d]|"(?:done|is_finished)"\s*:\s*true'
)

_SERVER_CALL_IDS = ("srvtoolu_",)
"""How Anthropic numbers the calls that its own servers ran. Source: its documentation of server tools."""

# What carries a model's thoughts to its next turn, as litellm names it on a message.
_REASONING_KEYS = ("thinking_blocks", "reasoning_details", "reasoning_items")


def read_response(answer: Any, exchange: Exchange, provider: str) -> LLMResponse:
    """A whole answer from litellm's `ModelResponse`."""
    raw = _raw_answer(exchange)
    choice = next(iter(answer.choices), None)
    message = getattr(choice, "message", None)
    calls = [_call(call) for call in getattr(message, "tool_calls", None) or []]
    word = _raw_finish_reason(raw) or getattr(choice, "finish_reason", None)
    finish = finish_reason_of(word)
    if finish == "unknown":  # a word of this provider's own that litellm may know
        finish = finish_reason_of(getattr(choice, "finish_reason", None))
    return LLMResponse(
        content=getattr(message, "content", None) or "",
        provider=provider,
        model=_model(raw, answer),
        usage=_usage(getattr(answer, "usage", None), exchange),
        metadata={"finish_reason": word, "response_id": getattr(answer, "id", None), **_extras(message)},
        tool_calls=[call for call in calls if not call.id.startswith(_SERVER_CALL_IDS)],
        server_tool_calls=[call for call in calls if call.id.startswith(_SERVER_CALL_IDS)],
        finish_reason=finish,
        reasoning=_reasoning(message, provider),
        request_id=request_id({name.lower(): found for name, found in exchange.headers.items()}),
        latency=exchange.seconds,
    )


def read_chunk(piece: Any, exchange: Exchange, provider: str) -> LLMChunk:
    """A piece of a stream from litellm's `ModelResponseStream`, without the finish reason: see `last_chunk`."""
    choice = next(iter(piece.choices), None)
    delta = getattr(choice, "delta", None)
    payload = {key: found for key in _REASONING_KEYS if (found := _plain(getattr(delta, key, None)))}
    return LLMChunk(
        text=getattr(delta, "content", None) or "",
        reasoning=_thoughts(delta),
        reasoning_payload=payload or None,
        tool_calls=[_fragment(call) for call in getattr(delta, "tool_calls", None) or []],
        usage=_usage(getattr(piece, "usage", None), exchange),
        provider=provider,
        metadata={"response_id": piece.id, **_extras(delta)} if piece.id else _extras(delta),
    )


def last_chunk(piece: Any | None, exchange: Exchange, provider: str) -> LLMChunk:
    """What is only known at a stream's end: why it ended, in the provider's own word where the wire has it."""
    events = list(tail_events(exchange))
    litellms = getattr(next(iter(getattr(piece, "choices", None) or []), None), "finish_reason", None)
    word = next((said for event in reversed(events) if (said := _raw_finish_reason(event))), litellms)
    finish = finish_reason_of(word)
    if finish == "unknown":
        finish = finish_reason_of(litellms)
    model = next((named for event in events if (named := _raw_model(event))), getattr(piece, "model", None))
    return LLMChunk(
        provider=provider,
        model=model,
        finish_reason=finish,
        metadata={"finish_reason": word},
        request_id=request_id({name.lower(): found for name, found in exchange.headers.items()}),
        latency=exchange.seconds,
    )


def stream_was_cut(exchange: Exchange) -> bool:
    """Whether a stream's body ended without the word its wire format ends with."""
    watched = exchange.status is not None and bool(exchange.size)
    text = exchange.headers.get("content-type", "").startswith(("text/event-stream", "application/x-ndjson"))
    return watched and text and _ENDS.search(exchange.tail) is None


def tail_events(exchange: Exchange) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of the stream's last events, in order; lines that hold none are passed over."""
    for line in bytes(exchange.tail).splitlines():
        data = line.removeprefix(b"data:").strip()
        if data.startswith(b"{"):
            try:
                event = json.loads(data)
            except ValueError:  # the first line of the tail may be half a one
                continue
            if isinstance(event, dict):
                yield event


def _raw_answer(exchange: Exchange) -> Mapping[str, Any]:
    try:
        found = json.loads(exchange.tail)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _first(found: object) -> Mapping[str, Any]:
    inner = found[0] if isinstance(found, list) and found else found
    return inner if isinstance(inner, dict) else {}


def _raw_finish_reason(raw: Mapping[str, Any]) -> str | None:
    """The provider's own word, at the places where the wire formats have it."""
    choice, candidate = _first(raw.get("choices")), _first(raw.get("candidates"))
    places = (
        choice.get("finish_reason"),
        candidate.get("finishReason"),
        _first(raw.get("delta")).get("stop_reason"),
        _first(raw.get("delta")).get("finish_reason"),
        raw.get("stop_reason"),
        raw.get("stopReason"),
        raw.get("done_reason"),
        raw.get("finish_reason"),
    )
    return next((word for word in places if isinstance(word, str) and word), None)


def _raw_model(raw: Mapping[str, Any]) -> str | None:
    places = (raw.get("model"), raw.get("modelVersion"), _first(raw.get("message")).get("model"))
    return next((name for name in places if isinstance(name, str) and name), None)


def _model(raw: Mapping[str, Any], answer: Any) -> str | None:
    return _raw_model(raw) or getattr(answer, "model", None)


def _usage(usage: Any, exchange: Exchange) -> Usage | None:
    """The provider's count. Where the wire shows none, litellm's is its own guess, and unknown is the truth."""
    if usage is None or (exchange.size and _COUNTS.search(exchange.tail) is None):
        return None
    return Usage.of({name: count for name, count in _plain(usage).items() if count is not None})


def _call(call: Any) -> ToolCall:
    function = getattr(call, "function", None)
    return parse_tool_call(
        getattr(function, "name", None),
        getattr(function, "arguments", None),
        getattr(call, "id", None),
        _plain(getattr(call, "provider_specific_fields", None)) or None,
    )


def _fragment(call: Any) -> ToolCallFragment:
    function = getattr(call, "function", None)
    call_id = getattr(call, "id", None)
    return ToolCallFragment(
        index=getattr(call, "index", None) or 0,
        id=call_id,
        name=getattr(function, "name", None),
        arguments=getattr(function, "arguments", None) or "",
        payload=_plain(getattr(call, "provider_specific_fields", None)) or None,
        server=bool(call_id and call_id.startswith(_SERVER_CALL_IDS)),
    )


def _thoughts(message: Any) -> str:
    # Groq and Bedrock Mantle call it `reasoning`, and litellm leaves it there outside of streams.
    said = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    return said if isinstance(said, str) else ""


def _reasoning(message: Any, provider: str) -> Reasoning | None:
    payload = {key: found for key in _REASONING_KEYS if (found := _plain(getattr(message, key, None)))}
    text = _thoughts(message)
    if not text and not payload:
        return None
    return Reasoning(text=text, provider=provider, payload=payload or None)


def _extras(message: Any) -> dict[str, Any]:
    """What the provider told beside text and calls: citations, refusals, its own fields."""
    names = ("annotations", "provider_specific_fields", "images", "audio", "refusal")
    return {name: found for name in names if (found := _plain(getattr(message, name, None)))}


def _plain(found: Any) -> Any:
    """litellm's objects as plain dicts and lists, so that nothing of litellm travels with our values."""
    if hasattr(found, "model_dump"):
        return found.model_dump(exclude_none=True)
    if isinstance(found, list):
        return [_plain(item) for item in found]
    if isinstance(found, dict):
        return {key: _plain(item) for key, item in found.items()}
    return found
