"""List commands without loading them: each is imported when it is run, or asked about itself.

Help and completion of the whole program read the names and the one line each from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class Listed(click.Command):
    """What is known of a command before it is loaded."""

    def __init__(self, name: str, short_help: str, home: str) -> None:
        super().__init__(name, short_help=short_help)
        self._home = home

    def load(self) -> click.Command:
        """The command: what its module calls by its name."""
        found: click.Command = getattr(import_module(self._home), str(self.name).replace("-", "_"))
        return found


class ListedCommands(click.Group):
    """A group that loads the one command that is run."""

    def take_in(self, package: str, commands: Mapping[str, Mapping[str, str]]) -> None:
        """Add commands: for each module of `package` their names, with a line on each for the list of commands."""
        for module, lines in commands.items():
            for name, short_help in lines.items():
                self.add_command(Listed(name, short_help, f"{package}.{module}"))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, Any]:
        """The command that is meant, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Listed) else command, rest
