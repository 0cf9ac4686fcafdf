"""`homeostasis llm status` and `reset-health`: how the providers are, as all processes of the user have found out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .arguments import PROVIDER
from .screen import is_terminal, show_table, watch_table
from .terminal import note

if TYPE_CHECKING:
    from ..manager import LLMManager

HEADER = ("PROVIDER", "STATE", "SUCCESS", "LATENCY", "FIRST TOKEN", "SPENT", "NEXT TRY", "LAST ERROR")
UNKNOWN = "-"
UNTRIED = "untried"

_EVERY = 1.0
"""Seconds: what other processes find out is read no more often."""

_LONGEST = 100
"""Characters of the last error."""


@click.command
@click.option("--watch", is_flag=True, help="Show it again each second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with --watch one a line.")
def status(*, watch: bool, as_json: bool) -> None:
    """Show how the providers are that can be asked, or were. Nobody is asked for it.

    STATE is closed for one that is asked as usual, open for one that keeps failing and is left alone until NEXT TRY,
    half_open while one call finds out whether it is back, and untried where nothing is known. SUCCESS and times are
    averages, in which newer calls weigh more. SPENT is of this month (UTC), in US dollars, with a + where some prices
    are not known.

    \b
    Example: homeostasis llm status --watch
    """
    from ..manager import LLMManager

    with LLMManager() as manager:
        if not watch:
            _show(manager, as_json=as_json)
        elif is_terminal(sys.stdout) and not as_json:
            watch_table(HEADER, lambda: _rows(manager.get_provider_status_summary(), time.time()), every=_EVERY)
        else:
            while True:
                _show(manager, as_json=as_json)
                sys.stdout.flush()
                time.sleep(_EVERY)


@click.command("reset-health")
@click.argument("provider", type=PROVIDER, required=False)
def reset_health(*, provider: str | None) -> None:
    """Forget how PROVIDER has failed, or all of them, so that the next request asks it again.

    What was spent is not forgotten.

    \b
    Example: homeostasis llm reset-health openai
    """
    from ..catalog import canonical_name
    from ..manager import LLMManager
    from ..registry import ProviderFactory

    known = None if provider is None else canonical_name(ProviderFactory.describe(provider).name)
    with LLMManager() as manager:
        manager.reset_provider_health(known)
    click.echo(f"{'All providers' if known is None else known}: asked again as if nothing had happened.")


def _show(manager: LLMManager, *, as_json: bool) -> None:
    summary = manager.get_provider_status_summary()
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False))
    elif rows := _rows(summary, time.time()):
        show_table(HEADER, rows)
    else:
        note("No key was found, and nobody was asked yet: see `homeostasis llm set-key --help`.")


def _rows(summary: Mapping[str, Any], now: float) -> list[tuple[str, ...]]:
    metrics: dict[str, Mapping[str, Any]] = summary["providers"]
    names = [*summary["order"], *(name for name in metrics if name not in summary["order"])]
    return [(name, *_cells(metrics.get(name), now)) for name in names]


def _cells(facts: Mapping[str, Any] | None, now: float) -> tuple[str, ...]:
    """All columns but the first."""
    if facts is None:
        return (UNTRIED, *[UNKNOWN] * (len(HEADER) - 2))
    success, last, again = facts["success_rate"], facts["last_error"], facts["next_try"]
    return (
        facts["state"],
        UNKNOWN if success is None else f"{success:.0%}",
        _seconds(facts["latency"]),
        _seconds(facts["first_token"]),
        _spent(facts.get("spent")),
        UNKNOWN if again is None or facts["state"] == "closed" else f"in {max(0.0, again - now):.0f} s",
        UNKNOWN if last is None else _shortened(f"{last['kind']}: {last['message']}"),
    )


def _seconds(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{seconds:.2f} s"


def _spent(spent: Mapping[str, Any] | None) -> str:
    if spent is None:
        return UNKNOWN
    return f"${spent['month']:.2f}{'+' if spent['unpriced_calls'] else ''}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
