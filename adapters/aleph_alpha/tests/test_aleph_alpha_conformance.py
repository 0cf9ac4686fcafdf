"""AlephAlphaProvider keeps what every provider promises, as far as a prompt without roles can."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from homeostasis_llm_aleph_alpha import AlephAlphaProvider

from homeostasis_llm import FinishReason
from homeostasis_llm.testing import ProviderConformance
from homeostasis_llm.testing.conformance import Said, Wire
from homeostasis_llm.testing.faults import Request


class AlephAlphaWire(Wire):
    """`/complete`, as Aleph Alpha's own client for Python reads it."""

    call_ids: ClassVar[bool] = False
    answer_ids: ClassVar[bool] = False
    names_model: ClassVar[bool] = False
    finishes: ClassVar[Mapping[FinishReason, str]] = {"stop": "end_of_text", "length": "maximum_tokens"}
    last_word: ClassVar[bytes | None] = b"data: [DONE]\n\n"

    def answer(self, said: Said, request: Request) -> bytes:  # noqa: ARG002  # the form
        completion = {"completion": said.text, "finish_reason": self.finishes[said.finish]}
        return _dumped({"completions": [completion], "model_version": "2022-04", **_counts(said)})

    def stream(self, said: Said, request: Request) -> Sequence[bytes]:  # noqa: ARG002  # the form
        summary = {"type": "stream_summary", "index": 0, "model_version": "2022-04"}
        return [
            *(_event({"type": "stream_chunk", "index": 0, "completion": piece}) for piece in said.pieces),
            _event({**summary, "finish_reason": self.finishes[said.finish]}),
            _event({"type": "completion_summary", "optimized_prompt": None, **_counts(said)}),
        ]

    def error(self, status: int, message: str) -> bytes:
        return _dumped({"error": message, "code": f"ZORB_{status}"})

    def models(self, names: Sequence[str]) -> bytes | None:
        return _dumped([{"name": name, "description": "", "max_context_size": 2048} for name in names])


class TestAlephAlpha(ProviderConformance):
    wire: ClassVar[Wire | None] = AlephAlphaWire()
    model = "luminous-base"  # its prompt is what the user said, word for word
    supports_tools = False

    def make_provider(self, api_key: str, base_url: str | None) -> AlephAlphaProvider:
        return AlephAlphaProvider(api_key, base_url=base_url)


def _counts(said: Said) -> dict[str, int]:
    if said.usage is None:
        return {}
    return {"num_tokens_prompt_total": said.usage[0], "num_tokens_generated": said.usage[1]}


def _event(told: Any) -> bytes:
    return b"data: %b\n\n" % _dumped(told)


def _dumped(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()
