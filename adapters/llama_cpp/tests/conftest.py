"""The real model, loaded once for all tests."""

from __future__ import annotations

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider

from .asked import CONTEXT_TOKENS


@pytest.fixture(scope="session")
def provider() -> LlamaCppProvider:
    # One thread, for machines that do several things at once; and a context that is quickly full.
    return LlamaCppProvider(context_tokens=CONTEXT_TOKENS, threads=1)
