"""Tell what a recording holds as people tell a conversation: who said what, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .file_format import NONE, Answer, Exchange, Recording
from .matching import ABSENT, Sent, parsed

_LONGEST = 2000
"""Characters of a body that nobody here can read."""

# What is said, by whichever of the wire's words: chat completions, messages, responses, generateContent.
_CONVERSATIONS = ("messages", "input", "contents")
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction")
_SHOWN_APART = {*_CONVERSATIONS, *_SYSTEM, "tools"}


def transcript(recording: Recording) -> Iterator[str]:
    """A recording, line by line."""
    made = ", ".join(filter(None, (recording.recorded_at, recording.recorded_by)))
    if made:
        yield f"recorded: {made}"
    if recording.test:
        yield f"test: {recording.test}"
    if recording.note:
        yield f"note: {recording.note}"
    for number, exchange in enumerate(recording.exchanges, 1):
        yield ""
        yield from _exchange(number, exchange)


def _exchange(number: int, exchange: Exchange) -> Iterator[str]:
    yield f"{number}. {exchange.sent.title}"
    yield from (f"   {line}" for line in _asked(exchange.sent))
    answer = exchange.answer
    if answer.status == NONE:
        yield f"   → no answer: {answer.broken}"
        return
    seconds = f", {answer.arrived[-1]:.2f} s" if answer.arrived else ""
    events = f", {len(answer.pieces)} events" if len(answer.pieces) > 1 else ""
    yield f"   → {answer.status} {answer.reason}{events}{seconds}".rstrip()
    yield from (f"   {line}" for line in _answered(answer))
    if answer.broken is not None:
        yield f"   the connection broke: {answer.broken}"


def _asked(sent: Sent) -> Iterator[str]:
    body = parsed(sent.body)
    if not isinstance(body, dict):
        yield from _raw(sent.body)
        return
    options = {name: told for name, told in body.items() if name not in _SHOWN_APART}
    if options:
        yield ", ".join(f"{name}={json.dumps(told, ensure_ascii=False)}" for name, told in options.items())
    for name in _SYSTEM:
        if name in body:
            yield from _said("system", body[name])
    for tool in body.get("tools") or ():
        yield f"tool: {_tool_name(tool)}"
    for name in _CONVERSATIONS:
        found = body.get(name)
        if isinstance(found, str):
            yield from _said("user", found)
        for turn in found if isinstance(found, list) else ():
            role = str(turn.get("role", turn.get("type", ""))) if isinstance(turn, dict) else ""
            calls = list(_calls([{"choices": [{"message": turn}]}])) if isinstance(turn, dict) else []
            yield from (f"{role} calls: {call}" for call in calls)
            if not calls or turn.get("content"):
                yield from _said(role, turn)


def _answered(answer: Answer) -> Iterator[str]:
    pieces = [event for piece in answer.pieces for event in _events(piece)]
    if not pieces:
        yield from _raw(answer.body)
        return
    texts = [text for event in pieces for text in _answer_texts(event)]
    if texts:
        yield from _said("assistant", "".join(texts))
    yield from (f"calls: {call}" for call in _calls(pieces))
    for event in pieces:
        if error := event.get("error"):
            yield f"error: {error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)}"
    ends = {
        str(found) for event in pieces for found in _values(event, {"finish_reason", "stop_reason", "finishReason"})
    }
    if ends:
        yield f"ended by: {', '.join(sorted(ends))}"
    counts = [found for event in pieces for found in _values(event, {"usage", "usageMetadata"})]
    if counts:
        yield f"usage: {json.dumps(counts[-1])}"
    if not texts and not ends and "error" not in pieces[0]:
        yield from _raw(answer.body)


def _events(piece: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects in a piece of an answer: all of it, or what its lines of data hold."""
    whole = parsed(piece)
    if isinstance(whole, dict):
        yield whole
        return
    for line in piece.decode("utf-8", "replace").splitlines():
        found = parsed(line.partition(":")[2].encode()) if line.startswith("data:") else ABSENT
        if isinstance(found, dict):
            yield found


def _answer_texts(event: Mapping[str, Any]) -> Iterator[str]:
    """What is said in an answer or an event of one."""
    kind = event.get("type")
    if kind in {"response.completed", "response.output_text.done", "response.content_part.done"} or (
        isinstance(kind, str) and kind.startswith("response.output_item")
    ):
        return  # the same again
    for choice in _dicts(event.get("choices")):
        for said in (choice.get("message"), choice.get("delta")):
            if isinstance(said, dict):
                yield from _texts(said.get("content"))
    for candidate in _dicts(event.get("candidates")):
        yield from _texts(candidate.get("content"))
    yield from _texts(event.get("delta"))
    if isinstance(event.get("message"), dict):
        yield from _texts(event["message"].get("content"))
    for item in _dicts(event.get("output")):
        yield from _texts(item.get("content"))
    yield from _texts(event.get("content"))


def _calls(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The tools that were called, their arguments put together from the pieces of a stream."""
    names: dict[Any, str] = {}
    arguments: dict[Any, str] = {}
    for event in events:
        for key, name, piece in _call_pieces(event):
            names.setdefault(key, name)
            arguments[key] = arguments.get(key, "") + piece
    for key, name in names.items():
        yield f"{name}({' '.join(arguments[key].split())})"


def _call_pieces(event: Mapping[str, Any]) -> Iterator[tuple[Any, str, str]]:
    """Which call, its name where that is told, and a piece of its arguments."""
    for choice in _dicts(event.get("choices")):
        said = choice.get("message") or choice.get("delta") or {}
        for index, call in enumerate(_dicts(said.get("tool_calls"))):
            function = call.get("function") or {}
            yield call.get("index", index), function.get("name") or "", function.get("arguments") or ""
    blocks = [*_dicts(event.get("content")), *_dicts(event.get("output")), *_dicts([event.get("content_block")])]
    for index, block in enumerate(blocks):
        if block.get("type") in {"tool_use", "function_call"}:
            told = block.get("arguments", block.get("input"))
            arguments = told if isinstance(told, str) else json.dumps(told) if told else ""
            yield event.get("index", index), str(block.get("name")), arguments
    delta = event.get("delta")
    if isinstance(delta, dict) and "partial_json" in delta:
        yield event.get("index"), "", str(delta["partial_json"])


def _said(role: str, found: Any) -> Iterator[str]:
    lines = "".join(_texts(found)).splitlines() or [json.dumps(found, ensure_ascii=False)[:_LONGEST]]
    yield f"{role}: {lines[0]}"
    yield from (f"{' ' * len(role)}  {line}" for line in lines[1:])


def _texts(found: Any) -> Iterator[str]:
    """The text in a message's content, in whichever of its forms."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        for part in found:
            yield from _texts(part)
    elif isinstance(found, dict):
        for name in ("text", "content", "parts"):
            if name in found:
                yield from _texts(found[name])
                return


def _values(found: Any, names: set[str]) -> Iterator[Any]:
    if isinstance(found, dict):
        for name, told in found.items():
            if name in names and told is not None:
                yield told
            else:
                yield from _values(told, names)
    elif isinstance(found, list):
        for item in found:
            yield from _values(item, names)


def _dicts(found: Any) -> list[dict[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _tool_name(tool: Any) -> str:
    if not isinstance(tool, dict):
        return str(tool)
    function = tool.get("function")
    return str((function if isinstance(function, dict) else tool).get("name", tool.get("type", "?")))


def _raw(body: bytes) -> Iterator[str]:
    text = body.decode("utf-8", "backslashreplace")
    yield from (text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…").splitlines()
