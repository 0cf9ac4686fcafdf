"""`homeostasis llm import-legacy`: bring over what Homeostasis' former package has kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .keys import not_stored
from .passphrase import unlock
from .screen import is_terminal
from .terminal import note

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ..api_key_manager import APIKeyManager
    from ..legacy import FormerConfig

_PASSWORD = "HOMEOSTASIS_LEGACY_PASSWORD"  # noqa: S105  # the variable's name
_TRIES = 3
"""How often a mistyped password may be typed again."""


@click.command("import-legacy")
@click.option(
    "--from",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the former package kept its files; ~/.homeostasis by default.",
)
def import_legacy(*, folder: Path | None) -> None:
    """Bring over the keys and settings of Homeostasis' former package, and leave its files as they are.

    Its password is asked for, or taken from HOMEOSTASIS_LEGACY_PASSWORD. What is already stored or set here stays.
    """
    from ..api_key_manager import APIKeyManager
    from ..legacy import former_folder, has_former_keys, import_config, read_former_config

    place = former_folder(folder)
    config = read_former_config(folder)
    keys = _keys(folder) if has_former_keys(folder) else {}
    if not keys and not config.changes and not config.left_out:
        raise click.ClickException(f"{place}: nothing of the former package is there. See --from.")
    manager = APIKeyManager()
    known = _known(keys)
    _announce(known, config)
    if is_terminal(sys.stdin):
        click.confirm("Import that?", default=True, abort=True, err=True)
    _store(manager, known)
    imported = import_config(folder)
    for name in imported.taken:
        click.echo(f"{name}: set")
    for name in imported.kept:
        click.echo(f"{name}: was set here already, and stays as it is")
    for line in imported.left_out:
        note(f"Left out: {line}")
    if known:
        note("The keys were not checked: `homeostasis llm validate-key --all` does that.")


def _keys(folder: Path | None) -> dict[str, SecretStr]:
    from pydantic import SecretStr

    from ..legacy import WrongPasswordError, former_folder, read_former_keys

    given = os.environ.get(_PASSWORD)
    if given:
        return read_former_keys(SecretStr(given), folder)
    if not is_terminal(sys.stdin):
        raise click.ClickException(f"The keys need their password: set {_PASSWORD}, or run this at a terminal.")
    for left in reversed(range(_TRIES)):
        password = click.prompt(f"Password of {former_folder(folder)}", hide_input=True, err=True)
        try:
            return read_former_keys(SecretStr(password), folder)
        except WrongPasswordError as error:
            if not left:
                raise
            note(f"{error}.")
    return {}


def _known(keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Those of providers that there are."""
    from ..errors import UnknownProviderError
    from ..registry import ProviderFactory

    known = {}
    for name, secret in keys.items():
        try:
            ProviderFactory.describe(name)
        except UnknownProviderError as error:
            note(f"Left out: the key of {name}: {error}")
        else:
            known[name] = secret
    return known


def _announce(keys: dict[str, SecretStr], config: FormerConfig) -> None:
    for name in keys:
        note(f"To be imported: the key of {name}")
    for steps, value in config.changes.items():
        note(f"To be imported: {'.'.join(steps)} = {value}")


def _store(manager: APIKeyManager, keys: dict[str, SecretStr]) -> None:
    from ..keys.errors import KeyStorageError

    unlock(to_store=True)
    for name, secret in keys.items():
        stored = next((place for place in manager.key_sources(name)[name] if place.kind == "keyring"), None)
        if stored is not None and stored.has_key:
            click.echo(f"{name}: the keyring has a key already, which stays; to replace it, remove-key {name} first")
            continue
        try:
            where = manager.set_key(name, secret, validate=False)
        except KeyStorageError as error:
            raise not_stored(error) from error
        click.echo(f"{name}: stored in {where}")
