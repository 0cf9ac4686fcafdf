"""docs/configuration.md says what holds: its example is read, its table is complete and its defaults are right."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import BaseModel

from homeostasis_llm import Timeout
from homeostasis_llm.config import (
    Failover,
    OpenRouterUnified,
    ProviderPolicies,
    ProviderSettings,
    Settings,
    Spending,
    load_settings,
)
from tests.config.conftest import Write

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLE = TEXT.partition("```toml\n")[2].partition("```")[0]
ROWS = dict(
    re.findall(r"^\| `([\w.]+)` \|.*\| ([^|]+) \|$", TEXT.partition("## The keys")[2].partition("## ")[0], re.MULTILINE)
)
"""Each key of the table, and its default."""

TABLES: dict[str, type[BaseModel]] = {
    "": Settings,
    "provider_policies.": ProviderPolicies,
    "openrouter_unified.": OpenRouterUnified,
    "providers.NAME.": ProviderSettings,
    "failover.": Failover,
    "spending.": Spending,
}


def test_the_example_is_read(write: Write) -> None:
    settings = load_settings(write(EXAMPLE))

    assert settings.active_provider == "anthropic"
    assert settings.provider_policies.cost == "low"
    assert settings.provider("openai").model_map == {"gpt-4": "gpt-5.4-mini"}
    assert settings.provider("ollama").timeout == Timeout(connect=2.0, first_byte=120.0, between_chunks=30.0)


def test_the_table_has_every_key_and_no_other() -> None:
    keys = {f"{place}{name}" for place, table in TABLES.items() for name in table.model_fields}
    keys -= {"provider_policies", "openrouter_unified", "providers", "failover", "spending"}
    keys |= {f"providers.NAME.timeout.{wait.name}" for wait in fields(Timeout)}

    assert set(ROWS) == keys


@pytest.mark.parametrize("key", ROWS)
def test_the_defaults_in_the_table_are_those_of_the_code(key: str, write: Write) -> None:
    told = ROWS[key].strip().strip("`")

    if told in {"none", "the provider's own"}:
        place = max((place for place in TABLES if key.startswith(place)), key=len)
        assert not getattr(TABLES[place](), key.removeprefix(place), None)
    else:
        assert load_settings(write(f"{key} = {told}")) == Settings()
