"""Read what litellm gives back: whole answers and pieces of streams.

litellm fills gaps by guessing: it counts tokens itself where the provider told nothing, and ends every stream with
"stop", also one that broke off. The wire's own last bytes, which the exchange kept, tell the guesses from the facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..messages import Reasoning, ToolCall
from ..response import FinishReason, LLMChunk, LLMResponse, ToolCallFragment, finish_reason_of, parse_tool_call
from ..usage import Usage
from .exchange import Exchange
from .frames import MEDIA_TYPE, framed_events
from .wire import header_usage, raw_annotations, raw_finish_reason, raw_id, raw_model, raw_reasoning, raw_usage

# Where the providers' wire formats count tokens; see usage.py for the dialects.
_COUNTS = re.compile(
    rb'(?<!"max)(?<!"max_output)(?<!"max_completion)(?:_tokens|Tokens|okenCount|_eval_count|"tokens|token_count)"\s*:\s*\d'
)

# How their streams say that they are finished.
_ENDS = re.compile(
    rb"\[DONE\]|message_stop|message-end|stream-end|messageStop|response\.(?:completed|incomplete)"
    rb'|"(?:finish_?[rR]eason|stop_?[rR]eason|done_reason)"\s*:\s*["\d]|"(?:done|is_finished)"\s*:\s*true'
)

# Where Bedrock's streams tell no reason, as where a guardrail stopped them, one of these ends them.
_LAST_AT_BEDROCK = {"amazon-bedrock-invocationMetrics", "amazon-bedrock-guardrailAction"}

_SERVER_CALL_IDS = ("srvtoolu_",)
"""How Anthropic numbers the calls that its own servers ran. Source: its documentation of server tools."""

# What carries a model's thoughts to its next turn, as litellm names it on a message.
_REASONING_KEYS = ("thinking_blocks", "reasoning_details", "reasoning_items")


def read_response(
    answer: Any, exchange: Exchange, provider: str, *, raw: Mapping[str, Any] | None = None
) -> LLMResponse:
    """A whole answer from litellm's `ModelResponse`; `raw` is the provider's, where the exchange need not be asked."""
    if raw is None:
        raw = _raw_answer(exchange)
    choice = next(iter(answer.choices), None)
    message = getattr(choice, "message", None)
    calls = [_call(call) for call in _called(message)]
    ours = [call for call in calls if not call.id.startswith(_SERVER_CALL_IDS)]
    word, finish = _finish_reason([raw], getattr(choice, "finish_reason", None), called=bool(ours))
    return LLMResponse(
        content=getattr(message, "content", None) or "",
        provider=provider,
        model=raw_model(raw) or getattr(answer, "model", None),
        usage=_usage([{"usage": header_usage(exchange.headers)}, raw], getattr(answer, "usage", None), exchange),
        metadata={
            "finish_reason": word,
            "response_id": _id([raw], answer, exchange),
            **_extras(message),
            **_cited(raw),
        },
        tool_calls=ours,
        server_tool_calls=[call for call in calls if call.id.startswith(_SERVER_CALL_IDS)],
        finish_reason=finish,
        reasoning=_reasoning(message, raw_reasoning(raw), provider),
        request_id=exchange.request_id,
        latency=exchange.seconds,
    )


def read_chunk(piece: Any, provider: str) -> LLMChunk:
    """What a piece of a stream adds, from litellm's `ModelResponseStream`. The rest is told by `last_chunk`."""
    choice = next(iter(piece.choices), None)
    delta = getattr(choice, "delta", None)
    payload = {key: found for key in _REASONING_KEYS if (found := _plain(getattr(delta, key, None)))}
    return LLMChunk(
        text=getattr(delta, "content", None) or "",
        reasoning=_thoughts(delta),
        reasoning_payload=payload or None,
        tool_calls=[_fragment(call) for call in getattr(delta, "tool_calls", None) or []],
        provider=provider,
        metadata=_extras(delta),
    )


def last_chunk(ending: Any, usage: Any, exchange: Exchange, provider: str) -> LLMChunk:
    """What is known at a stream's end: usage, model, id, and why it ended.

    `ending` is litellm's piece with the finish reason, `usage` its last count; both may be None.
    """
    events = list(tail_events(exchange))
    choice = next(iter(getattr(ending, "choices", None) or []), None)
    word, finish = _finish_reason(events, getattr(choice, "finish_reason", None))
    return LLMChunk(
        provider=provider,
        model=next((named for event in events if (named := raw_model(event))), getattr(ending, "model", None)),
        usage=_usage(events, usage, exchange),
        finish_reason=finish,
        metadata={"finish_reason": word, "response_id": _id(events, ending, exchange)},
        request_id=exchange.request_id,
        latency=exchange.seconds,
    )


def stream_was_cut(exchange: Exchange) -> bool:
    """Whether a stream's body ended without the word its wire format ends with."""
    watched = exchange.status is not None and bool(exchange.size) and not _is_compressed(exchange)
    if watched and _is_binary(exchange):
        return not any(raw_finish_reason(event) or _LAST_AT_BEDROCK & event.keys() for event in tail_events(exchange))
    text = exchange.headers.get("content-type", "").startswith(("text/event-stream", "application/x-ndjson"))
    return watched and text and _ENDS.search(exchange.tail) is None


def said_nothing(exchange: Exchange) -> bool:
    """Whether a good answer that should have been a stream had no event in it: a page, or nothing at all."""
    return exchange.status is not None and not _is_compressed(exchange) and not any(tail_events(exchange))


def _is_compressed(exchange: Exchange) -> bool:
    """Whether the end of the body cannot be read, for it was compressed without having been asked to be."""
    return exchange.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}


def tail_events(exchange: Exchange) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of the stream's last events, in order; lines that hold none are passed over."""
    if _is_binary(exchange):
        yield from framed_events(bytes(exchange.tail))
        return
    for line in bytes(exchange.tail).splitlines():
        data = line.removeprefix(b"data:").strip()
        if data.startswith(b"{"):
            try:
                event = json.loads(data)
            except ValueError:  # the first line of the tail may be half a one
                continue
            if isinstance(event, dict):
                yield event


def _is_binary(exchange: Exchange) -> bool:
    return str(exchange.headers.get("content-type", "")).startswith(MEDIA_TYPE)


def _raw_answer(exchange: Exchange) -> Mapping[str, Any]:
    try:
        found = json.loads(exchange.tail)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _finish_reason(
    events: Sequence[Mapping[str, Any]], litellms: str | None, *, called: bool = True
) -> tuple[str | int | None, FinishReason]:
    """The last word on why an answer ended, as the provider said it, and what it means."""
    word = next((said for event in reversed(events) if (said := raw_finish_reason(event))), litellms)
    finish = finish_reason_of(word)
    theirs = finish_reason_of(litellms)
    # What litellm does not know either, it calls "stop".
    if finish == "unknown" and theirs != "stop":
        return word, theirs
    # Google, Ollama and OpenAI's Responses API have one word for an answer and for a call of tools.
    if finish == "stop" and theirs == "tool_calls" and called:
        return word, theirs
    return word, finish


def _id(events: Sequence[Mapping[str, Any]], answer: Any, exchange: Exchange) -> str | None:
    """The provider's id of the answer. litellm makes one up where there is none: only used where we saw no wire."""
    made_up = getattr(answer, "id", None) if not exchange.size else None
    return next((found for event in events if (found := raw_id(event))), made_up)


def _usage(events: Sequence[Mapping[str, Any]], litellms: Any, exchange: Exchange) -> Usage | None:
    """The provider's count. Where the wire shows none, litellm's is its own guess, and unknown is the truth."""
    told: Usage | None = None
    for event in events:
        counts = Usage.of(raw_usage(event) or {})
        if any(counts[name] is not None for name in ("input_tokens", "output_tokens", "total_tokens")):
            told = counts if told is None else told.updated(counts)
    responses = any(event.get("object") == "response" for event in events)  # has a place for its count, if it has one
    uncounted = exchange.size and (responses or _COUNTS.search(exchange.tail) is None)
    if told is not None or litellms is None or uncounted:
        return told
    return Usage.of({name: count for name, count in _plain(litellms).items() if count is not None})


def _called(message: Any) -> list[Any]:
    """The tool calls of a message, or the one `function_call` that chat completions had before there were tools."""
    single = getattr(message, "function_call", None)
    return getattr(message, "tool_calls", None) or ([single] if getattr(single, "name", None) else [])


def _call(call: Any) -> ToolCall:
    function = getattr(call, "function", call)
    return parse_tool_call(
        getattr(function, "name", None),
        getattr(function, "arguments", None),
        getattr(call, "id", None),
        _kept_with(call),
    )


def _fragment(call: Any) -> ToolCallFragment:
    function = getattr(call, "function", None)
    call_id = getattr(call, "id", None)
    return ToolCallFragment(
        index=getattr(call, "index", None) or 0,
        id=call_id,
        name=getattr(function, "name", None),
        arguments=getattr(function, "arguments", None) or "",
        payload=_kept_with(call),
        server=bool(call_id and call_id.startswith(_SERVER_CALL_IDS)),
    )


def _kept_with(call: Any) -> dict[str, Any] | None:
    """What the next turn brings back with a call."""
    extra = _plain(getattr(call, "extra_content", None))
    return {
        **(_plain(getattr(call, "provider_specific_fields", None)) or {}),
        **({"extra_content": extra} if extra else {}),
    } or None


def _thoughts(message: Any) -> str:
    # Groq and Bedrock Mantle call it `reasoning`, and litellm leaves it there outside of streams.
    said = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    return said if isinstance(said, str) else ""


def _reasoning(message: Any, told: str, provider: str) -> Reasoning | None:
    payload = {key: found for key in _REASONING_KEYS if (found := _plain(getattr(message, key, None)))}
    text = told or _thoughts(message)
    if not text and not payload:
        return None
    return Reasoning(text=text, provider=provider, payload=payload or None)


def _extras(message: Any) -> dict[str, Any]:
    """What the provider told beside text and calls: citations, refusals, its own fields."""
    names = ("annotations", "provider_specific_fields", "images", "audio", "refusal")
    return {name: found for name in names if (found := _plain(getattr(message, name, None)))}


def _cited(raw: Mapping[str, Any]) -> dict[str, Any]:
    notes = raw_annotations(raw)
    return {"annotations": notes} if notes else {}


def _plain(found: Any) -> Any:
    """litellm's objects as plain dicts and lists, so that nothing of litellm travels with our values."""
    if hasattr(found, "model_dump"):
        return found.model_dump(exclude_none=True)
    if isinstance(found, list):
        return [_plain(item) for item in found]
    if isinstance(found, dict):
        return {key: _plain(item) for key, item in found.items()}
    return found
