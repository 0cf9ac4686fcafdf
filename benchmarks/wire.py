"""The bytes that the loopback server answers with: OpenAI's chat completions, made once and sent many times.

A path says what is answered, so that the server need not read a request's body: `/answer/v1/chat/completions` a whole
answer, `/stream-200/v1/…` a stream of 200 pieces, `/tool-40/v1/…` a stream whose tool call has 40 pieces.
"""

from __future__ import annotations

import json
import re
from typing import Any

ANSWER = "Hello there."
KEY = "k3y"
REFUSED = "/refused"
"""Stands for the path of who has another key."""
TOOL = "look_up"

_PATH = re.compile(r"/(answer|stream|tool)(?:-(\d+))?/v1/(chat/completions|models)")
_USAGE = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
_HEAD: dict[str, Any] = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "loopback"}


def piece(place: int) -> str:
    """What the piece at `place` of a stream says. litellm refuses streams that repeat themselves."""
    return f"word{place % 10} "


def text(pieces: int) -> str:
    """What so many pieces say together."""
    return "".join(piece(place) for place in range(pieces))


def tool_arguments(pieces: int) -> dict[str, Any]:
    """The arguments that a tool call in so many pieces comes to; at least three."""
    return {"text": text(pieces - 2)}


def response(path: str) -> bytes:
    """All of the HTTP answer to a request for `path`."""
    if path == REFUSED:
        body = {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}
        return _whole(body, "401 Unauthorized")
    asked = _PATH.fullmatch(path)
    if asked is None:
        return _whole({"error": {"message": f"nothing at {path}", "type": "invalid_request_error"}}, "404 Not Found")
    kind, number, what = asked.groups()
    if what == "models":
        return _whole({"object": "list", "data": [{"id": "loopback", "object": "model", "owned_by": "nobody"}]})
    if kind == "answer":
        message = {"role": "assistant", "content": ANSWER}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
        return _whole({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE})
    deltas = _text(int(number)) if kind == "stream" else _tool_call(int(number))
    return _stream(deltas, "stop" if kind == "stream" else "tool_calls")


def _text(pieces: int) -> list[dict[str, Any]]:
    return [{"content": piece(place)} for place in range(pieces)]


def _tool_call(pieces: int) -> list[dict[str, Any]]:
    texts = ['{"text": "', *(piece(place) for place in range(pieces - 2)), '"}']
    begins: dict[str, Any] = {"id": "call_1", "type": "function", "function": {"name": TOOL, "arguments": ""}}
    goes_on: list[dict[str, Any]] = [{"function": {"arguments": text}} for text in texts]
    return [{"tool_calls": [{"index": 0, **call}]} for call in [begins, *goes_on]]


def _whole(body: dict[str, Any], status: str = "200 OK") -> bytes:
    content = json.dumps(body).encode()
    return _head(status, "application/json", f"content-length: {len(content)}") + content


def _stream(deltas: list[dict[str, Any]], finish: str) -> bytes:
    first = {"role": "assistant", "content": "" if "content" in deltas[0] else None}
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in [first, *deltas]]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    head = {**_HEAD, "object": "chat.completion.chunk"}
    events = [{**head, "choices": [choice], "usage": None} for choice in choices]
    events.append({**head, "choices": [], "usage": _USAGE})
    # Each event is an HTTP chunk of its own, as providers send them.
    framed = b"".join(_chunk(b"data: " + json.dumps(event).encode() + b"\n\n") for event in events)
    return (
        _head("200 OK", "text/event-stream", "transfer-encoding: chunked")
        + framed
        + _chunk(b"data: [DONE]\n\n")
        + b"0\r\n\r\n"
    )


def _head(status: str, media_type: str, framing: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\n{framing}\r\n\r\n".encode()


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)
