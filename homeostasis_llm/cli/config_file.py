"""`homeostasis llm config`: the settings file, shown, opened in an editor, and checked."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

import click

from .screen import is_terminal, show_table
from .terminal import note, one_line

_NEW = """\
# Settings of homeostasis-llm. No keys in here: `homeostasis llm set-key PROVIDER` stores those.
# What can be set: docs/configuration.md. A first example:
#
# active_provider = "anthropic"
# fallback_order = ["anthropic", "openai"]
#
# [providers.openai]
# base_url = "https://gateway.example/v1"
"""
"""What an editor is given where there is no file yet."""


@click.group
def config() -> None:
    """See and change the settings file."""


@config.command(short_help="Print what is set, and where.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def show(*, as_json: bool) -> None:
    """Print what is set, and where: in which line of the file, or by which environment variable.

    What may be a credential is not shown.
    """
    from ..config.effective import effective_settings

    found = effective_settings()
    if as_json:
        facts = [{"key": one.key, "value": one.value, "origin": one.origin} for one in found]
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    show_table(("SETTING", "VALUE", "FROM"), [(one.key, _as_toml(one.value), one.origin) for one in found])


@config.command(short_help="Print where the file is.")
def path() -> None:
    """Print where the settings file is, or would be."""
    from ..config import config_path

    click.echo(config_path())


@config.command(short_help="Open the file in an editor.")
def edit() -> None:
    """Open the settings in $VISUAL or $EDITOR, and save them if they are right."""
    from ..config import ConfigError, config_path, load_settings, wrong_rows
    from ..config.rewriting import rewrite_settings, settings_text

    if not is_terminal(sys.stdin) and not (os.environ.get("VISUAL") or os.environ.get("EDITOR")):
        raise click.UsageError("Run this at a terminal, or name an editor in EDITOR that needs none.")
    place = config_path()
    before = settings_text()
    folder = Path(mkdtemp(prefix="homeostasis-"))  # for the user alone
    copy = folder / place.name
    copy.write_bytes((before or _NEW).encode())
    while True:
        click.edit(filename=str(copy))
        try:
            # As it stands, with the line breaks that the editor makes.
            after = copy.read_bytes().decode()
            if (wrong := wrong_rows(load_settings(copy), copy)) is not None:
                raise wrong
            break
        except (ConfigError, UnicodeDecodeError) as error:
            for problem in error.problems if isinstance(error, ConfigError) else ["is not UTF-8"]:
                note(problem)
        if not is_terminal(sys.stdin) or not click.confirm("Edit again?", default=True, err=True):
            raise click.ClickException(f"Nothing was saved. What you wrote is in {copy}")
    if after in {before, _NEW}:
        click.echo("Nothing changed.")
    else:
        try:
            rewrite_settings(after, before=before)
        except ConfigError as error:
            raise click.ClickException(one_line(f"{error}. What you wrote is in {copy}")) from error
        click.echo(f"{place}: saved")
    shutil.rmtree(folder)


@config.command(short_help="Say what is wrong with the file.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Say what is wrong with the settings file, a line each. Exit 1 if anything is.

    Names of providers that nobody has are warned of: a plugin may be missing for now.
    """
    from ..config import ConfigError, config_path, load_settings, wrong_rows
    from ..usable import unknown_names

    place = config_path()
    problems: tuple[str, ...] = ()
    warnings: list[str] = []
    try:
        settings = load_settings()
        warnings = unknown_names(settings)
        if (wrong := wrong_rows(settings)) is not None:
            problems = wrong.problems
    except ConfigError as error:
        problems = error.problems
    if as_json:
        facts = {"path": str(place), "ok": not problems, "problems": problems, "warnings": warnings}
        click.echo(json.dumps(facts, ensure_ascii=False))
    elif problems:
        for problem in problems:
            click.echo(one_line(problem))
    else:
        click.echo(f"{place}: ok" if place.exists() else f"{place}: there is no such file, and the defaults hold")
        for warning in warnings:
            note(f"{place}: {warning}")
    ctx.exit(1 if problems else 0)


def _as_toml(value: object) -> str:
    """As the file would have it; near enough for reading."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_as_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
