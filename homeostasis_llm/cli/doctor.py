"""`homeostasis llm doctor`: what is wrong here, and what to do."""

from __future__ import annotations

import json

import click

from .screen import show_table, waiting


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Look at what this program stands on here, and say what is wrong. Exit 1 if something must not stay so.

    It looks at Python, the installed packages, the files that run code whenever Python starts, the keyring, the
    settings, proxies and certificates, plugins, and the embedded model. No provider is asked. In the keyring it stores
    a throw-away key, and removes it again.
    """
    from ..doctor import State, examine

    with waiting("Looking around ..."):
        findings = list(examine())
    if as_json:
        facts = [
            {"topic": one.topic, "state": str(one.state), "found": one.found, "advice": one.advice} for one in findings
        ]
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        rows = [(str(one.state), one.topic, _sentences(one.found, one.advice)) for one in findings]
        show_table(("STATE", "TOPIC", "WHAT WAS FOUND"), rows)
    ctx.exit(1 if any(one.state is State.FAIL for one in findings) else 0)


def _sentences(found: str, advice: str) -> str:
    if not advice:
        return found
    return f"{found} {advice}" if found.endswith((".", "?")) else f"{found}. {advice}"
