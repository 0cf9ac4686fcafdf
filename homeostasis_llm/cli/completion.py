"""`homeostasis llm completion`: the script with which a shell completes this program's commands and arguments."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_PROGRAM = "homeostasis"
_VARIABLE = "_HOMEOSTASIS_COMPLETE"
"""Where click looks for the shell's question, by the name of the program."""


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Print the script that makes SHELL complete commands, options and names of providers.

    \b
    Add it to what your shell reads when it starts:
      bash  echo 'eval "$(homeostasis llm completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(homeostasis llm completion zsh)"' >> ~/.zshrc
      fish  homeostasis llm completion fish > ~/.config/fish/completions/homeostasis.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"The installed click knows no completion for {shell}.")
    click.echo(found(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
