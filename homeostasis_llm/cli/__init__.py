"""`homeostasis` at a terminal. A command parses and prints; the library does the work.

Each command imports what it needs when it runs, so that help comes at once.
"""

from __future__ import annotations

import sys
from types import TracebackType

import click

from .ask import ask
from .cassettes import cassettes
from .check import test_providers, validate_key
from .completion import completion
from .config_file import config_file
from .conformance import conformance
from .doctor import doctor
from .keys import list_keys, remove_key, set_key
from .legacy import import_legacy
from .models import models
from .new_provider import new_provider
from .providers import providers
from .settings import (
    auto_configure,
    get_active_provider,
    get_fallback_order,
    get_provider_policies,
    provider_status,
    set_active_provider,
    set_fallback_enabled,
    set_fallback_order,
    set_openrouter_unified,
    set_provider_policies,
)
from .status import reset_health, status
from .terminal import Program


@click.group(cls=Program)
@click.version_option(package_name="homeostasis-llm", message="%(package)s %(version)s")
def homeostasis() -> None:
    """Software that mends itself. See `homeostasis llm` for its language models."""


@homeostasis.group()
def llm() -> None:
    """Ask language models, keep their keys, and say who is asked.

    \b
    Example: homeostasis llm ask "What is the capital of France?"
    """


for command in (
    ask,
    auto_configure,
    cassettes,
    completion,
    config_file,
    conformance,
    doctor,
    get_active_provider,
    get_fallback_order,
    get_provider_policies,
    import_legacy,
    list_keys,
    models,
    new_provider,
    provider_status,
    providers,
    remove_key,
    reset_health,
    set_active_provider,
    set_fallback_enabled,
    set_fallback_order,
    set_key,
    set_openrouter_unified,
    set_provider_policies,
    status,
    test_providers,
    validate_key,
):
    llm.add_command(command)


def main() -> None:
    """Run the command that the process was started with, and end the process."""
    sys.excepthook = _without_keys
    homeostasis(prog_name="homeostasis")


def _without_keys(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print the traceback of a mistake, ours or a plugin's, whose text may hold the key that it was about."""
    from traceback import format_exception

    from ..redaction import redact

    click.echo(redact("".join(format_exception(kind, error, traceback))), nl=False, err=True)
