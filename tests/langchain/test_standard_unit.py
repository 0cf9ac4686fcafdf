"""LangChain's own unit tests for chat models."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from homeostasis_llm import ChatHomeostasis


# They call what LangChain itself deprecates (`dict`) and calls unfinished (`load`).
@pytest.mark.filterwarnings(
    "ignore::langchain_core._api.LangChainBetaWarning", "ignore::langchain_core._api.LangChainDeprecationWarning"
)
class TestStandardUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatHomeostasis

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "openai:gpt-5-mini"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"HOMEOSTASIS_OPENAI_API_KEY": "from-env"},
            {"model": "openai:gpt-5-mini"},
            {"api_key": "from-env", "provider": "openai", "model": "gpt-5-mini"},
        )
