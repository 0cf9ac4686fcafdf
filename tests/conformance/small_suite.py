"""The rules over the small provider, and over mutants of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar

import pytest

from homeostasis_llm import LLMProviderInterface
from homeostasis_llm.testing import ProviderConformance
from homeostasis_llm.testing.conformance import Said, Wire
from homeostasis_llm.testing.conformance.bench import bench_of
from homeostasis_llm.testing.conformance.wire import asked, dumped
from homeostasis_llm.testing.conformance.wires import OpenAIWire
from homeostasis_llm.testing.faults import Request

from .small_provider import Small


class PartsWire(OpenAIWire):
    """OpenAI's, with the text of an answer in parts, as Mistral may have it."""

    has_parts: ClassVar[bool] = True

    def answer(self, said: Said, request: Request) -> bytes:
        import json

        found = json.loads(super().answer(said, request))
        if len(said.pieces) > 1 and not asked(request).get("stream"):
            parts = [{"type": "text", "text": piece} for piece in said.pieces]
            found["choices"][0]["message"]["content"] = parts
        return dumped(found)


class SmallSuite(ProviderConformance):
    """The declarations."""

    wire: ClassVar[Wire | None] = PartsWire()
    provider: ClassVar[type[Small]] = Small

    def make_provider(self, api_key: str, base_url: str | None) -> LLMProviderInterface:
        return self.provider(api_key, base_url=base_url or "")


def every_case() -> Iterator[tuple[str, dict[str, object]]]:
    """Each test of the suite with its case: the id that pytest shows, and the arguments."""
    for name in sorted(name for name in dir(ProviderConformance) if name.startswith("test_")):
        marks = [
            mark for mark in getattr(getattr(ProviderConformance, name), "pytestmark", []) if mark.name == "parametrize"
        ]
        for values in product(*(mark.args[1] for mark in marks)):
            arguments = {mark.args[0]: value for mark, value in zip(marks, values, strict=True)}
            yield f"{name}[{'-'.join(map(str, values))}]" if values else name, arguments


def verdict(suite: ProviderConformance, rule: str, arguments: dict[str, object]) -> str:
    """Why the rule is broken; empty where it holds."""
    try:
        with bench_of(suite) as bench:
            getattr(suite, rule.partition("[")[0])(bench=bench, **arguments)
    except pytest.fail.Exception as failed:
        return str(failed)
    return ""
