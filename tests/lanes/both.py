"""Ask on both lanes, and compare what was sent and what came of it.

A request is its method, its URL, its headers and its body. These headers are left out of it:

- `user-agent`, `x-stainless-…`: who sends, which is what the lanes differ in;
- `content-length`, `transfer-encoding`: how long the body is, whose values are compared;
- `connection`, `accept-encoding`, `host`: of the connection, and of our own clients on both lanes;
- `accept`: of either lane it is any that its library has; providers go by `stream`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from homeostasis_llm import InvalidResponseError, LLMError, LLMProviderInterface, LLMRequest, LLMResponse
from homeostasis_llm.litellm_bridge.lanes import VARIABLE
from homeostasis_llm.messages import ToolCall
from homeostasis_llm.response import merge_chunks

from ..loopback import Loopback, Recorded

KEY = "sk-test-not-a-real-key-0123456789"

LANES = ("full", "direct")

_NO_MATTER = {"user-agent", "content-length", "transfer-encoding", "connection", "accept-encoding", "host", "accept"}
_ASIDE = "/api/show"
"""Where litellm asks Ollama about the model, once in a while beside the question; nobody needs the answer."""

_NO_MATTER_EITHER = "x-stainless-"


@dataclass(frozen=True)
class Sent:
    """A request, as far as it matters."""

    method: str
    url: str
    """Without the server's own address."""
    headers: Mapping[str, str]
    body: str
    """JSON with sorted keys: so 1, 1.0 and true are three values."""
    lane: str


@dataclass(frozen=True)
class Outcome:
    """What came of a call."""

    sent: tuple[Sent, ...]
    response: LLMResponse | None = None
    pieces: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """The texts and the thoughts of a stream, piece by piece."""
    error: LLMError | None = None


@contextmanager
def on(lane: str) -> Iterator[None]:
    """The lane is forced, whatever the environment says."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = lane
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def asked(provider: LLMProviderInterface, request: LLMRequest, loopback: Loopback, *, stream: bool) -> Outcome:
    """What comes of a request, without an event loop."""
    before = len(loopback.requests)
    try:
        if stream:
            chunks = list(provider.complete_stream(request))
            return _streamed(chunks, loopback, before)
        response = provider.complete(request)
        return Outcome(_sent(loopback, before), response)
    except LLMError as error:
        return Outcome(_sent(loopback, before), error=error)


async def aasked(provider: LLMProviderInterface, request: LLMRequest, loopback: Loopback, *, stream: bool) -> Outcome:
    """`asked` from an event loop."""
    before = len(loopback.requests)
    try:
        if stream:
            chunks = [chunk async for chunk in provider.acomplete_stream(request)]
            return _streamed(chunks, loopback, before)
        response = await provider.acomplete(request)
        return Outcome(_sent(loopback, before), response)
    except LLMError as error:
        return Outcome(_sent(loopback, before), error=error)


def _streamed(chunks: list[Any], loopback: Loopback, before: int) -> Outcome:
    texts = tuple(chunk.text for chunk in chunks if chunk.text)
    thoughts = tuple(chunk.reasoning for chunk in chunks if chunk.reasoning)
    return Outcome(_sent(loopback, before), merge_chunks(chunks).to_response(), (texts, thoughts))


def _sent(loopback: Loopback, before: int) -> tuple[Sent, ...]:
    return tuple(map(sent_from, loopback.requests[before:]))


def sent_from(recorded: Recorded) -> Sent:
    """What of a recorded request matters."""
    headers = {name.lower(): value for name, value in recorded.headers.items()}
    query = "&".join(f"{name}={value}" for name, values in sorted(recorded.query.items()) for value in values)
    return Sent(
        method=recorded.method,
        url=f"{recorded.path}?{query}" if query else recorded.path,
        headers=that_matter(headers),
        body=canonical(recorded.body),
        lane="direct" if headers.get("user-agent", "").startswith("homeostasis-llm/") else "full",
    )


def that_matter(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of `headers`, by names in lower case, that are part of what is asked."""
    return {
        name: value
        for name, value in headers.items()
        if name not in _NO_MATTER and not name.startswith(_NO_MATTER_EITHER)
    }


def canonical(body: bytes) -> str:
    """One text for all ways to write the same JSON values."""
    try:
        return json.dumps(json.loads(body), sort_keys=True, ensure_ascii=False)
    except ValueError:
        return repr(body)


def request_differences(full: Outcome, direct: Outcome) -> Iterator[str]:
    """Where the request of the direct lane is another; a sentence for each."""
    # Of the full lane alone: what the direct one asks is compared whole.
    asked_for = [sent for sent in full.sent if not sent.url.endswith(_ASIDE)]
    if len(asked_for) != len(direct.sent):
        yield f"full sent {len(asked_for)} requests{_why(full)}, direct {len(direct.sent)}{_why(direct)}"
    if not asked_for and not direct.sent and _told(full.error) != _told(direct.error):
        yield f"refused in other words: full{_why(full)}, direct{_why(direct)}"
    for one, other in zip(asked_for, direct.sent, strict=False):
        for about in ("method", "url"):
            yield from _differ(about, getattr(one, about), getattr(other, about))
        for name in sorted({*one.headers, *other.headers}):
            yield from _differ(f"header {name}", one.headers.get(name), other.headers.get(name))
        if one.body != other.body:
            yield from _body_differences(one.body, other.body)


def _body_differences(one: str, other: str) -> Iterator[str]:
    try:
        first, second = json.loads(one), json.loads(other)
        names = sorted({*first, *second})
    except (ValueError, TypeError):
        yield from _differ("body", one, other)
        return
    for name in names:
        yield from _differ(
            f"body {name}",
            *(json.dumps(body[name], sort_keys=True) if name in body else None for body in (first, second)),
        )


def _differ(about: str, full: str | None, direct: str | None) -> Iterator[str]:
    if full != direct:
        yield f"{about}: full {full!r:.300}, direct {direct!r:.300}"


def _why(outcome: Outcome) -> str:
    return "" if outcome.error is None else f" ({type(outcome.error).__name__}: {outcome.error.message:.200})"


def _told(error: LLMError | None) -> object:
    return None if error is None else (type(error), error.message)


def _saying(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing: litellm puts names of fields there that the provider sent no value for."""
    fields = {name: told for name, told in (metadata.get("provider_specific_fields") or {}).items() if told is not None}
    return {**metadata, "provider_specific_fields": fields}


def _calls(calls: Iterable[ToolCall]) -> list[object]:
    return [(call.name, call.arguments, call.invalid_arguments, call.payload, call.provider) for call in calls]


FIELDS: Mapping[str, Callable[[LLMResponse], object]] = {
    "text": lambda answer: answer.content,
    "model": lambda answer: answer.model,
    "usage": lambda answer: None if answer.usage is None else dict(answer.usage),
    "finish_reason": lambda answer: answer.finish_reason,
    "metadata": lambda answer: _saying(answer.metadata),
    "reasoning": lambda answer: answer.reasoning,
    "request_id": lambda answer: answer.request_id,
    "cost": lambda answer: answer.cost,
    "tool_calls": lambda answer: _calls(answer.tool_calls),
    "server_tool_calls": lambda answer: _calls(answer.server_tool_calls),
}
"""What of an answer is compared: all but how long it took. Calls without an id are given a random one."""


def answer_differences(full: Outcome, direct: Outcome) -> dict[str, tuple[object, object]]:
    """What was read otherwise, by its name: on the full lane and on the direct one."""
    if full.response is None or direct.response is None:
        facts = [_facts(outcome.error) for outcome in (full, direct)]
        return {} if facts[0] == facts[1] else {"error": (facts[0], facts[1])}
    read = {name: (of(full.response), of(direct.response)) for name, of in FIELDS.items()}
    read["pieces"] = (full.pieces, direct.pieces)
    return {name: (one, other) for name, (one, other) in read.items() if one != other}


def _facts(error: LLMError | None) -> object:
    if error is None:
        return "no error"
    partial = None if error.partial is None else (error.partial.content, _calls(error.partial.tool_calls))
    # What cannot be read is told in the words of whoever could not read it.
    message = "" if isinstance(error, InvalidResponseError) else error.message
    return (type(error).__name__, error.status_code, error.retry_after, error.request_id, partial, message)
