"""`homeostasis llm conformance`: whether a provider keeps what every provider promises."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import click

from .arguments import PROVIDER
from .screen import show_table, waiting
from .terminal import note, one_line


@click.command
@click.argument("provider", type=PROVIDER)
@click.option("--live", is_flag=True, help="Ask the real provider, which may charge; else it is asked on this machine.")
@click.option(
    "--html",
    "page_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also write the report as a web page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def conformance(ctx: click.Context, *, provider: str, live: bool, page_file: Path | None, as_json: bool) -> None:
    """Try whether PROVIDER keeps what every provider promises. Exit 1 if a rule is broken.

    Where its dialect is known, a server on this machine answers in that, well and badly. Else only those rules are
    tried for which nobody is asked, or with --live all that can be tried with real answers.

    \b
    Example: homeostasis llm conformance openai
    """
    if missing := [name for name in ("pytest", "langchain_tests") if find_spec(name) is None]:
        raise click.ClickException(f"The rules need {' and '.join(missing)}: pip install 'homeostasis-llm[testing]'")
    from ..testing.conformance.running import page, run

    with waiting(f"Trying {provider} ..."):
        report = run(provider, live=live)
    if page_file is not None:
        page_file.write_text(page(report), encoding="utf-8")
    if as_json:
        rulings = [{"rule": one.rule, "verdict": one.verdict, "why": one.why} for one in report.rulings]
        click.echo(json.dumps({"provider": report.provider, "rules": rulings}, ensure_ascii=False))
    else:
        if broken := report.of("broken"):
            show_table(("BROKEN", "WHAT TO DO"), [(one.sentence, one.why) for one in broken])
        for reason, rules in report.reasons:
            note(f"{rules} left out: {reason}")
        click.echo(one_line(report.summary))
    ctx.exit(1 if report.of("broken") else 0)
