"""From a step and a request to what is sent: status, headers and body, in the request's dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from itertools import chain
from typing import Any, Protocol

from . import anthropic_wire, openai_wire
from .about import About
from .recorded import Request
from .steps import Answer, Break, Failure, Flood, Page, Redirect, Step, Upstream

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"

_FLOOD_PIECE = "flood. " * 8_000

Lines = list[tuple[str, str]]


class Wire(Protocol):
    """A dialect; the modules `openai_wire` and `anthropic_wire` are its two forms."""

    def answer(self, said: Answer, about: About) -> dict[str, Any]: ...
    def stream(self, said: Answer, about: About) -> Iterator[bytes]: ...
    def carries_text(self, event: bytes) -> bool: ...
    def error(self, failure: Failure, about: About) -> dict[str, Any]: ...
    def error_event(self, failure: Failure, about: About) -> bytes: ...
    def no_such_path(self, method: str, path: str) -> dict[str, Any]: ...
    def models(self, names: Sequence[str]) -> dict[str, Any]: ...
    def headers(self, about: About) -> Lines: ...
    def ratelimit_headers(self, seconds: float, about: About) -> Lines: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as HTTP carries it."""

    status: int
    headers: Lines
    body: bytes | Iterable[bytes] | AsyncIterator[bytes]
    length: int | None
    """Bytes that the body has; None where they are sent in chunks."""

    @property
    def is_stream(self) -> bool:
        """Whether the body consists of a stream's events."""
        return self.length is None


def wire_of(request: Request) -> Wire:
    """The dialect that a request is in."""
    is_anthropic = "anthropic-version" in request.headers or "/messages" in request.path
    return anthropic_wire if is_anthropic else openai_wire


def reply_to(request: Request, step: Step, about: About, models: Sequence[str]) -> Reply:
    """What `step` says to `request`."""
    wire = wire_of(request)
    reply = _said(request, step, about, models, wire)
    return with_headers(replace(reply, headers=[*wire.headers(about), *reply.headers]), step)


def with_headers(reply: Reply, step: Step) -> Reply:
    """`reply` with the headers that `step` adds or replaces."""
    named = {name for name, _ in step.headers}
    return replace(reply, headers=[*(line for line in reply.headers if line[0] not in named), *step.headers])


def _said(request: Request, step: Step, about: About, models: Sequence[str], wire: Wire) -> Reply:
    match step.said:
        case Failure() as failure:
            return _failure(failure, about, wire)
        case Redirect(url=url, status=status):
            query = f"?{request.query_string}" if request.query_string else ""
            return Reply(status, [("location", f"{url}{request.path}{query}")], b"", 0)
        case Page() as page:
            kind = page.content_type or (EVENTS if about.streamed else JSON)
            return Reply(page.status, [("content-type", kind)], page.body, len(page.body))
        case Answer() | Flood() as said:
            return _good(request, said, step.broken, about, models)
        case Upstream():
            raise ValueError("forward: there is nobody to ask; make the server with FaultServer(upstream=url)")


def _good(request: Request, said: Answer | Flood, broken: Break | None, about: About, models: Sequence[str]) -> Reply:
    wire = wire_of(request)
    if request.method == "GET" and request.path.endswith("/models"):
        return _json(200, wire.models(models))
    if request.method != "POST" or not request.path.endswith(("/chat/completions", "/messages")):
        return _json(404, wire.no_such_path(request.method, request.path))
    if isinstance(said, Flood):
        return _flood(said.size, about, wire)
    if broken is not None and broken.failure is not None and not about.streamed:
        return _json(200, wire.error(broken.failure, about))
    if about.streamed:
        return Reply(200, [("content-type", EVENTS), ("cache-control", "no-cache")], wire.stream(said, about), None)
    return _json(200, wire.answer(said, about))


def _failure(failure: Failure, about: About, wire: Wire) -> Reply:
    if isinstance(failure.body, (bytes, str)):
        reply = _whole(failure.status, failure.body.encode() if isinstance(failure.body, str) else failure.body)
    else:
        reply = _json(failure.status, wire.error(failure, about) if failure.body is None else failure.body)
    return replace(reply, headers=[*reply.headers, *_wait(failure, about, wire)])


def _wait(failure: Failure, about: About, wire: Wire) -> Lines:
    seconds = failure.retry_after
    if seconds is None:
        return []
    match failure.retry_form:
        case "seconds":
            return [("retry-after", f"{seconds:g}")]
        case "milliseconds":
            return [("retry-after-ms", f"{seconds * 1000:g}")]
        case "date":
            # Only with the server's own time can a client know how long it is until then.
            return [
                ("date", formatdate(about.now, usegmt=True)),
                ("retry-after", formatdate(about.now + seconds, usegmt=True)),
            ]
        case "ratelimit_reset":
            return wire.ratelimit_headers(seconds, about)


def _json(status: int, found: Mapping[str, Any]) -> Reply:
    # As real characters, not as \u escapes, so that an answer can break off amid one.
    return _whole(status, json.dumps(found, ensure_ascii=False).encode())


def _whole(status: int, body: bytes) -> Reply:
    return Reply(status, [("content-type", JSON)], body, len(body))


def _flood(size: int, about: About, wire: Wire) -> Reply:
    """A text of `size` bytes, made of one piece again and again."""
    times = -(-size // len(_FLOOD_PIECE))
    said = Answer(pieces=(_FLOOD_PIECE,))
    if about.streamed:
        events = list(wire.stream(said, about))
        (place,) = [index for index, event in enumerate(events) if wire.carries_text(event)]
        body = chain(events[:place], (events[place] for _ in range(times)), events[place + 1 :])
        return Reply(200, [("content-type", EVENTS)], body, None)
    whole = json.dumps(wire.answer(said, about)).encode()
    piece = _FLOOD_PIECE.encode()
    before, _, after = whole.partition(piece)
    length = len(before) + times * len(piece) + len(after)
    return Reply(200, [("content-type", JSON)], chain((before,), (piece for _ in range(times)), (after,)), length)
