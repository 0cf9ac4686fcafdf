"""The embedded model keeps what every provider promises, as far as that can be tried without a wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider

from homeostasis_llm import LLMMessage, LLMRequest
from homeostasis_llm.testing import ProviderConformance


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> Iterator[None]:
    """One that has the model keeps it in memory for all."""
    with LlamaCppProvider() as provider:
        provider.complete(LLMRequest(messages=[LLMMessage(role="user", content="Hi")], max_tokens=1))
        yield


class TestLlamaCpp(ProviderConformance):
    """In this process: without a key and without a wire."""

    in_process = True
    needs_key = False

    def make_provider(self, api_key: str, base_url: str | None) -> LlamaCppProvider:  # noqa: ARG002  # the form
        return LlamaCppProvider(api_key)

    def request_fields(self) -> dict[str, Any]:
        return {"max_tokens": 8}
