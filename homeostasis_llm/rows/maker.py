"""Make a provider of a row: an address that speaks a dialect litellm knows, described by the user or by a plugin."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError

from ..catalog import ProviderFacts, canonical_name, facts_of
from ..config import ConfigError, ProviderSettings, Settings, load_settings
from ..config.lines import line_of
from ..config.reading import explained
from ..config.rewriting import settings_text
from ..config.row_facts import row_facts
from ..config.settings import ship
from ..config.storage import wrong
from ..places import place_of

if TYPE_CHECKING:
    from ..request import Timeout
    from .provider import RowProvider

_KEY_PLACES = ("api_key_file", "api_key_command", "api_key_secret", "key_labels")
"""Settings that say where a user's own key is: not for a plugin to say."""


@dataclass(frozen=True, slots=True)
class Row:
    """Makes its provider, as a class does: called with the key, and options as keywords."""

    facts: ProviderFacts
    settings: ProviderSettings

    @property
    def default_model(self) -> str | None:
        """The model for requests that name none."""
        return self.facts.default_model

    @property
    def needs_key(self) -> bool:
        """Whether it has any use for a key."""
        return self.facts.needs_key

    @property
    def key_prefix(self) -> str:
        """What its keys begin with; empty where nothing is said."""
        return next(iter(self.facts.key_prefixes), "")

    def __call__(
        self,
        api_key: str | SecretStr | None = None,
        *,
        base_url: str | None = None,
        default_model: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: Timeout | float | None = None,
        api_version: str | None = None,
    ) -> RowProvider:
        """The provider. Raises `InvalidRequestError` for a base URL that is none."""
        from .provider import RowProvider

        return RowProvider(
            self.facts,
            api_key,
            base_url=base_url,
            default_model=default_model,
            headers={**self.settings.headers, **(headers or {})},
            timeout=timeout,
            api_version=api_version,
            model_map=self.settings.model_map,
            context_window=self.settings.context_window,
        )


def row_of(name: str, settings: Settings | None = None) -> Row | None:
    """The row of that name in `settings`, by default the user's own, or of a plugin that was loaded; else None."""
    own = (_settings() if settings is None else settings).provider(name)
    return None if own.dialect is None else Row(row_facts(name, own), own)


def broken_row(name: str, settings: Settings, path: Path | None) -> str:
    """What is wrong with the row of that name in the file at `path`; empty where nothing is."""
    problems = settings.broken.get(canonical_name(name), ())
    return "; ".join(wrong(place_of(path), problems).problems) if problems else ""


def where(name: str, path: Path | None) -> str:
    """The file and the line where the user's row of that name begins."""
    text = settings_text(path)
    spelled = next((own for own in tomllib.loads(text).get("providers", {}) if canonical_name(own) == name), name)
    return f"{place_of(path)}, line {line_of(text, ('providers', spelled))}"


def shipped_row(name: str, described: Mapping[str, Any]) -> Row:
    """The row that a plugin describes in the settings' words. Raises `ValueError`, which says what is wrong."""
    if "dialect" not in described:
        raise ValueError("needs a dialect")
    if found := [key for key in _KEY_PLACES if key in described]:
        raise ValueError(f"{found[0]}: only a user can say where the key is")
    if facts_of(name) is not None:
        raise ValueError(f"{name!r} is a provider of the catalog, whose place a row cannot take")
    try:
        own = ProviderSettings.model_validate(dict(described))
    except ValidationError as error:
        raise ValueError("; ".join(explained(error, ("providers", name), described))) from None
    ship(name, own)
    return Row(row_facts(name, own), own)


def _settings() -> Settings:
    try:
        return load_settings()
    except ConfigError:  # whoever needs the settings is told; a list of names does without
        return Settings()
