"""`homeostasis llm new-provider`: the beginning of a package that adds a provider."""

from __future__ import annotations

from pathlib import Path

import click

_DIALECTS = ("openai", "anthropic", "gemini", "cohere", "ollama")


@click.command("new-provider")
@click.argument("name")
@click.option(
    "--dialect", type=click.Choice(_DIALECTS), help="For an address that speaks a known dialect: data and no code."
)
@click.option("--http", is_flag=True, help="For an API of its own over HTTP: three methods.")
@click.option("--minimal", is_flag=True, help="For anything else: the five members of a provider.")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), default=None, help="Where the folder goes; here."
)
def new_provider(*, name: str, dialect: str | None, http: bool, minimal: bool, into: Path | None) -> None:
    """Write a package for the provider NAME, with tests that pass, into a new folder. By default --dialect openai.

    \b
    Example: homeostasis llm new-provider myllm --http
    """
    from ..scaffold import new_provider as write

    if sum((dialect is not None, http, minimal)) > 1:
        raise click.UsageError("--dialect, --http and --minimal are three kinds of packages; say one.")
    kind = "http" if http else "minimal" if minimal else "dialect"
    folder = write(name, kind, dialect=dialect or "openai", into=into)
    click.echo(f"{folder}: written. Install it and run its tests:\n\n  pip install -e {folder}\n  pytest {folder}")
