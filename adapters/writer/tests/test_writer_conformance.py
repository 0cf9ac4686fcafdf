"""WriterProvider keeps what every provider promises."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from homeostasis_llm_writer import WriterProvider

from homeostasis_llm.testing import ProviderConformance
from homeostasis_llm.testing.conformance import Said, Wire, wires
from homeostasis_llm.testing.faults import Request

_NO_END = "a stream that says nothing at all cannot be told from one that was cut, for nothing ends it"


class WriterWire(wires.OpenAIWire):
    """Writer's chat: OpenAI's, with each piece of a stream said twice, and errors of its own form."""

    last_word: ClassVar[bytes | None] = None

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:
        return [_said_twice(event) for event in super().stream(said, request)]

    def error(self, status: int, message: str) -> bytes:  # noqa: ARG002  # the form
        error = {"description": message, "key": "fail.zorb", "extras": {}}
        return json.dumps({"tpe": "Zorb", "errors": [error], "extras": {}}).encode()

    def models(self, names: Sequence[str]) -> bytes | None:
        return json.dumps({"models": [{"id": name, "name": name.title()} for name in names]}).encode()


class CompletionsWire(Wire):
    """Writer's plain text."""

    call_ids: ClassVar[bool] = False
    answer_ids: ClassVar[bool] = False
    ends: ClassVar[bool] = False

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the form
        return _dumped({"choices": [{"text": said.text, "log_probs": None}], "model": said.model})

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:  # noqa: ARG002  # the form
        return [b"data: %b\n\n" % _dumped({"value": piece}) for piece in said.pieces]

    def error(self, status: int, message: str) -> bytes:
        return WriterWire().error(status, message)

    def models(self, names: Sequence[str]) -> bytes | None:
        return WriterWire().models(names)


class TestChat(ProviderConformance):
    wire: ClassVar[Wire | None] = WriterWire()

    def make_provider(self, api_key: str, base_url: str | None) -> WriterProvider:
        return WriterProvider(api_key, base_url=base_url)


class TestCompletions(ProviderConformance):
    wire: ClassVar[Wire | None] = CompletionsWire()
    supports_tools = False
    supports_usage = False
    known_faults: ClassVar[Mapping[str, str]] = {
        "test_a_stream_without_text_is_no_cut_one": _NO_END,
        "test_an_empty_answer_is_an_empty_text": _NO_END,
        "test_the_model_that_answered_is_told": "its streams do not name the model",
        "test_roles_are_told_apart": "a prompt has no roles",
    }

    def make_provider(self, api_key: str, base_url: str | None) -> WriterProvider:
        return WriterProvider(api_key, base_url=base_url, api="completions")


def _said_twice(event: bytes) -> bytes:
    told = json.loads(event.removeprefix(b"data: "))
    for choice in told.get("choices", []):
        choice["message"] = choice["delta"]
    return b"data: %b\n\n" % _dumped(told)


def _dumped(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()
