"""What litellm's price list says of a provider's models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from homeostasis_llm.catalog import ProviderFacts
from homeostasis_llm.litellm_bridge.pricing import family, row_of


def priced(facts: ProviderFacts) -> Mapping[str, Any] | None:
    """The list's row of the default model; None where there is none."""
    if facts.default_model is None:
        return None
    # A few rows stand under a name of ours that is not litellm's route: azure's under "azure", cohere's under "cohere".
    return row_of(facts.default_model, facts.litellm_name) or row_of(facts.default_model, facts.name)


def listed(facts: ProviderFacts) -> list[Mapping[str, Any]]:
    """The list's rows of the models of a provider that one can chat with."""
    names = {family(facts.litellm_name), family(facts.name)}
    return [
        row
        for row in _rows().values()
        if row.get("mode") in {"chat", "responses"} and family(str(row.get("litellm_provider"))) in names
    ]


@cache
def _rows() -> Mapping[str, Mapping[str, Any]]:
    # The file and not litellm's own copy of it, to which other tests may have added models.
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "model_prices_and_context_window_backup.json"
    rows: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows
