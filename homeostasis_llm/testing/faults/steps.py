"""What the fault server does with a request: small values, and the functions that make them.

A step is something said (an answer, an error, a page, whatever an upstream server says) and the way it is delivered:
late, slowly, in pieces, broken off. The functions that break something take what they break as `of`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from homeostasis_llm.messages import ToolCall

At: TypeAlias = Literal["before_headers", "after_headers", "between_chunks", "mid_chunk", "mid_character"]
"""Where an answer breaks off. One that is not streamed breaks off amid its body, wherever "chunks" are spoken of."""

How: TypeAlias = Literal["reset", "hang_up", "silence", "early_end", "truncated", "error_event"]
"""What comes where an answer breaks off."""

Reason: TypeAlias = Literal["context_length", "insufficient_quota", "content_filter"]
"""What a status alone does not say of an error."""

RetryForm: TypeAlias = Literal["seconds", "date", "milliseconds", "ratelimit_reset"]
"""How a provider says when to ask again: `retry-after` as a number or a date, `retry-after-ms`, or its own headers."""

_TEXT = "Grüße from the fault server 🌍, which says this and nothing else."

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A good answer."""

    pieces: tuple[str, ...]
    """The text as a stream brings it."""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: tuple[int, int] | Mapping[str, Any] | None = (12, 7)
    """Tokens read and written; or the object to send, as it is; or None to tell nothing."""
    finish: str = "stop"
    """In OpenAI's words, whatever the dialect it is said in."""
    model: str | None = None
    """None repeats the request's."""

    @property
    def text(self) -> str:
        """The text as it comes unstreamed."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error, in the words of the request's dialect."""

    status: int
    reason: Reason | None = None
    body: bytes | str | Mapping[str, Any] | None = None
    """What to send in place of the dialect's own body."""
    retry_after: float | None = None
    """Seconds."""
    retry_form: RetryForm = "seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Bytes that no API has written."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = None
    """None is that of a good answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Another server's address; the request's own path is put behind it."""

    url: str
    status: int = 307


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """A good answer of at least so many bytes, made while it is sent."""

    size: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """Whatever the server says that this one stands in front of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where an answer breaks off, and what comes then."""

    how: How
    at: At
    after_chunks: int = 0
    """Pieces of text or of tool calls that go out whole before."""
    failure: Failure | None = None
    """What an error event says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is done with one request."""

    said: Answer | Failure | Page | Redirect | Flood | Upstream
    headers: tuple[tuple[str, str], ...] = ()
    """In addition; one of the same name is replaced."""
    delay: float = 0.0
    """Seconds before the first byte."""
    between: float = 0.0
    """Seconds between the events of a stream."""
    broken: Break | None = None
    split: int | None = None
    """Bytes that are sent at a time."""
    rate: float | None = None
    """Bytes a second."""
    gzip: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it goes out as it is, at once."""
        return not (self.delay or self.between or self.broken or self.split or self.rate or self.gzip)


def answer(
    text: str | None = None,
    *,
    chunks: int | Sequence[str] | None = None,
    tool_calls: Sequence[ToolCall] = (),
    usage: tuple[int, int] | Mapping[str, Any] | None = (12, 7),
    finish: str | None = None,
    model: str | None = None,
    delay: float = 0.0,
    between: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> Step:
    """A good answer, streamed or whole as the request asks.

    `chunks` says into how many pieces a stream's text is cut, or gives the pieces; without it there is one a word.
    `usage` is (tokens read, tokens written), or the dialect's own object, or None to tell nothing. `finish` is OpenAI's
    word (`stop`, `length`, `tool_calls`, `content_filter`). `delay` is seconds before the first byte, `between` seconds
    between the events of a stream. Without a text, a sentence with characters of two and four bytes is said, or none
    beside tool calls.
    """
    if text is None and not isinstance(chunks, Sequence):
        text = "" if tool_calls else _TEXT
    said = Answer(
        pieces=_pieces(text, chunks),
        tool_calls=tuple(tool_calls),
        usage=usage,
        finish=finish or ("tool_calls" if tool_calls else "stop"),
        model=model,
    )
    return Step(
        said=said, delay=_seconds("delay", delay), between=_seconds("between", between), headers=_headers(headers)
    )


def error(
    status: int,
    body: bytes | str | Mapping[str, Any] | None = None,
    *,
    reason: Reason | None = None,
    retry_after: float | None = None,
    retry_form: RetryForm = "seconds",
    delay: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> Step:
    """An error of that status, worded as OpenAI and Anthropic word theirs, or as `body` says.

    `retry_after` is in seconds, and is told in the form of `retry_form`.
    """
    if not 300 <= status <= 599:
        raise ValueError(f"error: {status} is no error; give a status from 300 to 599")
    failure = Failure(status=status, reason=reason, body=body, retry_after=retry_after, retry_form=retry_form)
    return Step(said=failure, delay=_seconds("delay", delay), headers=_headers(headers))


def reset(at: At | None = None, *, after_chunks: int | None = None, of: Step | None = None) -> Step:
    """Reset the TCP connection: `ECONNRESET` for the client. Without a place: before the headers, or between chunks."""
    return _broken("reset", at, after_chunks, of)


def hang_up(at: At | None = None, *, after_chunks: int | None = None, of: Step | None = None) -> Step:
    """End the TCP connection too early, in good order. Without a place: before the headers, or between chunks."""
    return _broken("hang_up", at, after_chunks, of)


def silence(at: At | None = None, *, after_chunks: int | None = None, of: Step | None = None) -> Step:
    """Say nothing more, until the client hangs up. Without a place: before the headers, or between chunks."""
    return _broken("silence", at, after_chunks, of)


def early_end(after_chunks: int = 1, *, of: Step | None = None) -> Step:
    """End in good order as HTTP has it, amid the answer: a stream without its last events, half a JSON object."""
    return _broken("early_end", "between_chunks", after_chunks, of)


def truncated(after_chunks: int = 1, *, of: Step | None = None) -> Step:
    """End amid a JSON object, in good order as HTTP has it; in a stream, that of the event after so many chunks."""
    return _broken("truncated", "mid_chunk", after_chunks, of)


def error_event(
    status: int = 500, after_chunks: int = 1, *, reason: Reason | None = None, of: Step | None = None
) -> Step:
    """Begin a stream with status 200 and end it with an error, the one that `error(status)` is told in.

    A request that wants no stream is answered with status 200 and the error's body.
    """
    return _broken("error_event", "between_chunks", after_chunks, of, Failure(status=status, reason=reason))


def split(size: int = 1, *, of: Step | None = None) -> Step:
    """Send so many bytes at a time, so that events and characters arrive in pieces."""
    if size < 1:
        raise ValueError(f"split: {size} bytes are none; give 1 or more")
    return replace(of or answer(), split=size)


def drip(bytes_per_second: float, *, of: Step | None = None) -> Step:
    """Send slowly."""
    if not bytes_per_second > 0:
        raise ValueError(f"drip: {bytes_per_second} bytes a second never arrive; give more than 0")
    return replace(of or answer(), rate=bytes_per_second)


def gzipped(*, of: Step | None = None) -> Step:
    """Compress the body, also of a stream, whether or not the client has asked for it."""
    return replace(of or answer(), gzip=True)


def mistyped(content_type: str = "text/plain", *, of: Step | None = None) -> Step:
    """Call the body something that it is not."""
    step = of or answer()
    return replace(step, headers=(*step.headers, ("content-type", content_type)))


def html(status: int = 502) -> Step:
    """A web page, as proxies and login portals send it."""
    title = f"{status} Bad Gateway" if status == 502 else "Welcome"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n"
    return Step(said=Page(status=status, body=page.encode(), content_type="text/html"))


def empty(status: int = 200) -> Step:
    """Headers, and nothing after them."""
    return Step(said=Page(status=status))


def redirect(url: str, status: int = 307) -> Step:
    """Send the client to the same path at `url`, another server's address."""
    return Step(said=Redirect(url=url.rstrip("/"), status=status))


def huge(size: int = 100 * MEGABYTE) -> Step:
    """A good answer of at least so many bytes. Neither side needs to hold them: they are made while they are sent."""
    return Step(said=Flood(size=size))


def forward(*, delay: float = 0.0) -> Step:
    """Ask the server that this one stands in front of, and pass on what it says."""
    return Step(said=Upstream(), delay=_seconds("delay", delay))


def _broken(how: How, at: At | None, after_chunks: int | None, of: Step | None, failure: Failure | None = None) -> Step:
    if after_chunks is not None and at in {"before_headers", "after_headers"}:
        raise ValueError(f"{how}: no chunk goes out {at.replace('_', ' ')}; leave out after_chunks")
    if after_chunks is not None and after_chunks < 0:
        raise ValueError(f"{how}: after_chunks is {after_chunks}; give 0 or more")
    place: At = at or ("before_headers" if after_chunks is None else "between_chunks")
    return replace(of or answer(), broken=Break(how=how, at=place, after_chunks=after_chunks or 0, failure=failure))


def _pieces(text: str | None, chunks: int | Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(chunks, Sequence):
        if text is not None and text != "".join(chunks):
            raise ValueError("answer: the chunks are not the pieces of the text; give one of the two")
        return tuple(chunks)
    text = text or ""
    if chunks is None:
        words = text.split(" ")
        return tuple(filter(None, (word if index == 0 else f" {word}" for index, word in enumerate(words))))
    if not 1 <= chunks <= max(1, len(text)):
        raise ValueError(f"answer: {len(text)} characters do not make {chunks} chunks")
    size = len(text) / chunks
    return tuple(filter(None, (text[round(i * size) : round((i + 1) * size)] for i in range(chunks))))


def _seconds(name: str, given: float) -> float:
    if not (math.isfinite(given) and given >= 0):
        raise ValueError(f"{name}: {given} is no time to wait; give seconds, 0 or more")
    return float(given)


def _headers(given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), told) for name, told in (given or {}).items())
