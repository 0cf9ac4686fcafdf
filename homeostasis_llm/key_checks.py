"""Check the keys that are found: of one provider, or of many at once.

Settings and registry are only loaded where they have a say: that takes longer than a provider to answer.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .catalog import ProviderFacts, canonical_name, facts_of
from .endpoints import base_url_from_environment
from .errors import BrokenPluginError, LLMError
from .keys.lookup import KeyStatus, Where, find_keys, key_status
from .keys.probe import DEFAULT_SECONDS, acheck_key, check_key
from .keys.questions import is_somebodys
from .keys.sealed import Sealed
from .places import place_of
from .redaction import redact

if TYPE_CHECKING:
    from .config import Settings
    from .keys.check import KeyCheck
    from .keys.found import FoundKey

NO_KEY = "no_key"
"""The outcome where there was no key to check."""

BROKEN = "broken"
"""The outcome where a provider's own code cannot be used."""

_OPTIONS = ("base_url", "headers")
"""What of a provider's settings matters to a check."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A key to be checked, or that there is none."""

    provider: str
    secret: Sealed | None
    """None where there is none and one is needed; empty where none may be needed."""
    source: str | None = None
    """Where the key was found, for people."""
    label: str | None = None
    """Which of several keys of the provider."""
    missing: str = ""
    """For people: that there is no key, and why places could not be looked into."""
    advice: str = ""
    """What to do about that."""
    broken: str = ""
    """Why the provider itself cannot be used."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The base URL and the headers that are set for the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedKey:
    """What became of one check. Holds no key."""

    provider: str
    outcome: str
    """That of the `KeyCheck`, `NO_KEY` or `BROKEN`."""
    reason: str
    """What was found, in a sentence for people."""
    advice: str = ""
    """What to do next, in one sentence; empty where there is nothing to do."""
    source: str | None = None
    """Where the key was found."""
    label: str | None = None
    check: KeyCheck | None = None
    """All that the check has brought; None where there was none."""

    @property
    def good(self) -> bool:
        """Whether the provider is known to accept the key."""
        return self.check is not None and self.check.ok is True

    @property
    def works(self) -> bool:
        """Whether the provider can be expected to answer."""
        return self.good and self.outcome != "no_credit"


def subjects(
    names: Iterable[str],
    *,
    every_key: bool = False,
    found: Mapping[str, FoundKey] = MappingProxyType({}),
    settings: Path | None = None,
) -> list[Subject]:
    """What is to be checked of these providers: the key that each is used with, or with `every_key` all that it has.

    A key that was `found` already is not looked for again: a password manager may ask its user each time. Raises
    `UnknownProviderError` before any key is looked for, and `ConfigError`.
    """
    asked = {one.name: one for one in map(_described, names)}
    loaded = _settings(settings)
    where = Where(settings=settings)
    keys = {name: [key] for name, key in found.items()}
    if every_key and loaded is not None:
        keys |= {name: find_keys(name, where) for name in asked if loaded.provider(name).key_labels}
    statuses = key_status([name for name in asked if not keys.get(name)], where=where)
    listed: list[Subject] = []
    for name, one in asked.items():
        if one.broken:
            listed.append(Subject(provider=name, secret=None, broken=one.broken))
            continue
        options = _options(name, loaded)
        listed += [
            Subject(provider=name, secret=key.sealed, source=key.source, label=key.label, options=options)
            for key in keys.get(name) or filter(None, [statuses[name].found])
        ] or [_without_key(one, statuses[name], options)]
    return listed


@dataclass(frozen=True, slots=True)
class _Described:
    """What matters here of a provider."""

    name: str
    facts: ProviderFacts | None
    needs_key: bool | None
    broken: str = ""


def _described(name: str) -> _Described:
    facts = facts_of(name)
    if facts is not None and not is_somebodys(facts.name):
        return _Described(facts.name, facts, facts.needs_key)
    from .registry import ProviderFactory

    entry = ProviderFactory.describe(name, load_plugin=True)
    return _Described(entry.name, entry.facts, entry.needs_key, entry.problem or "")


def _settings(path: Path | None) -> Settings | None:
    """The settings; None where there is no file."""
    if not os.path.lexists(place_of(path)):
        return None
    from .config import load_settings

    return load_settings(path)


def _options(name: str, settings: Settings | None) -> dict[str, Any]:
    """What is set for the provider and matters to a check; the environment is read by the check itself."""
    if settings is None:
        return {}
    from .config import provider_options

    given = provider_options(name, settings)
    return {option: given[option] for option in _OPTIONS if option in given}


def check(subject: Subject, *, timeout: float = DEFAULT_SECONDS, deep: bool = False) -> CheckedKey:
    """What the provider says. `timeout` is in seconds, for each question; `deep` asks for a token, which may cost."""
    if subject.broken:
        return _broken(subject, BrokenPluginError(subject.broken, provider=subject.provider))
    if subject.secret is None:
        return _missing(subject)
    try:
        found = check_key(subject.provider, subject.secret, timeout=timeout, deep=deep, **subject.options)
    except Exception as error:  # noqa: BLE001  # somebody else's provider raises anything
        return _broken(subject, error)
    return _checked(subject, found)


async def acheck_all(
    to_check: Iterable[Subject],
    *,
    timeout: float = DEFAULT_SECONDS,  # noqa: ASYNC109  # it bounds each question, and is an outcome when it is over
    deep: bool = False,
) -> AsyncIterator[CheckedKey]:
    """`check` for all of them at once, each as soon as it is known. A provider with a mistake in it harms no other."""
    import asyncio

    tasks = [asyncio.create_task(_acheck(subject, timeout=timeout, deep=deep)) for subject in to_check]
    try:
        for task in asyncio.as_completed(tasks):
            yield await task
    finally:
        for task in tasks:
            task.cancel()


async def _acheck(subject: Subject, **how: Any) -> CheckedKey:
    if subject.broken:
        return _broken(subject, BrokenPluginError(subject.broken, provider=subject.provider))
    if subject.secret is None:
        return _missing(subject)
    try:
        found = await acheck_key(subject.provider, subject.secret, **how, **subject.options)
    except Exception as error:  # noqa: BLE001  # as above, and the others want to be told
        return _broken(subject, error)
    return _checked(subject, found)


def _checked(subject: Subject, found: KeyCheck) -> CheckedKey:
    return CheckedKey(
        provider=subject.provider,
        outcome=str(found.outcome),
        reason=found.reason,
        advice=found.advice,
        source=subject.source,
        label=subject.label,
        check=found,
    )


def _without_key(one: _Described, status: KeyStatus, options: Mapping[str, Any]) -> Subject:
    elsewhere = options.get("base_url") or base_url_from_environment(canonical_name(one.name), one.facts)
    made = f"; keys are made at {one.facts.key_url}" if one.facts is not None and one.facts.key_url else ""
    return Subject(
        provider=one.name,
        # A gateway may want none.
        secret=Sealed("") if one.needs_key is False or elsewhere else None,
        missing=f"No key was found{f' ({status.problem})' if status.problem else ''}.",
        advice=f"Run `homeostasis llm set-key {one.name}`, or set {' or '.join(status.variables)}{made}.",
        options=options,
    )


def _missing(subject: Subject) -> CheckedKey:
    return CheckedKey(provider=subject.provider, outcome=NO_KEY, reason=subject.missing, advice=subject.advice)


def _broken(subject: Subject, error: Exception) -> CheckedKey:
    ours = isinstance(error, LLMError)
    if not ours:
        _log.debug("%s failed while its key was checked", subject.provider, exc_info=error)
    advice = "" if ours else "That is a mistake in the provider's own code: tell its author."
    if isinstance(error, BrokenPluginError):
        advice = "Install it again in another version, or uninstall it."
    return CheckedKey(
        provider=subject.provider,
        outcome=BROKEN,
        reason=str(error) if ours else redact(f"{type(error).__name__}: {error}"),
        advice=advice,
        source=subject.source,
        label=subject.label,
    )
