"""Read what Homeostasis' former package has left in `~/.homeostasis`: its configuration and its encrypted keys.

Nothing there is changed, and no key is stored anywhere: whoever asked for the keys gives them to the key manager.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from .catalog import canonical_name
from .config import Changes, ConfigError, Settings, assign, change_settings, load_settings
from .errors import LLMError
from .redaction import remember

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Folder = str | os.PathLike[str] | None
"""Where the former package kept its files; None for `~/.homeostasis`."""

_ITERATIONS = 100_000
"""Rounds of PBKDF2. Source: modules/llm_integration/api_key_manager.py of Homeostasis, `_get_cipher_suite`."""

_LONGEST_VALUE = 60
"""Characters of a refused value that its error repeats."""

_UNASKED_MODELS = {"anthropic": "anthropic/claude-3-haiku", "openai": "openai/gpt-3.5-turbo"}
"""What the former package wrote into every file, and read nowhere. Source: the same, `_get_default_provider_config`."""


class WrongPasswordError(ConfigError):
    """The former package's keys do not open with this password."""


@dataclass(frozen=True, slots=True)
class FormerConfig:
    """What the former configuration says, in our terms."""

    changes: Changes
    """For `config.set_values`."""
    left_out: tuple[str, ...] = ()
    """What of it has no counterpart here, a line each."""


@dataclass(frozen=True, slots=True)
class ImportedConfig:
    """What became of a former configuration."""

    settings: Settings
    """All settings, after the import."""
    taken: tuple[str, ...]
    """Which settings it brought."""
    kept: tuple[str, ...]
    """Which settings it has too, but had been set here before: these stay."""
    left_out: tuple[str, ...]
    """As in `FormerConfig`."""


def former_folder(folder: Folder = None) -> Path:
    """Where the former package kept its files."""
    return Path("~/.homeostasis" if folder is None else folder).expanduser()


def has_former_keys(folder: Folder = None) -> bool:
    """Whether there are keys to ask the password for."""
    return (former_folder(folder) / "llm_keys.enc").exists()


def read_former_config(folder: Folder = None) -> FormerConfig:
    """What `provider_config.json` says; nothing where there is none.

    Raises `ConfigError`, naming the key, for what the former package would not have taken either.
    """
    path = former_folder(folder) / "provider_config.json"
    raw = _read(path)
    if raw is None:
        return FormerConfig({})
    try:
        found = json.loads(raw)
    except json.JSONDecodeError as error:
        raise _wrong(path, f"is no JSON: {error.msg}", line=error.lineno) from None
    except UnicodeDecodeError:
        raise _wrong(path, "is no JSON: it is not UTF-8") from None
    return _Former(path, found).translated()


def import_config(folder: Folder = None, path: str | os.PathLike[str] | None = None) -> ImportedConfig:
    """Bring the former configuration into the settings file at `path`, `config_path()` by default.

    What that file sets itself stays: it is the newer. So a second import changes nothing. Raises `ConfigError`.
    """
    former = read_former_config(folder)
    if not former.changes:
        return ImportedConfig(load_settings(path), (), (), former.left_out)
    taken: list[str] = []
    kept: list[str] = []

    def edit(document: TOMLDocument) -> None:
        for steps, given in former.changes.items():
            there = _is_set(document, steps)
            (kept if there else taken).append(".".join(steps))
            if not there:
                assign(document, {steps: given})

    settings = change_settings(path, edit)
    return ImportedConfig(settings, tuple(taken), tuple(kept), former.left_out)


def read_former_keys(password: SecretStr, folder: Folder = None) -> dict[str, SecretStr]:
    """The keys in `llm_keys.enc`, by provider; none where there is no such file.

    Raises `WrongPasswordError`, `ConfigError` for files that are damaged or missing, and `LLMError` where the package
    `cryptography` is missing.
    """
    path = former_folder(folder) / "llm_keys.enc"
    token = _read(path)
    if token is None:
        return {}
    salt_path = path.with_name("salt")
    salt = _read(salt_path)
    if salt is None:
        raise _wrong(
            path,
            f"cannot be decrypted without {salt_path}, which is missing; restore that file, or set the keys anew with "
            "`homeostasis llm set-key`",
        )
    # Ask instead of catching ImportError: a broken installation must not read as a missing one.
    if find_spec("cryptography") is None:
        raise LLMError(f"{path}: needs the package cryptography: pip install 'homeostasis-llm[legacy]'")
    if not _is_token(token):
        raise _wrong(path, "is damaged; set the keys anew with `homeostasis llm set-key`")
    found = _decrypted(token, salt, password)
    if found is None:
        raise WrongPasswordError(
            f"{path}: does not open with this password, if neither it nor {salt_path.name} beside it was changed",
            path=str(path),
        )
    if isinstance(found, str):
        raise _wrong(path, found)
    return found


def _decrypted(token: bytes, salt: bytes, password: SecretStr) -> dict[str, SecretStr] | str | None:
    """The keys; None for a wrong password; what is wrong with them. Raises nothing, so no traceback holds a key."""
    from cryptography.fernet import Fernet, InvalidToken
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    derive = PBKDF2HMAC(algorithm=SHA256(), length=32, salt=salt, iterations=_ITERATIONS)
    try:
        plain = Fernet(base64.urlsafe_b64encode(derive.derive(password.get_secret_value().encode()))).decrypt(token)
    except InvalidToken:
        return None
    try:
        found = json.loads(plain)
    except ValueError:
        return "opens, but holds no JSON"
    if not isinstance(found, dict):
        return "opens, but holds no table of providers and their keys"
    keys: dict[str, SecretStr] = {}
    for name, key in found.items():
        if not isinstance(key, str) or not name.strip():
            return f"opens, but what it has for {name!r} is no key"
        if key.strip():
            remember(key)
            keys[canonical_name(name.strip())] = SecretStr(key)
    return keys


def _is_token(token: bytes) -> bool:
    """Whether this could have been written by Fernet: a version, a time, 16 bytes, whole blocks, 32 bytes."""
    try:
        raw = base64.urlsafe_b64decode(token.strip())
    except (binascii.Error, ValueError):
        return False
    return raw[:1] == b"\x80" and len(raw) >= 73 and (len(raw) - 57) % 16 == 0


class _Former:
    """A former configuration, being read."""

    def __init__(self, path: Path, found: object) -> None:
        if not isinstance(found, dict):
            raise _wrong(path, "is no JSON object")
        self._path, self._found = path, found
        self._left_out: list[str] = []

    def translated(self) -> FormerConfig:
        changes = dict(self._changes())
        return FormerConfig(changes, tuple(self._left_out))

    def _changes(self) -> Iterator[tuple[tuple[str, ...], object]]:
        for key, found in self._found.items():
            match key:
                case "active_provider":
                    yield (key,), "auto" if found is None else self._name(key, found)
                case "fallback_order":
                    yield (key,), self._names(key, found)
                case "enable_fallback":
                    yield (key,), self._flag(key, found)
                case "provider_policies":
                    yield from self._policies(key, found)
                case "openrouter_unified_config":
                    yield from self._unified(key, found)
                case _:
                    self._left_out.append(f"{self._path}: {key}: the former package read no such setting")

    def _policies(self, key: str, found: object) -> Iterator[tuple[tuple[str, ...], object]]:
        for name, level in self._table(key, found).items():
            inner = f"{key}.{name}"
            if name not in {"cost_preference", "latency_preference", "reliability_preference"}:
                self._left_out.append(f"{self._path}: {inner}: the former package read no such setting")
                continue
            if level not in ("low", "balanced", "high"):
                raise self._must(inner, 'be "low", "balanced" or "high"', level)
            yield (key, name.removesuffix("_preference")), level

    def _unified(self, key: str, found: object) -> Iterator[tuple[tuple[str, ...], object]]:
        table = self._table(key, found)
        own = "openrouter_unified"
        if "enabled" in table:
            yield (own, "enabled"), self._flag(f"{key}.enabled", table["enabled"])
        # What is missing was taken for true.
        flags = {name: f"proxy_to_{name}" for name in ("anthropic", "openai")}
        if any(flag in table for flag in flags.values()):
            routed = [name for name, flag in flags.items() if self._flag(f"{key}.{flag}", table.get(flag, True))]
            yield (own, "providers"), routed
        models = self._table(f"{key}.fallback_model_mapping", table.get("fallback_model_mapping", {}))
        for name, model in models.items():
            inner = f"{key}.fallback_model_mapping.{name}"
            if not isinstance(model, str) or not model:
                raise self._must(inner, "be the name of a model", model)
            if _UNASKED_MODELS.get(name) == model:
                self._left_out.append(f"{self._path}: {inner}: {model} is what the former package wrote by itself")
            else:
                yield (own, "model_map", name), model
        known = {"enabled", *flags.values(), "fallback_model_mapping"}
        for name in table.keys() - known:
            self._left_out.append(f"{self._path}: {key}.{name}: the former package read no such setting")

    def _name(self, key: str, found: object) -> str:
        if not isinstance(found, str) or not found.strip():
            raise self._must(key, "name a provider", found)
        return canonical_name(found.strip())

    def _names(self, key: str, found: object) -> list[str]:
        if not isinstance(found, list):
            raise self._must(key, "be a list of providers", found)
        return list(dict.fromkeys(self._name(f"{key}[{index}]", name) for index, name in enumerate(found)))

    def _flag(self, key: str, found: object) -> bool:
        if not isinstance(found, bool):
            raise self._must(key, "be true or false", found)
        return found

    def _table(self, key: str, found: object) -> Mapping[str, Any]:
        if not isinstance(found, dict):
            raise self._must(key, "be an object", found)
        return found

    def _must(self, key: str, what: str, found: object) -> ConfigError:
        shown = "an object" if isinstance(found, dict) else "a list" if isinstance(found, list) else json.dumps(found)
        shown = shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}…"
        return _wrong(self._path, f"{key}: must {what}, found {shown}", key=key)


def _is_set(document: Mapping[str, Any], steps: tuple[str, ...]) -> bool:
    found: Any = document
    for step in steps:
        if not isinstance(found, Mapping) or step not in found:
            return False
        found = found[step]
    return True


def _read(path: Path) -> bytes | None:
    """What is in the file; None where there is none. Raises `ConfigError`."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        failure = _wrong(path, f"cannot be read: {error.strerror or error}").with_cause(error)
    raise failure


def _wrong(path: Path, what: str, *, line: int | None = None, key: str | None = None) -> ConfigError:
    place = f"{path}, line {line}" if line else str(path)
    return ConfigError(f"{place}: {what}", path=str(path), line=line, key=key)
