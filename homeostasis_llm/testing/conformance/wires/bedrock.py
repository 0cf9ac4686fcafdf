"""Amazon Bedrock's converse. Source: its API reference, "Converse", "ConverseStream" and "Event stream encoding"."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from zlib import crc32

from ....response import FinishReason
from ...faults.recorded import Request
from ..said import Said
from ..wire import Wire, dumped, halves

_KINDS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}

_STRING = 7


class BedrockWire(Wire):
    """Messages of blocks; a stream is binary. Answers name neither their model nor themselves."""

    stream_type: ClassVar[str] = "application/vnd.amazon.eventstream"
    has_parts: ClassVar[bool] = True
    answer_ids: ClassVar[bool] = False
    names_model: ClassVar[bool] = False
    finishes: ClassVar[Mapping[FinishReason, str]] = {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "content_filter": "guardrail_intervened",
    }
    comment: ClassVar[bytes | None] = None
    is_text: ClassVar[bool] = False
    request_id_header: ClassVar[str | None] = "x-amzn-requestid"

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the protocol's
        calls = [
            {"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments}} for call in said.tool_calls
        ]
        message = {"role": "assistant", "content": [*({"text": piece} for piece in said.pieces), *calls]}
        reason = self.finishes[said.finish]
        return dumped(
            {"output": {"message": message}, "stopReason": reason, "metrics": {"latencyMs": 1}, **_usage(said)}
        )

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:  # noqa: ARG002  # the protocol's
        metadata = {"metrics": {"latencyMs": 1}, **_usage(said)}
        return [
            _frame("messageStart", {"role": "assistant"}),
            *(_frame(name, payload) for name, payload in (*_texts(said), *_calls(said))),
            _frame("messageStop", {"stopReason": self.finishes[said.finish]}),
            _frame("metadata", metadata),
        ]

    def error(self, status: int, message: str) -> bytes:  # noqa: ARG002  # a header says it
        return dumped({"message": message})

    def error_headers(self, status: int) -> Mapping[str, str]:
        return {"x-amzn-errortype": f"{_KINDS[status]}:http://internal.amazon.com/"} if status in _KINDS else {}

    def error_event(self, message: str) -> bytes | None:
        return _frame("internalServerException", {"message": message}, kind="exception")

    def models(self, names: Sequence[str]) -> bytes | None:  # noqa: ARG002  # another host has them
        return None

    def wants_stream(self, request: Request) -> bool:
        return request.path.endswith("/converse-stream")


def _texts(said: Said) -> Iterator[tuple[str, dict[str, Any]]]:
    for piece in said.pieces:
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}
    if said.pieces:
        yield "contentBlockStop", {"contentBlockIndex": 0}


def _calls(said: Said) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, call in enumerate(said.tool_calls, start=1 if said.pieces else 0):
        start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
        yield "contentBlockStart", {"contentBlockIndex": index, "start": start}
        for piece in halves(json.dumps(call.arguments, ensure_ascii=False)) if call.arguments else ("",):
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}
        yield "contentBlockStop", {"contentBlockIndex": index}


def _usage(said: Said) -> dict[str, Any]:
    if said.usage is None:
        return {}
    read, written = said.usage
    return {"usage": {"inputTokens": read, "outputTokens": written, "totalTokens": read + written}}


def _frame(name: str, payload: dict[str, Any], *, kind: str = "event") -> bytes:
    """A message of the binary form: two lengths, a checksum, headers, the payload, another checksum."""
    told = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(_header(*header) for header in told.items())
    body = dumped(payload)
    prelude = struct.pack(">II", len(headers) + len(body) + 16, len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def _header(name: str, told: str) -> bytes:
    head = struct.pack(">B", len(name)) + name.encode()
    return head + struct.pack(">BH", _STRING, len(told)) + told.encode()
