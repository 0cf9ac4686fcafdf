"""Ollama's chat. Source: its API reference, "Generate a chat message" and "Errors"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ....response import FinishReason
from ...faults.recorded import Request
from ..said import Said
from ..wire import Wire, asked, dumped


class OllamaWire(Wire):
    """Lines of JSON, the last of which is done. A request that says nothing about it is streamed."""

    stream_type: ClassVar[str] = "application/x-ndjson"
    call_ids: ClassVar[bool] = False
    answer_ids: ClassVar[bool] = False
    finishes: ClassVar[Mapping[FinishReason, str]] = {"stop": "stop", "length": "length"}
    comment: ClassVar[bytes | None] = None
    request_id_header: ClassVar[str | None] = None

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the protocol's
        return dumped(self._end(said, said.text, _calls(said)))

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:  # noqa: ARG002  # the protocol's
        told = [_line(said, piece, []) for piece in said.pieces]
        calls = [_line(said, "", _calls(said))] if said.tool_calls else []
        return [dumped(line) + b"\n" for line in (*told, *calls, self._end(said, "", []))]

    def error(self, status: int, message: str) -> bytes:  # noqa: ARG002  # the status says it
        return dumped({"error": message})

    def error_event(self, message: str) -> bytes | None:
        return dumped({"error": message}) + b"\n"

    def models(self, names: Sequence[str]) -> bytes | None:
        return dumped({"models": [{"name": name, "model": name} for name in names]})

    def wants_stream(self, request: Request) -> bool:
        return asked(request).get("stream") is not False

    def _end(self, said: Said, text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
        counts = {} if said.usage is None else {"prompt_eval_count": said.usage[0], "eval_count": said.usage[1]}
        word = self.finishes.get(said.finish, "stop")
        return {**_line(said, text, calls), "done": True, "done_reason": word, "total_duration": 1, **counts}


def _line(said: Said, text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    return {"model": said.model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}


def _calls(said: Said) -> list[dict[str, Any]]:
    return [{"function": {"name": call.name, "arguments": call.arguments}} for call in said.tool_calls]
