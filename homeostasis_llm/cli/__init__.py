"""`homeostasis` at a terminal. A command parses and prints; the library does the work.

Each command imports what it needs when it runs, so that help comes at once.
"""

from __future__ import annotations

import click

from .ask import ask
from .models import models
from .providers import providers
from .terminal import Program


@click.group(cls=Program)
@click.version_option(package_name="homeostasis-llm", message="%(package)s %(version)s")
def homeostasis() -> None:
    """Software that mends itself. See `homeostasis llm` for its language models."""


@homeostasis.group()
def llm() -> None:
    """Ask language models, and see which there are.

    \b
    Example: homeostasis llm ask "What is the capital of France?"
    """


llm.add_command(ask)
llm.add_command(models)
llm.add_command(providers)


def main() -> None:
    """Run the command that the process was started with, and end the process."""
    homeostasis(prog_name="homeostasis")
