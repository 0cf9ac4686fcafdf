"""Whoever names no model still gets what a request may ask."""

from __future__ import annotations

import pytest

from homeostasis_llm import UnsuitableRequestError
from homeostasis_llm.catalog import all_facts
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.litellm_bridge.runtime import load_litellm

from .wires import KEY, ask

ROWS = {name: facts for name, facts in all_facts().items() if facts.default_model is not None}


@pytest.mark.parametrize("name", ROWS)
def test_a_default_model_takes_a_temperature_and_a_limit_of_tokens(name: str) -> None:
    load_litellm()
    from litellm.utils import get_optional_params

    facts = ROWS[name]
    sent = get_optional_params(
        model=facts.default_model, custom_llm_provider=facts.litellm_name, temperature=0.125, max_tokens=2345
    )

    assert sent.get("temperature") == 0.125
    assert 2345 in sent.values()


def test_a_model_without_temperature_is_told_of_without_litellms_advice() -> None:
    request = ask(temperature=0.2, model="gpt-5-mini")

    with pytest.raises(UnsuitableRequestError) as caught:
        LiteLLMProvider("openai", KEY, base_url="http://127.0.0.1:9/v1").complete(request)

    assert "temperature=0.2" in caught.value.message
    assert "drop" not in caught.value.message
    assert caught.value.message.endswith("; ask without that, or for another model")
