"""`homeostasis llm models`: what one provider offers."""

from __future__ import annotations

import json

import click

from .arguments import PROVIDER
from .terminal import note, one_line


@click.command
@click.argument("provider", type=PROVIDER)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def models(*, provider: str, as_json: bool) -> None:
    """List the models of PROVIDER that your key may use, one a line, as the provider tells them.

    \b
    Example: homeostasis llm models openai
    """
    from ..promises import models_of
    from ..registry import ProviderFactory

    with ProviderFactory.create_provider(provider) as asked:
        names = models_of(asked)
    if as_json:
        click.echo(json.dumps(names, ensure_ascii=False))
    elif names:
        click.echo("\n".join(map(one_line, names)))
    else:
        note(f"{provider} lists no models.")
