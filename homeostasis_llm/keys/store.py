"""Keep a provider's key in the keyring, and say what else can be done where that does not work."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ..catalog import canonical_name
from ..redaction import remember
from .changed import mark_changed
from .encrypted_file import BACKEND as ENCRYPTED_FILE
from .encrypted_file import PASSPHRASE
from .errors import KeyStorageError, KeyValidationError
from .installed import is_installed
from .lookup import DEFAULT_LABEL, env_names, file_variable, keyring_user
from .ring import KeyringFailedError, remove, store

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_LABEL = re.compile(r"[\w.-]{1,60}")


def store_key(provider: str, secret: SecretStr, label: str | None = None, *, settings: Path | None = None) -> str:
    """Store that key, read it back, and tell for people where it is.

    A new `label` is put last in the provider's `key_labels` in the settings file, by default the user's own: a keyring
    cannot be asked what it has. Raises `KeyStorageError`, `KeyValidationError` for what cannot be a label or is empty,
    and `ConfigError`; then nothing is stored.
    """
    label = checked_label(label)
    secret = SecretStr(secret.get_secret_value().strip())
    if not secret.get_secret_value():
        raise KeyValidationError(f"{provider}: the key is empty", provider=provider)
    remember(secret.get_secret_value())
    is_new = label is not None and label not in _labels(provider, settings)
    failure: KeyStorageError | None = None
    place = ""
    try:
        place = store(keyring_user(provider, label), secret)
    except KeyringFailedError as error:
        failure = _failed(provider, "stored", error)
    if failure is not None:
        raise failure
    mark_changed()
    if is_new and label is not None:
        _list_label(provider, label, settings)
    return place


def forget_key(provider: str, label: str | None = None, *, settings: Path | None = None) -> bool:
    """Remove that key from the keyring; False where there is none. Raises what `store_key` raises."""
    label = checked_label(label)
    failure: KeyStorageError | None = None
    removed = False
    try:
        removed = remove(keyring_user(provider, label))
    except KeyringFailedError as error:
        failure = _failed(provider, "removed", error)
    if failure is not None:
        raise failure
    mark_changed()
    if label is not None and label in _labels(provider, settings):
        _change_labels(provider, settings, lambda labels: [name for name in labels if name != label])
    return removed


def checked_label(label: str | None) -> str | None:
    """The label; None for the key without one. Raises `KeyValidationError` for what cannot be one."""
    if label is None or label == DEFAULT_LABEL:
        return None
    if not _LABEL.fullmatch(label):
        raise KeyValidationError("a key's label is of letters, digits, `.`, `_` and `-`, 60 at most")
    return label


def _labels(provider: str, settings: Path | None) -> tuple[str, ...]:
    from ..config import load_settings

    return load_settings(settings).provider(provider).key_labels


def _list_label(provider: str, label: str, settings: Path | None) -> None:
    listed = False
    try:
        _change_labels(provider, settings, lambda labels: labels if label in labels else [*labels, label])
        listed = True
    finally:
        if not listed:
            # Nobody would ever ask for it, or know to remove it.
            remove(keyring_user(provider, label))


def _change_labels(provider: str, settings: Path | None, change: Callable[[list[str]], list[str]]) -> None:
    from ..config import Settings, assign, change_settings

    name = canonical_name(provider)

    def edit(document: TOMLDocument) -> None:
        # By what the file says now: another process may have added one of its own.
        labels = change(list(Settings.model_validate(document.unwrap()).provider(name).key_labels))
        assign(document, {("providers", name, "key_labels"): labels or None})

    change_settings(settings, edit)


def _failed(provider: str, what: str, failure: KeyringFailedError) -> KeyStorageError:
    ways = _ways_out(provider, failure) if what == "stored" else ()
    reason = failure.reason
    if failure.backend and failure.backend not in reason:
        reason += f" (backend {failure.backend})"
    numbered = "; ".join(f"({number}) {way}" for number, way in enumerate(ways, 1))
    return KeyStorageError(
        f"{provider}: the key was not {what}: {reason}" + (f". What can be done: {numbered}" if ways else ""),
        provider=provider,
        backend=failure.backend,
        reason=failure.reason,
        ways_out=ways,
    )


def _ways_out(provider: str, failure: KeyringFailedError) -> tuple[str, ...]:
    name = canonical_name(provider)
    return (
        *ways_to_a_keyring(failure),
        f"set the environment variable {env_names(provider)[-1]}",
        f"name a file that holds it, and that only you can read, in {file_variable(provider)}",
        f"have a password manager print it: api_key_command in [providers.{name}] of the settings",
    )


def ways_to_a_keyring(failure: KeyringFailedError) -> tuple[str, ...]:
    """What makes a keyring work, here."""
    if failure.backend == ENCRYPTED_FILE:  # the reason says what it lacks
        return ()
    if failure.locked:
        return ("unlock the keyring: log in to the desktop, or run `gnome-keyring-daemon --unlock`",)
    ways = []
    if failure.backend is not None and failure.backend == os.environ.get("PYTHON_KEYRING_BACKEND"):
        ways.append(f"unset PYTHON_KEYRING_BACKEND, which chooses {failure.backend}")
    elif sys.platform.startswith("linux"):
        ways.append("install a keyring, such as gnome-keyring or KeePassXC, and run this in a desktop session")
    install = "" if is_installed("keyrings.cryptfile") else "pip install 'homeostasis-llm[encrypted-file]', "
    chosen = f"PYTHON_KEYRING_BACKEND={ENCRYPTED_FILE}"
    ways.append(f"use an encrypted file: {install}set {chosen}, and its passphrase in {PASSPHRASE}")
    return tuple(ways)
