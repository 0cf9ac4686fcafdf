"""LangChain's own integration tests for chat models, live against the embedded model.

It has 135 million parameters: what it says is nonsense, how it comes is not.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests

from . import by_example


# They call what LangChain itself calls unfinished.
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
class TestStandardIntegration(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def named(self, request: pytest.FixtureRequest) -> None:
        self.test = request.node.originalname

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return by_example.model_for(self.test)

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"provider": "llama_cpp", "temperature": 0, "seed": 1, "max_tokens": 48}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        """The same model as its authors spell it: a second one would be loaded beside it."""
        return "SmolLM2-135M-Instruct"
