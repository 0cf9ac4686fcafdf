"""Read the price list that comes with litellm: what a call cost, which models there are, and whose they are."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..usage import Usage
from .runtime import load_litellm

Row = Mapping[str, Any]

_LIST = "model_prices_and_context_window_backup.json"

_ANSWERING = frozenset({"chat", "responses", "completion"})
"""The modes of models that one can talk to."""


def list_price(model: str, litellm_name: str, usage: Any) -> float | None:
    """US dollars for `usage`: litellm's object, counts in OpenAI's form, an answer in Google's; or what makes these.

    None without a price in the list.
    """
    litellm = load_litellm()
    if usage is None or not {model, f"{litellm_name}/{model}"} & litellm.model_cost.keys():
        return None
    if callable(usage):
        usage = usage()
    if isinstance(usage, Mapping):
        google = litellm.VertexGeminiConfig  # it tells what was written and thought, in pictures and in sound
        usage = google.calculate_usage(usage) if "usageMetadata" in usage else litellm.Usage(**usage)
    # The list does not know each route that a provider has.
    for name in dict.fromkeys((litellm_name, family(litellm_name))):
        with suppress(litellm.exceptions.ModelNotMappedError):
            return float(sum(litellm.cost_per_token(model, custom_llm_provider=name, usage_object=usage)))
    return None


def price_of_usage(model: str, litellm_name: str, usage: Usage) -> float | None:
    """`list_price` for counts of ours; None where input or output is not counted, or the list has no price."""
    row = row_of(model, litellm_name)
    if row is None or "input_cost_per_token" not in row or None in {usage.input_tokens, usage.output_tokens}:
        return None
    load_litellm()
    from litellm.types.utils import Usage as LiteLLMUsage

    counts = LiteLLMUsage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        prompt_tokens_details={
            "cached_tokens": usage.cached_tokens,
            "cache_creation_tokens": usage.cache_write_tokens,
        },
    )
    return list_price(model, litellm_name, counts)


def listed_models(providers: AbstractSet[str]) -> list[str]:
    """The chat models of the list, sorted, of a provider that is called any of `providers`."""
    rows = load_litellm().model_cost.items()
    names = (name for name, row in rows if row.get("litellm_provider") in providers and row.get("mode") == "chat")
    # Some rows have the provider before the model's own name.
    return sorted({name.partition("/")[2] if name.partition("/")[0] in providers else name for name in names})


def row_of(model: str, litellm_name: str) -> Row | None:
    """What the list says of a provider's model, without importing litellm; None where it says nothing."""
    rows = _rows()
    row = rows.get(f"{litellm_name}/{model}")
    if row is None:
        row = rows.get(model)
        if row is not None and _provider_of(row) != family(litellm_name):
            return None  # another's model of that name, with another's price and window
    return row


@cache
def makers() -> Mapping[str, frozenset[str]]:
    """Who has which model, as far as the list tells: from a model's own name to litellm's names of its providers.

    Does not import litellm. Empty where litellm's list is not where we know it.
    """
    found: dict[str, set[str]] = {}
    for name, row in _file().items():
        if row.get("mode") in _ANSWERING:
            provider = str(row.get("litellm_provider"))
            own = name.removeprefix(f"{provider}/").removeprefix(f"{family(provider)}/")
            found.setdefault(own, set()).add(family(provider))
    return {name: frozenset(providers) for name, providers in found.items()}


def family(litellm_name: str) -> str:
    """One name for what the list and litellm's routes call differently: `vertex_ai` for `vertex_ai-language-models`."""
    name = "vertex_ai" if litellm_name.startswith("vertex_ai") else litellm_name
    return _ROUTES.get(name, name)


# Routes of litellm to one and the same provider.
_ROUTES = {"bedrock_converse": "bedrock", "bedrock_mantle": "bedrock", "cohere_chat": "cohere", "ai21_chat": "ai21"}


def _provider_of(row: Row) -> str:
    return family(str(row.get("litellm_provider")))


def _rows() -> Mapping[str, Row]:
    # Where litellm is imported anyway, it has what its user has registered, too.
    known: Mapping[str, Row] | None = getattr(sys.modules.get("litellm"), "model_cost", None)
    return known or _file()


@cache
def _file() -> Mapping[str, Row]:
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    try:
        rows: Mapping[str, Row] = json.loads((Path(spec.origin).parent / _LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return rows
