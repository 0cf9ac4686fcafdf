"""How a dialect phrases what a model says: what an author writes once, to have every rule tried on real bytes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ...response import FinishReason
from ..faults.recorded import Request
from .said import Said


class Wire(ABC):
    """A dialect. Three methods are needed; what else it can say is told by the attributes.

    A rule about something that a dialect cannot say is skipped, with that as the reason.
    """

    media_type: ClassVar[str] = "application/json"
    """Of whole answers and of errors."""
    stream_type: ClassVar[str] = "text/event-stream"

    has_parts: ClassVar[bool] = False
    """Whether a whole answer may have its text in several parts; `answer` then makes one of each piece."""
    interleaves: ClassVar[bool] = False
    """Whether a stream may bring pieces of several tool calls in turns."""
    call_ids: ClassVar[bool] = True
    """Whether tool calls have ids."""
    answer_ids: ClassVar[bool] = True
    """Whether an answer has an id of its own."""
    names_model: ClassVar[bool] = True
    """Whether an answer tells the model."""
    finishes: ClassVar[Mapping[FinishReason, str]] = {}
    """The dialect's words for why an answer ended, as far as it has some."""
    comment: ClassVar[bytes | None] = b": keep-alive\n\n"
    """What may come between the events of a stream and says nothing."""
    is_text: ClassVar[bool] = True
    """Whether a stream consists of lines, which may also end with CRLF."""
    last_word: ClassVar[bytes | None] = None
    """What ends a stream and may be missing, as OpenAI's `[DONE]`."""
    ends: ClassVar[bool] = True
    """Whether a stream says that it has ended, so that one that was cut can be told from it."""
    request_id_header: ClassVar[str | None] = "x-request-id"

    @abstractmethod
    def answer(self, said: Said, request: Request) -> bytes:
        """A whole answer to `request`."""

    @abstractmethod
    def stream(self, said: Said, request: Request) -> Sequence[bytes]:
        """A streamed answer to `request`, event by event; `last_word` is added to it."""

    @abstractmethod
    def error(self, status: int, message: str) -> bytes:
        """The body of an answer with that status."""

    def error_headers(self, status: int) -> Mapping[str, str]:  # noqa: ARG002  # for those that need it
        """What else tells of an error."""
        return {}

    def error_event(self, message: str) -> bytes | None:  # noqa: ARG002  # for those that have one
        """What ends a stream that has failed on the server's side; None where the dialect has no such event."""
        return None

    def models(self, names: Sequence[str]) -> bytes | None:
        """The list of models; None where the dialect has none."""
        return dumped({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})

    def is_listing(self, request: Request) -> bool:
        """Whether `request` asks for something else than an answer: models, or about a key."""
        return request.method == "GET"

    def wants_stream(self, request: Request) -> bool:
        """Whether `request` asks for a stream."""
        return bool(asked(request).get("stream"))


def dumped(found: object) -> bytes:
    """`found` as JSON, with real characters in it, so that a stream can be cut amid one."""
    return json.dumps(found, ensure_ascii=False).encode()


def asked(request: Request) -> Mapping[str, Any]:
    """The body of a request; empty where it is no JSON object."""
    try:
        found = json.loads(request.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def event(found: object, name: str | None = None) -> bytes:
    """A server-sent event."""
    head = b"" if name is None else b"event: %b\n" % name.encode()
    return head + b"data: %b\n\n" % dumped(found)


def halves(text: str) -> tuple[str, str]:
    """`text` in two pieces."""
    return text[: len(text) // 2], text[len(text) // 2 :]
