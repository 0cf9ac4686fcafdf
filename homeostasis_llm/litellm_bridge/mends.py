"""Mend, on its way to litellm, what providers send and litellm cannot read or drops.

Each mend says what litellm does without it. They hold for litellm 1.106; the facts that we read ourselves come from the
wire as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..response import finish_reason_of

Event = dict[str, Any]
"""One JSON object: a whole answer, or one event of a stream."""


class Mend(NamedTuple):
    """What is done to an event."""

    mark: bytes
    """Stands in every event that may need it; most do not, and are not even parsed."""
    apply: Callable[[Event], list[Event] | None]
    """What to send on instead of the event; None where it may stay as it is."""
    providers: frozenset[str] = frozenset()
    """litellm's names of those that need it; empty for all, where a wire format has many."""


class Mender:
    """Passes one answer's body on, mended."""

    def __init__(self, litellm_name: str, headers: Mapping[str, str]) -> None:
        self._mends = [mend for mend in _MENDS if not mend.providers or litellm_name in mend.providers]
        self._passed_over = _PASSED_OVER.get(litellm_name)
        self._kept = bytearray()
        kind = headers.get("content-type", "").partition(";")[0].strip()
        readable = headers.get("content-encoding", "identity") == "identity"
        self._by_line = readable and kind in {"text/event-stream", "application/x-ndjson"}
        self._whole = readable and kind == "application/json"

    def feed(self, piece: bytes) -> bytes:
        """What of the body can go on, now that `piece` has come."""
        if not (self._by_line or self._whole):
            return piece
        self._kept += piece
        if self._whole or b"\n" not in piece:
            return b""
        *lines, rest = bytes(self._kept).split(b"\n")
        self._kept = bytearray(rest)
        return b"".join(map(self._line, lines))

    def end(self) -> bytes:
        """What remains of the body."""
        rest = bytes(self._kept)
        if not self._whole:
            return self._line(rest).removesuffix(b"\n")
        mended = self._mended(rest)
        return json.dumps(mended[0]).encode() if mended else rest

    def _line(self, line: bytes) -> bytes:
        if self._passed_over is not None and line.startswith(self._passed_over):
            return b""
        mended = self._mended(line.removeprefix(b"data:")) if line.startswith(b"data:") else None
        if mended is not None:
            line = b"\n\n".join(b"data: " + json.dumps(event).encode() for event in mended)
        return _spelled(line) + b"\n"

    def _mended(self, text: bytes) -> list[Event] | None:
        mends = [mend for mend in self._mends if mend.mark in text]
        if not mends:
            return None
        try:
            found = json.loads(text)
        except ValueError:  # litellm is to say what it thinks of it
            return None
        events: list[Event] = [found] if isinstance(found, dict) else []
        changed = False
        for mend in mends:
            results = [(event, mend.apply(event)) for event in events]
            changed = changed or any(result is not None for _, result in results)
            events = [new for event, result in results for new in ([event] if result is None else result)]
        return events if changed else None


def _spelled(line: bytes) -> bytes:
    """`line` with what can only be part of a text spelled as JSON also allows: the rest of its event would be lost.

    litellm's lines end at U+2028 and the like too, since httpx's do; and what holds OpenAI's last word ends a stream.
    """
    if line.removeprefix(b"data:").strip() != b"[DONE]":
        for sign, spelling in _SPELLINGS:
            line = line.replace(sign, spelling)
    return line


_SPELLINGS = (
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
    ("\u0085".encode(), rb"\u0085"),
    (b"[DONE]", rb"[\u0044ONE]"),
)


def _groq_service_tier(event: Event) -> list[Event] | None:
    """An answer without it, as Groq's all were until mid-2025, is an `AttributeError`."""
    wants = event.get("object") == "chat.completion" and "service_tier" not in event
    return [{**event, "service_tier": None}] if wants else None


def _google_arguments(event: Event) -> list[Event] | None:
    """A call without arguments has none of them, and is a `KeyError`.

    One whose arguments are to come in pieces stays an error: they would come in fragments that do not add up.
    """
    lacking = [
        call
        for candidate in _dicts(event.get("candidates"))
        for part in _dicts(_dict(candidate.get("content")).get("parts"))
        if "name" in (call := _dict(part.get("functionCall")))
        if not call.keys() & {"args", "partialArgs", "willContinue"}
    ]
    for call in lacking:
        call["args"] = {}
    return [event] if lacking else None


def _anthropic_whole_blocks(event: Event) -> list[Event] | None:
    """A tool's call that is there when its block or its message begins is lost: it is looked for in later pieces."""
    if event.get("type") == "content_block_start":
        block, index = _dict(event.get("content_block")), event.get("index", 0)
        return list(_whole_block(block, index, open_ended=True)) if block.get("input") else None
    message = _dict(event.get("message"))
    if event.get("type") != "message_start" or not (blocks := _dicts(message.get("content"))):
        return None
    start = {**event, "message": {**message, "content": []}}
    return [start, *(part for index, block in enumerate(blocks) for part in _whole_block(block, index))]


def _whole_block(block: Event, index: int, *, open_ended: bool = False) -> Iterator[Event]:
    """The events of a block that has all it will have; without the last one where that is still to come."""
    given = block.get("input")
    emptied = {**block, "input": {}} if given else block
    yield {"type": "content_block_start", "index": index, "content_block": emptied}
    if given:
        delta = {"type": "input_json_delta", "partial_json": json.dumps(given)}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    if not open_ended:
        yield {"type": "content_block_stop", "index": index}


def _cohere_event(event: Event) -> list[Event] | None:
    """Cohere's v2 streams are read in a form that Cohere does not send. These are the chunks of OpenAI's form.

    `runtime` has litellm read them as such.
    """
    kind, told = event.get("type"), _dict(event.get("delta"))
    message = _dict(told.get("message"))
    finish = None
    delta: Event = {}
    match kind:
        case "content-start" | "content-delta":
            content = _dict(message.get("content"))
            delta = {"content": content.get("text"), "reasoning_content": content.get("thinking")}
        case "tool-call-start" | "tool-call-delta":
            delta = {"tool_calls": [{"index": event.get("index", 0), **_dict(message.get("tool_calls"))}]}
        case "message-end":
            finish = finish_reason_of(told.get("finish_reason"))
        case _:
            return []
    choice = {"index": 0, "delta": {name: said for name, said in delta.items() if said}, "finish_reason": finish}
    return [{"id": "", "object": "chat.completion.chunk", "created": 0, "model": "", "choices": [choice]}]


def _empty_custom_call(event: Event) -> list[Event] | None:
    """Snowflake sends an empty `custom` beside a call's `function`; it is taken for a custom one that lacks fields."""
    odd = [
        call
        for choice in _dicts(event.get("choices"))
        for call in _dicts(_dict(choice.get("message")).get("tool_calls"))
        if call.get("function") and "custom" in call
    ]
    for call in odd:
        del call["custom"]
    return [event] if odd else None


def _reasoning_details(event: Event) -> list[Event] | None:
    """Thoughts that are told in `reasoning_details` alone are dropped."""
    silent = [
        delta
        for choice in _dicts(event.get("choices"))
        if (delta := _dict(choice.get("delta") or choice.get("message"))).get("reasoning_details")
        if not (delta.get("reasoning") or delta.get("reasoning_content"))
    ]
    for delta in silent:
        told = (detail.get("text") for detail in _dicts(delta["reasoning_details"]))
        delta["reasoning_content"] = "".join(text for text in told if isinstance(text, str))
    return [event] if silent else None


def _response_items(event: Event) -> list[Event] | None:
    """OpenAI's Responses: an answer without text and calls is an error, and so is one that cites a file."""
    output = event.get("output")
    if event.get("object") != "response" or not isinstance(output, list) or event.get("status") == "failed":
        return None
    items = _dicts(output)
    parts = [part for item in items for part in _dicts(item.get("content"))]
    cited = [part for part in parts if any(_of_a_file(note) for note in _dicts(part.get("annotations")))]
    for part in cited:
        part["annotations"] = [note for note in part["annotations"] if not _of_a_file(note)]
    mute = not any(item.get("type") in _ITEMS_READ for item in items)
    if mute:
        text = {"type": "output_text", "text": "", "annotations": []}
        message = {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed", "content": [text]}
        event["output"] = [*output, message]
    return [event] if cited or mute else None


_ITEMS_READ = {"message", "function_call", "custom_tool_call", "apply_patch_call"}


def _response_thoughts(event: Event) -> list[Event] | None:
    """OpenAI's Responses: of a model's thoughts, only what a stream calls a summary of them is read."""
    if event.get("type") != "response.reasoning_text.delta":
        return None
    return [{**event, "type": "response.reasoning_summary_text.delta", "summary_index": event.get("content_index", 0)}]


def _of_a_file(note: Event) -> bool:
    return note.get("type") in {"file_citation", "container_file_citation", "file_path"}


def _dict(found: object) -> Event:
    return found if isinstance(found, dict) else {}


def _dicts(found: object) -> list[Event]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


_COHERE = frozenset({"cohere", "cohere_chat"})
_GOOGLE = frozenset({"gemini", "vertex_ai", "vertex_ai_beta"})

_PASSED_OVER = {**dict.fromkeys(_COHERE, b"event:"), **dict.fromkeys(_GOOGLE, b":")}
"""How lines begin that litellm takes for data: of Cohere's events their names, which the data says again; comments."""

_MENDS = (
    Mend(b'"chat.completion"', _groq_service_tier, frozenset({"groq"})),
    Mend(b'"functionCall"', _google_arguments, _GOOGLE),
    Mend(b"_start", _anthropic_whole_blocks, frozenset({"anthropic"})),
    Mend(b'"type"', _cohere_event, _COHERE),
    Mend(b'"custom"', _empty_custom_call),
    Mend(b'"reasoning_details"', _reasoning_details),
    Mend(b'"response"', _response_items),
    Mend(b'"response.reasoning_text.delta"', _response_thoughts),
)
