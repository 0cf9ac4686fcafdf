"""Find a provider's key: in the environment, the keyring, a file, from a command, in a secret store; in this order.

What is slow or heavy is only imported and asked where nothing before it had the key. Nothing prints, asks anybody, or
waits for ever; what could not be looked into is told, and the next place asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog import canonical_name, facts_of, in_variables, our_variable, plain_name
from ..litellm_names import litellm_names, openai_like
from ..places import config_path
from ..redaction import remember
from .errors import SourceTroubleError
from .found import FoundKey, KeyStatus, SourceKind, SourceReport
from .keyring_facts import READ_SECONDS as KEYRING_SECONDS
from .keyring_facts import SERVICE
from .sealed import Sealed

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ..config import ProviderSettings, Settings

__all__ = [
    "DEFAULT_LABEL",
    "KEYRING_SECONDS",
    "SERVICE",
    "FoundKey",
    "KeyStatus",
    "SourceKind",
    "SourceReport",
    "env_names",
    "find_key",
    "find_keys",
    "key_reports",
    "key_status",
    "keyring_user",
]

DEFAULT_LABEL = "default"
"""What `key_labels` calls the key that has no label, to give it a place among the others."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which places are looked into, and how."""

    timeout: float = KEYRING_SECONDS
    """Seconds that the keyring may take."""
    settings: Path | Settings | None = None
    """The settings, or their file; None for the user's own."""
    outside: bool = True
    """Whether files, commands and secret stores count."""


def find_key(provider: str, *, timeout: float = KEYRING_SECONDS) -> FoundKey | None:
    """The key of that provider; None where there is none. `timeout` is what the keyring may take, in seconds."""
    return key_status([provider], timeout=timeout)[provider].found


def find_keys(provider: str, where: Where | None = None) -> list[FoundKey]:
    """Every key of that provider in the order of use: `find_key`'s, then those with labels, each once."""
    search = _Search([provider], where or Where())
    keys: list[FoundKey] = []
    default_is_found = False
    for label, places in search.slots(provider):
        if label is None and default_is_found:
            continue
        found = next((report.found for report in map(_ask, places) if report.found is not None), None)
        default_is_found = default_is_found or (label is None and found is not None)
        if found is not None and found.sealed not in [key.sealed for key in keys]:
            keys.append(found)
    return keys


def key_status(
    providers: Iterable[str], *, timeout: float = KEYRING_SECONDS, where: Where | None = None
) -> dict[str, KeyStatus]:
    """What `find_key` finds for each provider, with one visit to the keyring and one `timeout`, in seconds, for all."""
    names = list(providers)
    search = _Search([name for name in names if not _has_variable(name)], where or Where(timeout))
    return {name: _status(name, search) for name in names}


def key_reports(providers: Iterable[str], where: Where | None = None) -> dict[str, list[SourceReport]]:
    """What each place has for each provider, also those that another comes before. Commands and stores are asked."""
    names = list(providers)
    search = _Search(names, where or Where())
    return {name: [_ask(place) for _, places in search.slots(name) for place in places] for name in names}


def env_names(provider: str) -> tuple[str, ...]:
    """The environment variables that a key of that provider is looked for in, the first one set counts."""
    name = canonical_name(provider)
    return tuple(dict.fromkeys((our_variable(name, "API_KEY"), *_provider_variables(name))))


def file_variable(provider: str) -> str:
    """The environment variable that names a file with the key of that provider."""
    return our_variable(provider, "API_KEY_FILE")


def keyring_user(provider: str, label: str | None = None) -> str:
    """The user name under which the keyring has that key, with the service `SERVICE`."""
    name = canonical_name(provider)
    return name if label is None else f"{name}#{label}"


def _provider_variables(name: str) -> tuple[str, ...]:
    facts, own = facts_of(name), _own(name)
    if facts is not None:
        return facts.env if own is None else (*own.env, *facts.env)
    if own is not None and own.dialect is not None:
        from ..config.row_facts import row_facts

        return row_facts(name, own).env
    if own is not None and own.env:
        return own.env
    spelling = next((known for known in litellm_names() if plain_name(known) == name), None)
    # Nearly all of litellm's providers that its table does not hold read the variable called after them, and so does
    # everybody's own SDK.
    told = None if spelling is None else openai_like().get(spelling, {}).get("api_key_env")
    return (str(told or f"{in_variables(name)}_API_KEY"),)


def _own(name: str) -> ProviderSettings | None:
    """What is set for that provider, or declared by its row or class, of a plugin that was loaded.

    None where there is no file of settings, and nobody has loaded what holds the declarations: that takes a while.
    """
    if "homeostasis_llm.config.settings" not in sys.modules and not os.path.lexists(config_path()):
        return None
    from ..config import ConfigError, Settings, load_settings

    try:
        settings = load_settings()
    except ConfigError:  # told by whoever looks into the places that the settings name
        settings = Settings()
    return settings.provider(name)


def _has_variable(provider: str) -> bool:
    return any(os.environ.get(variable, "").strip() for variable in env_names(provider))


def _status(provider: str, search: _Search) -> KeyStatus:
    troubles: list[SourceReport] = []
    for _, places in search.slots(provider):
        for place in places:
            report = _ask(place)
            if report.found is not None:
                return KeyStatus(provider, env_names(provider), report.found, tuple(troubles))
            if report.problem is not None:
                troubles.append(report)
    return KeyStatus(provider, env_names(provider), None, tuple(troubles))


@dataclass(frozen=True, slots=True)
class _Place:
    """One place where a key may be."""

    kind: SourceKind
    source: str
    read: Callable[[], SecretStr | Sealed | None]
    """Gives what is there, or None; raises `SourceTroubleError`."""
    label: str | None = None


def _ask(place: _Place) -> SourceReport:
    try:
        secret = place.read()
    except SourceTroubleError as trouble:
        return SourceReport(place.kind, place.source, place.label, problem=str(trouble))
    # No key has white space around it, and what has nothing else is empty: a file's last line break, an unset variable.
    key = "" if secret is None else secret.get_secret_value().strip()
    if not key:
        return SourceReport(place.kind, place.source, place.label)
    remember(key)
    found = FoundKey(Sealed(key), place.source, place.kind, place.label)
    return SourceReport(place.kind, place.source, place.label, found)


_Slot = tuple[str | None, list[_Place]]
"""A label, None for the key that has none, and the places where that key may be."""


class _Search:
    """One look around for several providers: the settings are read once, and the keyring visited once."""

    def __init__(self, providers: list[str], where: Where) -> None:
        self._providers = providers
        self._where = where
        self._kept: tuple[Mapping[str, SecretStr | None], str | None] | None = None
        self._settings: Settings | None = None
        self._settings_problem: str | None = None

    def slots(self, provider: str) -> Iterator[_Slot]:
        """Where that provider's keys may be, in order. What is not asked for is not looked into, the settings too."""
        yield None, [*map(_in_environment, env_names(provider))]
        for label in self._order(provider):
            in_ring = self._in_keyring(provider, label)
            yield label, [in_ring] if label is not None else [in_ring, *self._outside(provider)]

    def _order(self, provider: str) -> list[str | None]:
        labels = self._of(provider).key_labels
        order = [None if label == DEFAULT_LABEL else label for label in labels]
        return order if None in order else [None, *order]

    def _of(self, provider: str) -> ProviderSettings:
        from ..config import ConfigError, Settings, load_settings

        if self._settings is None:
            given = self._where.settings
            try:
                self._settings = given if isinstance(given, Settings) else load_settings(given)
            except ConfigError as error:
                self._settings, self._settings_problem = Settings(), error.message
        return self._settings.provider(provider)

    def _in_keyring(self, provider: str, label: str | None) -> _Place:
        def read() -> SecretStr | None:
            user = keyring_user(provider, label)
            kept, problem = self._asked_keyring()
            # A keyring that stopped answering midway has not said whether it has the others.
            if user not in kept and problem is not None:
                raise SourceTroubleError(problem)
            return kept.get(user)

        source = "keyring" if label is None else f"keyring, label {label}"
        return _Place(SourceKind.KEYRING, source, read, label)

    def _asked_keyring(self) -> tuple[Mapping[str, SecretStr | None], str | None]:
        if self._kept is None:
            from .ring import read

            users = (keyring_user(provider, label) for provider in self._providers for label in self._order(provider))
            self._kept = read(tuple(dict.fromkeys(users)), self._where.timeout)
        return self._kept

    def _outside(self, provider: str) -> Iterator[_Place]:
        if not self._where.outside:
            return
        own = self._of(provider)
        if self._settings_problem is not None:
            yield _Place(SourceKind.FILE, "settings", self._unread_settings)
        variable = file_variable(provider)
        if named := os.environ.get(variable, "").strip():
            path = Path(os.path.expanduser(named))  # noqa: PTH111  # Path's own raises where `~` is nobody's
            yield _Place(SourceKind.FILE, f"file {path}", lambda: _from_file(path))
        if (file := own.api_key_file) is not None:
            yield _Place(SourceKind.FILE, f"file {file}", lambda: _from_file(file))
        if (words := own.api_key_command) is not None:
            yield _Place(SourceKind.COMMAND, f"command {words[0]}", lambda: _from_command(words))
        if (reference := own.api_key_secret) is not None:
            from .secret_stores import read_secret

            yield _Place(SourceKind.SECRET_STORE, str(reference), lambda: read_secret(reference))

    def _unread_settings(self) -> None:
        raise SourceTroubleError(self._settings_problem or "")


def _in_environment(variable: str) -> _Place:
    def read() -> Sealed:
        return Sealed(os.environ.get(variable, ""))

    return _Place(SourceKind.ENVIRONMENT, f"environment variable {variable}", read)


def _from_file(path: Path) -> SecretStr:
    from .key_file import read_key_file

    return read_key_file(path)


def _from_command(words: tuple[str, ...]) -> SecretStr:
    from .key_command import read_key_command

    return read_key_command(words)
