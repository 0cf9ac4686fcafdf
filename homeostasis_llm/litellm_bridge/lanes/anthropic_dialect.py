"""Read answers of Anthropic's Messages API into our values.

What its own servers did (searches, code, compaction) is left to litellm's reader, so that it has the names that litellm
gave it. Source: platform.claude.com/docs/en/api/messages. Import this only after `runtime.load_litellm`: it needs
litellm itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import httpx
from litellm.constants import RESPONSE_FORMAT_TOOL_NAME
from litellm.llms.anthropic.chat.handler import ModelResponseIterator
from litellm.llms.anthropic.chat.transformation import AnthropicConfig
from litellm.types.utils import ModelResponse

from ...errors import InvalidRequestError
from ...messages import Reasoning, ToolCall
from ...response import LLMChunk, LLMResponse, ToolCallFragment, finish_reason_of, parse_tool_call, text_chunk
from ...usage import Usage
from ..exchange import Exchange
from ..incoming import read_chunk, read_response
from ..wire import raw_id, raw_model, raw_usage
from .dialect import Dialect, Event
from .events import Events

Block = Mapping[str, Any]

_READ_HERE = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
"""The types of blocks that are no work of Anthropic's servers."""

_THOUGHTS = frozenset({"thinking", "redacted_thinking"})

_BESIDE = frozenset({"container", "context_management"})
"""What stands beside the blocks, and tells of that work."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
"""The names that tools may have; litellm gives others new ones, and takes them back from the answer."""


def takes(options: dict[str, Any]) -> bool:
    """Whether answers to a request with these parameters are read here; litellm's own are taken out of them."""
    options.pop("json_mode", None)  # it concerns answers that are a tool's call, alone
    names = (tool.get("name") for tool in options.get("tools") or () if tool.get("type", "custom") == "custom")
    named = [name for name in names if isinstance(name, str)]
    # It says in an answer's count of tokens what they cost.
    return "speed" not in options and all(name != RESPONSE_FORMAT_TOOL_NAME and _NAME.fullmatch(name) for name in named)


def checked(found: object) -> Event:
    """`found`, where it is an answer or an event. Raises `ValueError` for an error, and for what is neither."""
    if not isinstance(found, dict):
        raise ValueError("an answer of Anthropic's form is a JSON object")  # noqa: TRY004  # as for what is no JSON at all
    if found.get("error") or not isinstance(found.get("type"), str) or found["type"] == "error":
        raise ValueError("it has no type, which an answer of Anthropic's form has")
    if found["type"] == "message" and not isinstance(found.get("content"), list):
        raise ValueError("it has no content, which an answer of Anthropic's form has")
    return found


def read_answer(raw: Mapping[str, Any], exchange: Exchange, provider: str) -> LLMResponse:
    """A whole answer."""
    blocks = _blocks(raw)
    if any(raw.get(name) for name in _BESIDE) or any(block.get("type") not in _READ_HERE for block in blocks):
        return read_response(_read_by_litellm(raw, exchange), exchange, provider)
    word = raw.get("stop_reason")
    thoughts = [block for block in blocks if block["type"] in _THOUGHTS]
    return LLMResponse(
        content="".join(str(block.get("text", "")) for block in blocks if block["type"] == "text"),
        provider=provider,
        model=raw_model(raw),
        usage=_usage(raw),
        metadata={"finish_reason": word, "response_id": raw_id(raw), **_extras(blocks, thoughts)},
        tool_calls=[_call(block) for block in blocks if block["type"] == "tool_use"],
        finish_reason=finish_reason_of(word),
        reasoning=_reasoning(thoughts, provider),
        request_id=exchange.request_id,
        latency=exchange.seconds,
    )


def counted(raw: Mapping[str, Any]) -> Callable[[], Any]:
    """What makes litellm's own count of an answer's tokens."""
    return partial(AnthropicConfig().calculate_usage, raw_usage(raw) or {}, None, completion_response=raw)


class AnthropicReading:
    """Reads the events of one stream, and keeps what is told beside the text."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._model: str | None = None
        self._id: str | None = None
        self._word: str | None = None
        self._usage: Usage | None = None
        self._calls = 0
        """How many have begun."""
        self._arguments = False
        """Whether the one under way has any yet."""
        self._block = ""
        """The type of the block under way."""
        self._theirs: Any = None
        """litellm's reader, once there is work for it."""

    @property
    def counted(self) -> Callable[[], Any] | None:
        """As of `Dialect.counted`."""
        if self._usage is None:
            return None
        return partial(AnthropicConfig().calculate_usage, self._usage.raw or {}, None)

    def chunks(self, events: Sequence[Event]) -> list[LLMChunk]:
        """What events add."""
        return [chunk for event in events for chunk in self._read(event)]

    def last(self, exchange: Exchange) -> LLMChunk:
        """What was told beside the text."""
        return LLMChunk(
            provider=self._provider,
            model=self._model,
            usage=self._usage,
            finish_reason=finish_reason_of(self._word),
            metadata={"finish_reason": self._word, "response_id": self._id},
            request_id=exchange.request_id,
            latency=exchange.seconds,
        )

    def _read(self, event: Event) -> Sequence[LLMChunk]:
        match event["type"]:
            case "content_block_delta" if self._block in _READ_HERE:
                chunks = self._delta(_dict(event.get("delta")))
            case "content_block_start":
                chunks = self._started(event, _dict(event.get("content_block")))
            case "content_block_stop":
                chunks = self._stopped(event)
            case "message_start":
                chunks = self._begun(_dict(event.get("message")))
            case "message":  # the whole answer, of a server that knows no streams
                chunks = self._begun(event)
            case "message_delta":
                chunks = self._ended(event, _dict(event.get("delta")))
            case "content_block_delta":
                chunks = self._by_litellm(event)
            case _:  # it keeps the connection alive, is the end, or is not known yet
                chunks = ()
        return chunks

    def _delta(self, delta: Event) -> Sequence[LLMChunk]:
        chunks: Sequence[LLMChunk] = ()
        match delta.get("type"):
            case "text_delta" if isinstance(text := delta.get("text"), str):
                chunks = (text_chunk(self._provider, text),)
            case "input_json_delta":
                arguments = delta.get("partial_json") or ""
                self._arguments = self._arguments or bool(arguments)
                chunks = self._fragments(arguments=arguments)
            case "thinking_delta" if thought := delta.get("thinking"):
                chunks = self._thought({"type": "thinking", "thinking": thought}, thought)
            case "signature_delta" if signature := delta.get("signature"):
                chunks = self._thought({"type": "thinking", "thinking": "", "signature": signature})
            case "citations_delta":
                fields = {"citation": delta.get("citation")}
                chunks = (self._chunk(metadata={"provider_specific_fields": fields}),)
        return chunks

    def _started(self, event: Event, block: Event) -> Sequence[LLMChunk]:
        self._block = block.get("type") or ""
        match self._block:
            case "text":
                return (text_chunk(self._provider, text),) if isinstance(text := block.get("text"), str) else ()
            case "tool_use":
                self._calls += 1
                given = block.get("input")
                self._arguments = bool(given)
                # Some servers send all of it at once.
                arguments = json.dumps(given) if given else ""
                return self._fragments(id=block.get("id"), name=block.get("name"), arguments=arguments)
            case "redacted_thinking":
                return self._thought({"type": "redacted_thinking", "data": block.get("data")})
            case "thinking":
                return ()
        return self._by_litellm(event)

    def _stopped(self, event: Event) -> Sequence[LLMChunk]:
        block, self._block = self._block, "text"
        if block not in _READ_HERE:
            return self._by_litellm(event)
        return self._fragments(arguments="{}") if block == "tool_use" and not self._arguments else ()

    def _begun(self, message: Event) -> list[LLMChunk]:
        self._model, self._id = self._model or raw_model(message), self._id or raw_id(message)
        self._note(message, message)
        # Some servers send all of it at once.
        return [chunk for index, block in enumerate(_blocks(message)) for chunk in self._whole(index, block)]

    def _whole(self, index: int, block: Event) -> list[LLMChunk]:
        started = self._started({"type": "content_block_start", "index": index, "content_block": block}, block)
        thoughts = self._thought(block, block["thinking"]) if block.get("thinking") else ()
        return [*started, *thoughts, *self._stopped({"type": "content_block_stop", "index": index})]

    def _ended(self, event: Event, delta: Event) -> Sequence[LLMChunk]:
        self._note(event, delta)
        return self._by_litellm(event) if delta.get("container") else ()

    def _note(self, told: Event, of_end: Event) -> None:
        self._word = of_end.get("stop_reason") or self._word
        if (usage := _usage(told)) is not None:
            self._usage = usage if self._usage is None else self._usage.updated(usage)

    def _thought(self, block: Event, text: str = "") -> Sequence[LLMChunk]:
        payload = {"thinking_blocks": [block]}
        metadata = {"provider_specific_fields": payload}
        return (self._chunk(reasoning=text, reasoning_payload=payload, metadata=metadata),)

    def _fragments(self, **fields: Any) -> Sequence[LLMChunk]:
        return (self._chunk(tool_calls=[ToolCallFragment(index=self._calls - 1, **fields)]),)

    def _chunk(self, **fields: Any) -> LLMChunk:
        return LLMChunk(provider=self._provider, **fields)

    def _by_litellm(self, event: Event) -> Sequence[LLMChunk]:
        if self._theirs is None:
            self._theirs = ModelResponseIterator(None, sync_stream=True)
        self._theirs.tool_index = self._calls - 1
        piece = _refusing(partial(self._theirs.chunk_parser, event))
        self._calls = self._theirs.tool_index + 1
        return (read_chunk(piece, self._provider),)


def _read_by_litellm(raw: Mapping[str, Any], exchange: Exchange) -> Any:
    return _refusing(
        partial(
            AnthropicConfig().transform_parsed_response,
            completion_response=raw,
            raw_response=httpx.Response(200, headers=exchange.headers),
            model_response=ModelResponse(),
        )
    )


def _refusing(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # noqa: BLE001  # it takes all to be there that may be, and raises what comes of that
        raise InvalidRequestError(f"litellm cannot read it: {error!r:.200}") from None


def _call(block: Block) -> ToolCall:
    return parse_tool_call(block.get("name"), block.get("input"), block.get("id"))


def _reasoning(thoughts: Sequence[Block], provider: str) -> Reasoning | None:
    if not thoughts:
        return None
    text = "".join(str(block.get("thinking") or "") for block in thoughts)
    return Reasoning(text=text, provider=provider, payload={"thinking_blocks": list(thoughts)})


def _extras(blocks: Sequence[Block], thoughts: Sequence[Block]) -> dict[str, Any]:
    """What litellm has of these blocks in fields of its own."""
    cited = [
        [{**citation, "supported_text": block.get("text", "")} for citation in block["citations"]]
        for block in blocks
        if block.get("citations") is not None
    ]
    fields = {"citations": cited or None, "thinking_blocks": list(thoughts) or None}
    return {"provider_specific_fields": fields} if cited or thoughts else {}


def _usage(raw: Mapping[str, Any]) -> Usage | None:
    told = raw.get("usage")
    usage = Usage.of(told) if isinstance(told, dict) else None
    counts = usage is not None and not {usage.input_tokens, usage.output_tokens} <= {None}
    return usage if counts else None


def _blocks(raw: Mapping[str, Any]) -> list[Event]:
    found = raw.get("content")
    return [block for block in found if isinstance(block, dict)] if isinstance(found, list) else []


def _dict(found: object) -> Event:
    return found if isinstance(found, dict) else {}


DIALECT = Dialect(
    takes=takes,
    checked=checked,
    answer=read_answer,
    counted=counted,
    reading=AnthropicReading,
    cutter=lambda: Events(checked),
)
