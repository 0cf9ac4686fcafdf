"""Say what a model answered, whole (`LLMResponse`) or in pieces that add up to it (`LLMChunk`)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import field
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator

from ._value import Value, value
from .messages import LLMMessage, Reasoning, ToolCall
from .usage import Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "unknown"]
"""Why an answer ended. Words of a provider that mean none of these are `unknown`."""

# The providers' own words, in lower case. Sources: their API references, as for the counts in usage.py.
_FINISH_REASONS: dict[str, FinishReason] = {
    **{word: word for word in get_args(FinishReason)},
    **dict.fromkeys(("end_turn", "stop_sequence", "complete", "completed", "eos", "eos_token", "end", "done"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"), "length"),
    **dict.fromkeys(("tool_use", "tool_call", "function_call"), "tool_calls"),
    **dict.fromkeys(
        ("refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "language", "image_safety"),
        "content_filter",
    ),
    **dict.fromkeys(
        ("content_filtered", "guardrail_intervened", "error_toxic", "model_armor", "sensitive"), "content_filter"
    ),
    **dict.fromkeys(
        ("malformed_function_call", "unexpected_tool_call", "network_error", "failed", "error_limit"), "error"
    ),
}


def finish_reason_of(word: str | None) -> FinishReason:
    """Ours for a provider's own word."""
    return _FINISH_REASONS.get((word or "").lower(), "unknown")


def _no_none(given: object) -> object:
    # Providers send null for the text of an answer that only calls tools.
    return "" if given is None else given


def _usage(given: object) -> object:
    return Usage.of(given) if isinstance(given, dict) else given


def _reasoning(given: object) -> object:
    return Reasoning(text=given) if isinstance(given, str) else given


@value
class LLMResponse(Value):
    """What a model answered."""

    content: Annotated[str, BeforeValidator(_no_none)]
    """The text; empty, never None, where the model only called tools."""
    provider: str = ""
    model: str | None = None
    """The model that answered, as the provider names it."""
    usage: Annotated[Usage, BeforeValidator(_usage)] | None = None
    """Tokens consumed; a provider's own dict is read, whatever its dialect."""
    metadata: Annotated[dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)] = field(
        default_factory=dict
    )
    """`finish_reason` in the provider's own word, `response_id`, and what else the provider tells."""
    tool_calls: list[ToolCall] = field(default_factory=list)
    """What the model wants called, by us."""
    server_tool_calls: list[ToolCall] = field(default_factory=list)
    """What the provider's server called by itself (web search, code execution): to be seen, not to be run again."""
    finish_reason: FinishReason | None = None
    """Why the answer ended; read from `metadata` where it is not given."""
    reasoning: Annotated[Reasoning, BeforeValidator(_reasoning)] | None = None
    request_id: str | None = None
    """The provider's own number of the request, for its support."""
    latency: float | None = None
    """Seconds from sending the request to the last byte of the answer."""
    cost: float | None = None
    """US dollars, None where the price is unknown."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.finish_reason is None:
            self.finish_reason = finish_reason_of(self.metadata.get("finish_reason"))
        self.metadata.setdefault("finish_reason", self.finish_reason)
        self.metadata.setdefault("response_id", None)

    def __str__(self) -> str:
        return self.content

    def to_message(self) -> LLMMessage:
        """This answer as the next message of the conversation."""
        return LLMMessage(
            role="assistant", content=self.content, tool_calls=list(self.tool_calls), reasoning=self.reasoning
        )


@value
class ToolCallFragment(Value):
    """A piece of a tool call. Pieces of one call share the index; the id and the name come with the first."""

    index: int = 0
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    """A piece of JSON."""
    payload: dict[str, Any] | None = None
    server: bool = False
    """Whether the provider's server runs the call itself."""

    @classmethod
    def of(cls, call: ToolCall, *, index: int, server: bool = False) -> ToolCallFragment:
        """A whole call as one piece."""
        arguments = json.dumps(call.arguments) if call.invalid_arguments is None else call.invalid_arguments
        return cls(index=index, id=call.id, name=call.name, arguments=arguments, payload=call.payload, server=server)

    def __add__(self, other: ToolCallFragment) -> ToolCallFragment:
        return ToolCallFragment(
            index=self.index,
            id=self.id or other.id,
            name=self.name or other.name,
            arguments=self.arguments + other.arguments,
            payload=_merged(self.payload, other.payload),
            server=self.server or other.server,
        )

    def to_call(self) -> ToolCall:
        """The whole call, once all its pieces are added up."""
        return parse_tool_call(self.name, self.arguments, self.id, self.payload)


def parse_tool_call(
    name: str | None,
    arguments: str | dict[str, Any] | None,
    id: str | None = None,
    payload: dict[str, Any] | None = None,
) -> ToolCall:
    """A tool call from the JSON text that models write; text that is no JSON object is kept in `invalid_arguments`."""
    call = ToolCall(name=name or "unknown", payload=payload)
    if id:
        call.id = id
    if isinstance(arguments, dict):
        call.arguments = arguments
        return call
    if not arguments or not arguments.strip():
        return call
    try:
        parsed = json.loads(arguments)
    except ValueError:
        parsed = None
        call.invalid_arguments = arguments
    if isinstance(parsed, dict):
        call.arguments = parsed
    elif parsed is not None:
        call.invalid_arguments = arguments
    return call


@value
class LLMChunk(Value):
    """A piece of an answer. `a + b` is the piece that both make, and `to_response()` the answer that all make."""

    text: str = ""
    reasoning: str = ""
    reasoning_payload: dict[str, Any] | None = None
    """What `Reasoning.payload` is made of."""
    tool_calls: list[ToolCallFragment] = field(default_factory=list)
    usage: Annotated[Usage, BeforeValidator(_usage)] | None = None
    """Counts for the whole answer so far, not for this piece; the last one told counts."""
    finish_reason: FinishReason | None = None
    provider: str = ""
    model: str | None = None
    request_id: str | None = None
    latency: float | None = None
    """Seconds from sending the request to this piece."""
    cost: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def __add__(self, other: LLMChunk) -> LLMChunk:
        return merge_chunks((self, other))

    def to_response(self) -> LLMResponse:
        """The answer, once all its pieces are added up."""
        calls = [fragment.to_call() for fragment in self.tool_calls if not fragment.server]
        server_calls = [fragment.to_call() for fragment in self.tool_calls if fragment.server]
        reasoning = None
        if self.reasoning or self.reasoning_payload:
            reasoning = Reasoning(text=self.reasoning, provider=self.provider, payload=self.reasoning_payload)
        return LLMResponse(
            content=self.text,
            provider=self.provider,
            model=self.model,
            usage=self.usage,
            metadata=dict(self.metadata),
            tool_calls=calls,
            server_tool_calls=server_calls,
            finish_reason=self.finish_reason,
            reasoning=reasoning,
            request_id=self.request_id,
            latency=self.latency,
            cost=self.cost,
        )


def merge_chunks(chunks: Iterable[LLMChunk]) -> LLMChunk:
    """The piece that `chunks` make, in one pass (adding them one by one would copy the text each time)."""
    texts: list[str] = []
    thoughts: list[str] = []
    calls: dict[tuple[int, str | None], ToolCallFragment] = {}
    latest: dict[int, tuple[int, str | None]] = {}
    merged = LLMChunk()
    for chunk in chunks:
        texts.append(chunk.text)
        thoughts.append(chunk.reasoning)
        for fragment in chunk.tool_calls:
            # Some providers give several calls one index and tell them apart by id alone: a new id opens a new call.
            key = latest.get(fragment.index, (fragment.index, fragment.id))
            if fragment.id is not None and key[1] is not None and fragment.id != key[1]:
                key = (fragment.index, fragment.id)
            latest[fragment.index] = key
            calls[key] = calls[key] + fragment if key in calls else fragment
        merged.reasoning_payload = _merged(merged.reasoning_payload, chunk.reasoning_payload)
        if chunk.usage is not None:
            merged.usage = chunk.usage if merged.usage is None else merged.usage.updated(chunk.usage)
        merged.finish_reason = chunk.finish_reason or merged.finish_reason
        merged.provider = chunk.provider or merged.provider
        merged.model = chunk.model or merged.model
        merged.request_id = chunk.request_id or merged.request_id
        merged.latency = merged.latency if chunk.latency is None else chunk.latency
        merged.cost = merged.cost if chunk.cost is None else chunk.cost
        merged.metadata = {**merged.metadata, **{key: told for key, told in chunk.metadata.items() if told is not None}}
    merged.text = "".join(texts)
    merged.reasoning = "".join(thoughts)
    merged.tool_calls = list(calls.values())
    return merged


def _merged(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    """Both payloads: lists grow, everything else is the later one's."""
    if one is None or other is None:
        return other if one is None else one
    merged = dict(one)
    for key, found in other.items():
        before = merged.get(key)
        merged[key] = [*before, *found] if isinstance(before, list) and isinstance(found, list) else found
    return merged
