"""Google's generateContent. Source: the API reference of the Gemini API, "Generating content"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ....response import FinishReason
from ...faults.recorded import Request
from ..said import Said
from ..wire import Wire, dumped, event

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GeminiWire(Wire):
    """Candidates of parts; a stream repeats the form of a whole answer. That tools are wanted is no reason to end."""

    has_parts: ClassVar[bool] = True
    call_ids: ClassVar[bool] = False
    finishes: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "STOP",
        "length": "MAX_TOKENS",
        "content_filter": "SAFETY",
    }
    request_id_header: ClassVar[str | None] = None

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the protocol's
        parts = [*({"text": piece} for piece in said.pieces), *_calls(said)]
        return dumped(self._answer(said, parts, last=True))

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:  # noqa: ARG002  # the protocol's
        parts: list[list[dict[str, Any]]] = [[{"text": piece}] for piece in said.pieces]
        calls = [_calls(said)] if said.tool_calls else []
        # The end comes with the last calls, or after the last text by itself.
        *before, last = [*parts, *(calls or [[]])]
        return [
            *(event(self._answer(said, part, last=False)) for part in before),
            event(self._answer(said, last, last=True)),
        ]

    def error(self, status: int, message: str) -> bytes:
        word = _STATUSES.get(status, "UNKNOWN")
        return dumped({"error": {"code": status, "message": message, "status": word}})

    def error_event(self, message: str) -> bytes | None:
        return event({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}})

    def models(self, names: Sequence[str]) -> bytes | None:
        return dumped({"models": [{"name": f"models/{name}"} for name in names]})

    def wants_stream(self, request: Request) -> bool:
        return "streamGenerateContent" in request.path

    def _answer(self, said: Said, parts: Sequence[dict[str, Any]], *, last: bool) -> dict[str, Any]:
        content = {"role": "model", **({"parts": list(parts)} if parts else {})}
        word = self.finishes.get(said.finish, "STOP")
        candidate = {"content": content, "index": 0, **({"finishReason": word} if last else {})}
        return {
            "candidates": [candidate],
            **(_usage(said) if last else {}),
            "modelVersion": said.model,
            "responseId": said.id,
        }


def _calls(said: Said) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": call.name, "args": call.arguments}} for call in said.tool_calls]


def _usage(said: Said) -> dict[str, Any]:
    if said.usage is None:
        return {}
    read, written = said.usage
    counts = {"promptTokenCount": read, "candidatesTokenCount": written, "totalTokenCount": read + written}
    return {"usageMetadata": counts}
