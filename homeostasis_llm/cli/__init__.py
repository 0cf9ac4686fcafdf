"""`homeostasis` at a terminal. A command parses and prints; the library does the work.

Each command is loaded when it runs, and imports what it needs then, so that help comes at once.
"""

from __future__ import annotations

import atexit
import gc
import sys
from types import TracebackType

import click

from .listed import ListedCommands
from .terminal import Program

_COMMANDS = {
    "ask": {
        "ask": "Ask a language model.",
    },
    "cassettes": {
        "cassettes": "Record what models answer, for tests.",
    },
    "check": {
        "validate-key": "Ask providers whether they accept a key.",
        "test-providers": "Ask all providers at once.",
    },
    "completion": {
        "completion": "Print a shell's completion script.",
    },
    "config_file": {
        "config": "See and change the settings file.",
    },
    "conformance": {
        "conformance": "Try what every provider promises.",
    },
    "doctor": {
        "doctor": "Say what is wrong here, and what to do.",
    },
    "keys": {
        "set-key": "Check a key, and store it.",
        "list-keys": "List the keys, and where each is from.",
        "remove-key": "Remove a key from the keyring.",
    },
    "legacy": {
        "import-legacy": "Bring over the former package's keys.",
    },
    "models": {
        "models": "List the models of a provider.",
    },
    "new_provider": {
        "new-provider": "Write a package that adds a provider.",
    },
    "providers": {
        "providers": "List who can be asked.",
    },
    "settings": {
        "set-active-provider": "Say who is asked first.",
        "get-active-provider": "Print who is asked first.",
        "set-fallback-order": "Say who is asked when the first fails.",
        "get-fallback-order": "Print who is asked when the first fails.",
        "set-fallback-enabled": "Say whether others are asked at all.",
        "set-openrouter-unified": "Have OpenRouter stand in for others.",
        "set-provider-policies": "Say what matters in choosing.",
        "get-provider-policies": "Print what matters in choosing.",
        "provider-status": "Print who is asked, and who can be.",
        "auto-configure": "Set the order by the keys that are found.",
    },
    "status": {
        "status": "Show how the providers are.",
        "reset-health": "Have a provider asked again at once.",
    },
}
"""What each module has, and a line on it for `homeostasis llm --help`."""


@click.group(cls=Program)
@click.version_option(package_name="homeostasis-llm", message="%(package)s %(version)s")
def homeostasis() -> None:
    """Software that mends itself. See `homeostasis llm` for its language models."""


@click.group(cls=ListedCommands)
def llm() -> None:
    """Ask language models, keep their keys, and say who is asked.

    \b
    Example: homeostasis llm ask "What is the capital of France?"
    """


llm.take_in(__name__, _COMMANDS)
homeostasis.add_command(llm)


_OBJECTS = 100_000
"""Some ten megabytes of them are made before Python looks for garbage among them."""


def main() -> None:
    """Run the command that the process was started with, and end the process."""
    sys.excepthook = _without_keys
    # httpx has a command line of its own, which it loads with rich and pygments wherever they are installed, whoever
    # imports it. None says that there is none: it does without, and a command that uses HTTP begins sooner.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # typeshed knows of modules alone
    # One command makes little garbage, and what it loads is none: Python looks through it seldom, and not at the end.
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)
    homeostasis(prog_name="homeostasis")


def _without_keys(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print the traceback of a mistake, ours or a plugin's, whose text may hold the key that it was about."""
    from traceback import format_exception

    from ..redaction import redact

    click.echo(redact("".join(format_exception(kind, error, traceback))), nl=False, err=True)
