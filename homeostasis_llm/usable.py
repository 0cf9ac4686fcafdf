"""Tell which providers can be used here: those whose key is found, and those that are set up without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .catalog import all_facts, canonical_name
from .config import Settings, load_settings, provider_options
from .endpoints import base_url_from_environment
from .errors import UnknownProviderError
from .keys.lookup import Where, key_status
from .registry import ProviderEntry, ProviderFactory

if TYPE_CHECKING:
    from .keys.found import FoundKey


_NO_KEY = "it needs no key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """A provider that can be asked, as far as is known without asking it."""

    name: str
    found: FoundKey | None
    """Its key; None where it is set up without one."""
    why: str
    """For people, as in `its key was found: keyring`."""
    lacks: tuple[str, ...] = ()
    """Which settings it still needs before it answers a request that names no model, as in `base_url`."""
    chosen: bool = True
    """Whether somebody set it up, and did not only install a plugin that needs no key."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Which providers can be used, and where could not be looked."""

    providers: tuple[Usable, ...]
    """In the order of the catalog, which has the makers of models first; then the others by name."""
    problems: tuple[str, ...]
    """Why places where keys may be could not be looked into."""


def with_keys(settings: Path | None = None) -> Survey:
    """The providers whose key is found. Loads plugins: they say where theirs may be. Raises `ConfigError`."""
    found = load_settings(settings)
    return _survey(ProviderFactory.entries(load_plugins=True, settings=found), found, keyless=False)


def set_up(settings: Path | Settings | None = None) -> Survey:
    """Also those that were set up without a key: by a base URL, in the settings, or as a plugin that wants none.

    Of the given settings, or of those in that file. Loads plugins. Raises `ConfigError`.
    """
    found = settings if isinstance(settings, Settings) else load_settings(settings)
    return _survey(ProviderFactory.entries(load_plugins=True, settings=found), found, keyless=True)


def unknown_names(settings: Settings) -> list[str]:
    """What is to be said of each provider in the settings that nobody has: mistyped, or its plugin is gone."""
    told = []
    for name in settings.named_providers():
        try:
            ProviderFactory.describe(name, settings=settings)
        except UnknownProviderError as error:
            told.append(error.message)
    return told


def _survey(entries: Iterable[ProviderEntry], settings: Settings, *, keyless: bool) -> Survey:
    by_name = {entry.name: entry for entry in entries}
    statuses = key_status(by_name, where=Where(settings=settings))
    usable = []
    ranks = {name: rank for rank, name in enumerate(all_facts())}
    for name in sorted(by_name, key=lambda name: (ranks.get(canonical_name(name), len(ranks)), name)):
        entry, found = by_name[name], statuses[name].found
        why = "" if found is None else f"its key was found: {found.source}"
        if found is None and keyless:
            why = _without_key(entry, settings)
        if why:
            chosen = found is not None or why != _NO_KEY or canonical_name(name) in settings.named_providers()
            lacks = tuple(_lacking(entry, settings))
            usable.append(Usable(name=name, found=found, why=why, lacks=lacks, chosen=chosen))
    troubles = [status.problem for status in statuses.values() if status.found is None and status.problem]
    return Survey(tuple(usable), tuple(dict.fromkeys(troubles)))


def _without_key(entry: ProviderEntry, settings: Settings) -> str:
    """Why it may be used without a key; empty where it may not."""
    if entry.needs_key is False and entry.source not in {"catalog", "litellm"}:
        return _NO_KEY
    if _base_url(entry, settings):
        return "its base URL is set"
    if entry.needs_key is False and canonical_name(entry.name) in settings.providers:
        return "it is in the settings"
    return ""


def _lacking(entry: ProviderEntry, settings: Settings) -> Iterable[str]:
    if entry.source not in {"catalog", "litellm"}:  # what somebody else's provider needs is its own business
        return
    if not (entry.default_model or settings.provider(entry.name).default_model):
        yield "default_model"
    # Where litellm's own providers are is known to litellm alone.
    if entry.facts is not None and not (entry.facts.base_url or _base_url(entry, settings)):
        yield "base_url"


def _base_url(entry: ProviderEntry, settings: Settings) -> object:
    known = canonical_name(entry.name)
    return provider_options(known, settings).get("base_url") or base_url_from_environment(known, entry.facts)
