"""Say what a model answered, whole (`LLMResponse`) or in pieces that add up to it (`LLMChunk`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import reduce
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator

from ._value import Value, value
from .attempts import Attempt
from .messages import LLMMessage, Reasoning, ToolCall
from .usage import Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "unknown"]
"""Why an answer ended. Words of a provider that mean none of these are `unknown`."""

# The providers' own words, in lower case. Sources: their API references, as for the counts in usage.py. Unknown stay
# the words of answers that have not ended (in_progress, pause_turn) and those that say nothing (other, incomplete).
_FINISH_REASONS: dict[str, FinishReason] = {
    **{word: word for word in get_args(FinishReason)},
    **dict.fromkeys(("end_turn", "stop_sequence", "complete", "completed", "end", "done", "finish"), "stop"),
    **dict.fromkeys(("eos", "eos_token", "endoftext"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "maximum_tokens", "token_limit"), "length"),
    **dict.fromkeys(("model_length", "model_context_window_exceeded"), "length"),
    **dict.fromkeys(("tool_use", "tool_call", "function_call", "requires_action"), "tool_calls"),
    **dict.fromkeys(
        ("refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "language", "image_safety"),
        "content_filter",
    ),
    **dict.fromkeys(("image_prohibited_content", "image_recitation", "model_armor"), "content_filter"),
    **dict.fromkeys(("content_filtered", "guardrail_intervened", "error_toxic", "sensitive"), "content_filter"),
    **dict.fromkeys(
        ("malformed_function_call", "malformed_response", "malformed_model_output", "malformed_tool_use"), "error"
    ),
    **dict.fromkeys(("unexpected_tool_call", "too_many_tool_calls", "missing_thought_signature"), "error"),
    **dict.fromkeys(("network_error", "failed", "cancelled", "timeout", "error_limit"), "error"),
    "insufficient_system_resource": "error",
}

# Google's, when it is asked for numbers. The greater ones mean different things in its two APIs.
_FINISH_NUMBERS: dict[int, FinishReason] = {1: "stop", 2: "length", 3: "content_filter", 4: "content_filter"}


def finish_reason_of(word: object) -> FinishReason:
    """Ours for a provider's own word, or number."""
    if isinstance(word, int):
        return _FINISH_NUMBERS.get(word, "unknown")
    return _FINISH_REASONS.get(word.lower(), "unknown") if isinstance(word, str) else "unknown"


def _text(given: object) -> object:
    # Providers send null for the text of an answer that only calls tools.
    return "" if given is None else _mended(given) if isinstance(given, str) else given


def _mended(text: str) -> str:
    """`text` with the halves of a character ("surrogates") joined that came in different pieces, or replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _usage(given: object) -> object:
    if isinstance(given, Mapping):
        # With `raw` it is a `Usage` that `asdict` took apart.
        return Usage(**given) if "raw" in given else Usage.of(given)
    return given


def _reasoning(given: object) -> object:
    return Reasoning(text=given) if isinstance(given, str) else given


@value
class LLMResponse(Value):
    """What a model answered."""

    content: Annotated[str, BeforeValidator(_text)]
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
    attempts: list[Attempt] = field(default_factory=list)
    """Whom `LLMManager` has asked before this came, the one that answered last; empty where it was not asked."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.finish_reason is None:
            self.finish_reason = finish_reason_of(self.metadata.get("finish_reason"))
        for call in self.tool_calls:
            if call.payload is not None:
                call.provider = call.provider or self.provider
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
    """A piece of a tool call. Pieces of one call share the index; the id and the name come with the first.

    See `CallsInOrder` for providers that have other customs.
    """

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
        arguments, payload = call.arguments_text, call.payload
        return cls(index=index, id=call.id, name=call.name, arguments=arguments, payload=payload, server=server)

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
        parsed = json.loads(arguments, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        parsed = None
    # Some models write null for no arguments.
    if isinstance(parsed, dict):
        call.arguments = parsed
    elif arguments.strip() != "null":
        call.invalid_arguments = arguments
    return call


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON, and could not be sent back")


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
    restart: bool = False
    """Whether the answer begins anew with this piece: what came before is to be dropped."""
    attempts: list[Attempt] = field(default_factory=list)
    """As in `LLMResponse`; with the last piece."""

    def __add__(self, other: LLMChunk) -> LLMChunk:
        return merge_chunks((self, other))

    def to_response(self) -> LLMResponse:
        """The answer, once all its pieces are added up."""
        calls = [fragment.to_call() for fragment in self.tool_calls if not fragment.server]
        server_calls = [fragment.to_call() for fragment in self.tool_calls if fragment.server]
        reasoning = None
        if self.reasoning or self.reasoning_payload:
            reasoning = Reasoning(text=_mended(self.reasoning), provider=self.provider, payload=self.reasoning_payload)
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
            attempts=list(self.attempts),
        )


def text_chunk(provider: str, text: str, reasoning: str = "") -> LLMChunk:
    """`LLMChunk(…)` without its checks, for what is known to be text: a stream has thousands of these."""
    chunk: LLMChunk = object.__new__(LLMChunk)
    vars(chunk).update(
        _NOTHING, provider=provider, text=text, reasoning=reasoning, tool_calls=[], metadata={}, attempts=[]
    )
    return chunk


_NOTHING = vars(LLMChunk())


class CallsInOrder:
    """Tell which call each piece belongs to; pieces come in the order they were sent, calls are numbered from 0."""

    def __init__(self) -> None:
        self._opened: list[ToolCallFragment] = []

    def place(self, fragment: ToolCallFragment) -> int:
        """The number of the call that `fragment` is a piece of."""
        same_index = [number for number, call in enumerate(self._opened) if call.index == fragment.index]
        number = next((number for number in same_index if fragment.id and self._opened[number].id == fragment.id), None)
        if number is None and same_index and _continues(self._opened[same_index[-1]], fragment):
            number = same_index[-1]
        if number is None:
            number = len(self._opened)
            self._opened.append(ToolCallFragment(index=fragment.index))
        call = self._opened[number]
        call.id, call.name = call.id or fragment.id, call.name or fragment.name
        return number


def _continues(call: ToolCallFragment, fragment: ToolCallFragment) -> bool:
    """Whether `fragment` can be a further piece of `call`, the last one of its index, and does not begin another.

    Some providers give several calls one index and tell them apart by id, or by name alone; some repeat both in every
    piece; some send the id late.
    """
    if not fragment.id and not fragment.name:
        return True
    if not call.id and not call.name:
        return False  # the end of a call whose beginning is not here
    if fragment.id and (call.id or not call.name):
        return False
    return not (fragment.name and call.name and fragment.name != call.name)


def merge_chunks(chunks: Iterable[LLMChunk]) -> LLMChunk:
    """The piece that `chunks` make, in one pass (adding them one by one would copy the text each time)."""
    texts: list[str] = []
    thoughts: list[str] = []
    order = CallsInOrder()
    calls: list[list[ToolCallFragment]] = []
    merged = LLMChunk()
    for chunk in chunks:
        if chunk.restart:
            texts, thoughts, order, calls = [], [], CallsInOrder(), []
            merged = LLMChunk(restart=True)
        texts.append(chunk.text)
        thoughts.append(chunk.reasoning)
        for fragment in chunk.tool_calls:
            number = order.place(fragment)
            if number == len(calls):
                calls.append([])
            calls[number].append(fragment)
        merged.reasoning_payload = _merged(merged.reasoning_payload, chunk.reasoning_payload)
        if chunk.usage is not None:
            merged.usage = chunk.usage if merged.usage is None else merged.usage.updated(chunk.usage)
        merged.finish_reason = chunk.finish_reason or merged.finish_reason
        merged.provider = chunk.provider or merged.provider
        merged.model = chunk.model or merged.model
        merged.request_id = chunk.request_id or merged.request_id
        merged.latency = merged.latency if chunk.latency is None else chunk.latency
        merged.cost = merged.cost if chunk.cost is None else chunk.cost
        merged.attempts = chunk.attempts or merged.attempts
        told = {key: told for key, told in chunk.metadata.items() if told is not None or key not in merged.metadata}
        merged.metadata = {**merged.metadata, **told}
    merged.text = "".join(texts)
    merged.reasoning = "".join(thoughts)
    merged.tool_calls = [_joined(pieces) for pieces in calls]
    return merged


def _joined(pieces: Sequence[ToolCallFragment]) -> ToolCallFragment:
    """The piece of a call that `pieces` of it make."""
    return ToolCallFragment(
        index=pieces[0].index,
        id=next((piece.id for piece in pieces if piece.id), None),
        name=next((piece.name for piece in pieces if piece.name), None),
        arguments="".join(piece.arguments for piece in pieces),
        payload=reduce(_merged, (piece.payload for piece in pieces)),
        server=any(piece.server for piece in pieces),
    )


def _merged(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    """Both payloads: lists grow, everything else is the later one's."""
    if one is None or other is None:
        return other if one is None else one
    merged = dict(one)
    for key, found in other.items():
        before = merged.get(key)
        merged[key] = [*before, *found] if isinstance(before, list) and isinstance(found, list) else found
    return merged
