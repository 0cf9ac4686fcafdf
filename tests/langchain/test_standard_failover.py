"""LangChain's own tests for chat models once more, through a manager whose first provider always fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Loopback

from . import test_standard_integration, test_standard_unit


@pytest.fixture(scope="module")
def asked_in_vain() -> Iterator[list[int]]:
    """How many requests of each test the first provider has failed; some tests are skipped and ask nobody."""
    counts: list[int] = []
    yield counts
    assert sum(map(bool, counts)) > len(counts) / 2


class TestStandardUnitThroughFailover(test_standard_unit.TestStandardUnit):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "gpt-5-mini"}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        """Without the key: one key is one provider's, and refused where nobody is named."""
        params = dict(super().standard_chat_model_params)
        params.pop("api_key")
        return params

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        """The manager finds keys when it asks; the model itself has none."""
        return ({"OPENAI_API_KEY": "from-env"}, {"model": "gpt-5-mini"}, {"api_key": None, "provider": None})


class TestStandardIntegrationThroughFailover(test_standard_integration.TestStandardIntegration):
    @pytest.fixture(autouse=True)
    def out_of_order(
        self, asked_in_vain: list[int], loopback: Loopback, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        """The provider that is asked first fails, whatever it is asked."""
        monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai-0123456789")
        monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
        folder = home / ".config" / "homeostasis-llm"
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(
            'active_provider = "openai"\nfallback_order = ["llama_cpp"]\n[failover]\nbase_delay = 0.0\n'
            '[providers.openai]\ndefault_model = "gpt-4o-mini"\n',
            encoding="utf-8",
        )
        loopback.always(status=500, json={"error": {"message": "out of order"}})
        yield
        asked_in_vain.append(len(loopback.requests))

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"temperature": 0, "seed": 1, "max_tokens": 48, "max_retries": 0}

    @property
    def model_override_value(self) -> str:
        """By its own name; a model of nobody's that the first is asked for is not asked of the next."""
        return "smollm2-135m-instruct"
