"""Tell what a call cost, by the price list that comes with litellm."""

from __future__ import annotations

from typing import Any

from .runtime import load_litellm


def list_price(model: str, litellm_name: str, usage: Any) -> float | None:
    """US dollars for `usage`, an object of litellm's; None where the list has no price for the model."""
    litellm = load_litellm()
    if usage is None or not {model, f"{litellm_name}/{model}"} & litellm.model_cost.keys():
        return None
    return float(sum(litellm.cost_per_token(model, custom_llm_provider=litellm_name, usage_object=usage)))
