"""OpenAI's chat completions, and the variations of those who speak it too.

Sources: the API references of OpenAI, Mistral, Groq and OpenRouter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, ClassVar

from ....messages import ToolCall
from ....response import FinishReason
from ...faults.recorded import Request
from ..said import Said
from ..wire import Wire, asked, dumped, event, halves

_TYPES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class OpenAIWire(Wire):
    """Chat completions as OpenAI itself has them."""

    interleaves: ClassVar[bool] = True
    finishes: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
    }
    last_word: ClassVar[bytes | None] = b"data: [DONE]\n\n"
    counts_unasked: ClassVar[bool] = False
    """Whether a stream tells its usage without `stream_options`."""

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the protocol's
        message: dict[str, Any] = {
            "role": "assistant",
            "content": said.text if said.text or not said.tool_calls else None,
        }
        if said.tool_calls:
            message["tool_calls"] = [_call(call) for call in said.tool_calls]
        choice = {"index": 0, "message": message, "finish_reason": self.finishes[said.finish]}
        head = {"id": said.id, "object": "chat.completion", "created": 1, "model": said.model}
        return dumped({**head, "choices": [choice], **_usage(said)})

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:
        options = asked(request).get("stream_options")
        wanted = self.counts_unasked or (isinstance(options, Mapping) and options.get("include_usage") is True)
        head = {"id": said.id, "object": "chat.completion.chunk", "created": 1, "model": said.model}

        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            return event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

        return [
            chunk({"role": "assistant", "content": ""}),
            *(chunk({"content": piece}) for piece in said.pieces),
            *(chunk({"tool_calls": [fragment]}) for fragment in _fragments(said)),
            chunk({}, self.finishes[said.finish]),
            *([event({**head, "choices": [], **_usage(said)})] if wanted and said.usage else []),
        ]

    def error(self, status: int, message: str) -> bytes:
        kind, code = _TYPES.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
        return dumped({"error": {"message": message, "type": kind, "param": None, "code": code}})

    def error_event(self, message: str) -> bytes | None:
        return event({"error": {"message": message, "type": "server_error", "param": None, "code": "server_error"}})


class MistralWire(OpenAIWire):
    """Mistral's: usage with the last piece, errors without an object around them."""

    counts_unasked: ClassVar[bool] = True
    finishes: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "error": "error",
    }

    def error(self, status: int, message: str) -> bytes:
        if status == 401:
            return dumped({"detail": message})
        return dumped({"object": "error", "message": message, "type": "invalid_request_error", "code": str(status)})


class GroqWire(OpenAIWire):
    """Groq's: an error inside a stream has a name."""

    def error_event(self, message: str) -> bytes | None:
        return event({"error": {"message": message, "type": "internal_server_error", "status_code": 500}}, "error")


class OpenRouterWire(OpenAIWire):
    """OpenRouter's: comments while one waits, and errors with a status for their code."""

    comment: ClassVar[bytes | None] = b": OPENROUTER PROCESSING\n\n"
    request_id_header: ClassVar[str | None] = "x-generation-id"

    def error(self, status: int, message: str) -> bytes:
        return dumped({"error": {"code": status, "message": message}, "user_id": "user-1"})

    def error_event(self, message: str) -> bytes | None:
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        return event({"id": "gen-1", "error": {"code": 502, "message": message}, "choices": [choice]})


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_text}}


def _fragments(said: Said) -> Iterator[dict[str, Any]]:
    calls = [list(_pieces_of(index, call)) for index, call in enumerate(said.tool_calls)]
    if said.interleaved:
        for turn in zip_longest(*calls):
            yield from (fragment for fragment in turn if fragment is not None)
    else:
        for fragments in calls:
            yield from fragments


def _pieces_of(index: int, call: ToolCall) -> Iterator[dict[str, Any]]:
    yield {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
    for piece in halves(call.arguments_text):
        yield {"index": index, "function": {"arguments": piece}}


def _usage(said: Said) -> dict[str, Any]:
    if said.usage is None:
        return {}
    read, written = said.usage
    return {"usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}}
