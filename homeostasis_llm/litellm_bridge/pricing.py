"""Read the price list that comes with litellm: what a call cost, and which models there are."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from .runtime import load_litellm


def list_price(model: str, litellm_name: str, usage: Any) -> float | None:
    """US dollars for `usage`, an object of litellm's; None where the list has no price for the model."""
    litellm = load_litellm()
    if usage is None or not {model, f"{litellm_name}/{model}"} & litellm.model_cost.keys():
        return None
    return float(sum(litellm.cost_per_token(model, custom_llm_provider=litellm_name, usage_object=usage)))


def listed_models(providers: AbstractSet[str]) -> list[str]:
    """The chat models of the list, sorted, of a provider that is called any of `providers`."""
    rows = load_litellm().model_cost.items()
    names = (name for name, row in rows if row.get("litellm_provider") in providers and row.get("mode") == "chat")
    # Some rows have the provider before the model's own name.
    return sorted({name.partition("/")[2] if name.partition("/")[0] in providers else name for name in names})
