"""`homeostasis llm providers`: who can be asked, and whether a key for them is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .screen import show_table
from .terminal import one_line

if TYPE_CHECKING:
    from ..keys.lookup import KeyStatus
    from ..registry import ProviderEntry

UNKNOWN = "-"
_CREDENTIALS = {"aws": "credentials of AWS", "google": "credentials of Google Cloud"}


@click.command
@click.option("--all", "everyone", is_flag=True, help="Also those that only litellm knows.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, with everything that is known.")
def providers(*, everyone: bool, as_json: bool) -> None:
    """List the providers, those with a key first: their default models, and where each key is or would be looked for.

    A key is looked for in HOMEOSTASIS_<NAME>_API_KEY, then in the provider's own variables, then in the keyring of this
    system.

    \b
    Example: homeostasis llm providers
    """
    from ..keys.lookup import key_status
    from ..registry import ProviderFactory

    listed = [entry for entry in ProviderFactory.entries(load_plugins=True) if everyone or entry.source != "litellm"]
    keys = key_status(entry.name for entry in listed)
    if as_json:
        click.echo(json.dumps([_facts(entry, keys[entry.name]) for entry in listed], ensure_ascii=False))
        return
    # Of some seventy, what can be asked at once is what most look for; the sort keeps the order by name within.
    shown = sorted(listed, key=lambda entry: keys[entry.name].found is None)
    show_table(("NAME", "DEFAULT MODEL", "KEY", "FROM"), [_row(entry, keys[entry.name]) for entry in shown])
    for entry in listed:
        if entry.problem:
            click.echo(one_line(f"{entry.name} is broken: {entry.problem}"))
    for problem in dict.fromkeys(status.keyring_problem for status in keys.values()):
        if problem:
            click.echo(one_line(f"Only the environment was looked into: {problem}."), err=True)


def _row(entry: ProviderEntry, key: KeyStatus) -> tuple[str, ...]:
    there, where = _key(entry, key)
    return entry.name, entry.default_model or UNKNOWN, there, where


def _key(entry: ProviderEntry, key: KeyStatus) -> tuple[str, str]:
    """Whether there is a key, and where it is from or would be."""
    if key.found is not None:
        return "yes", key.found.source
    auth = "" if entry.facts is None else entry.facts.auth
    if auth in _CREDENTIALS:
        return UNKNOWN, _CREDENTIALS[auth]
    if entry.needs_key is False:
        return "not needed", UNKNOWN
    # HOMEOSTASIS_<NAME>_API_KEY comes first and is the same for all: what tells them apart is the provider's own.
    return "no", (key.variables[1:] or key.variables)[0]


def _facts(entry: ProviderEntry, key: KeyStatus) -> dict[str, object]:
    return {
        "name": entry.name,
        "title": None if entry.facts is None else entry.facts.title,
        "source": entry.source,
        "default_model": entry.default_model,
        "needs_key": entry.needs_key,
        "has_key": key.found is not None,
        "key_source": None if key.found is None else key.found.source,
        "key_looked_for_in": [*key.variables, "keyring"],
        "keyring_problem": key.keyring_problem,
        "problem": entry.problem,
    }
