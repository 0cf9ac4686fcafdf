"""LangChain's own unit tests for chat models: in full, and once more for every provider that is known by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from homeostasis_llm import ChatHomeostasis
from homeostasis_llm.catalog import all_facts


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


class TestStandardUnitOfEveryProvider(TestStandardUnit):
    provider: str

    @pytest.fixture(autouse=True, params=sorted(all_facts()))
    def named(self, request: pytest.FixtureRequest) -> None:
        self.provider = request.param

    @pytest.fixture
    def benchmark(self, benchmark: Any) -> Any:
        """Once is enough: how long it takes is measured above. The mark on LangChain's test hides one on a class."""
        benchmark.disabled = True
        return benchmark

    @pytest.fixture
    def snapshot(self) -> Callable[..., dict[str, Any]]:
        """What is stored of a model: all but the key, for which its environment variable stands."""
        key = {"lc": 1, "type": "secret", "id": [f"HOMEOSTASIS_{self.provider.upper()}_API_KEY"]}
        stored = {**super().standard_chat_model_params, **self.chat_model_params, "api_key": key}
        return lambda name: {  # noqa: ARG005  # LangChain's test names it
            "lc": 1,
            "type": "constructor",
            "id": ["homeostasis_llm", "langchain", "model", "ChatHomeostasis"],
            "name": "ChatHomeostasis",
            "kwargs": stored,
        }

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"provider": self.provider, "model": "some-model"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        named = {"provider": self.provider, "model": "some-model"}
        return (
            {f"HOMEOSTASIS_{self.provider.upper()}_API_KEY": "from-env"},
            {"model": f"{self.provider}:some-model"},
            {"api_key": "from-env", **named},
        )
