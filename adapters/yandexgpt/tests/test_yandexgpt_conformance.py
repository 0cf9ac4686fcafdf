"""YandexGPTProvider keeps what every provider promises."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, ClassVar

from homeostasis_llm_yandexgpt import YandexGPTProvider

from homeostasis_llm import FinishReason
from homeostasis_llm.testing import ProviderConformance
from homeostasis_llm.testing.conformance import Said, Wire
from homeostasis_llm.testing.faults import Request

_STATUS = "ALTERNATIVE_STATUS_"


class YandexWire(Wire):
    """Yandex Cloud's completion: a JSON object a line, each with the whole text so far."""

    stream_type: ClassVar[str] = "application/json"
    call_ids: ClassVar[bool] = False
    answer_ids: ClassVar[bool] = False
    names_model: ClassVar[bool] = False
    comment: ClassVar[bytes | None] = b"\n"
    finishes: ClassVar[Mapping[FinishReason, str]] = {
        "stop": f"{_STATUS}FINAL",
        "length": f"{_STATUS}TRUNCATED_FINAL",
        "content_filter": f"{_STATUS}CONTENT_FILTER",
        "tool_calls": f"{_STATUS}TOOL_CALLS",
    }

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the form
        return _dumped(_result(said, said.text, self.finishes[said.finish]))

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:  # noqa: ARG002  # the form
        grown = [*accumulate(said.pieces)]
        events = [_result(said, text, f"{_STATUS}PARTIAL", calls=False) for text in grown]
        events.append(_result(said, said.text, self.finishes[said.finish]))
        return [_dumped(event) + b"\n" for event in events]

    def error(self, status: int, message: str) -> bytes:
        return _dumped({"error": {"grpcCode": 13, "httpCode": status, "message": message, "httpStatus": "Zorb"}})

    def error_event(self, message: str) -> bytes | None:
        return self.error(500, message) + b"\n"

    def models(self, names: Sequence[str]) -> bytes | None:  # noqa: ARG002  # the form
        return None

    def wants_stream(self, request: Request) -> bool:
        return bool(json.loads(request.body)["completionOptions"]["stream"])


class TestYandexGPT(ProviderConformance):
    wire: ClassVar[Wire | None] = YandexWire()
    supports_listing = False
    known_faults: ClassVar[Mapping[str, str]] = {
        "test_tool_calls_may_stand_beside_text": "a message of Yandex' has a text or calls, never both"
    }

    def make_provider(self, api_key: str, base_url: str | None) -> YandexGPTProvider:
        return YandexGPTProvider(api_key, base_url=base_url, folder_id="b1gmadeup")


def _result(said: Said, text: str, status: str, *, calls: bool = True) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    if said.tool_calls and calls:
        told = [{"functionCall": {"name": call.name, "arguments": call.arguments}} for call in said.tool_calls]
        message["toolCallList"] = {"toolCalls": told}
    else:
        message["text"] = text
    result: dict[str, Any] = {"alternatives": [{"message": message, "status": status}], "modelVersion": "07.03.2024"}
    if said.usage is not None:
        read, written = said.usage
        counts = {"inputTextTokens": read, "completionTokens": written, "totalTokens": read + written}
        result["usage"] = {name: str(count) for name, count in counts.items()}
    return {"result": result}


def _dumped(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()
