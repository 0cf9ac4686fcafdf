"""`homeostasis llm validate-key` and `test-providers`: what the providers say of the keys that are found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from .arguments import PROVIDER
from .passphrase import with_passphrase
from .screen import Progress, waiting
from .terminal import note, one_line

if TYPE_CHECKING:
    from ..key_checks import CheckedKey, Subject
    from ..keys.found import FoundKey
    from ..usable import Survey

_DEEP = "Also have one token written, which tells about credit too, and which the provider may charge."


@click.command("validate-key")
@click.argument("providers", nargs=-1, type=PROVIDER, metavar="[PROVIDER]...")
@click.option("--all", "everyone", is_flag=True, help="Check every provider that has a key.")
@click.option("--deep", is_flag=True, help=_DEEP)
@click.option("-v", "--verbose", is_flag=True, help="Also say where the key is from, and what was asked.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_context
def validate_key(
    ctx: click.Context, *, providers: tuple[str, ...], everyone: bool, deep: bool, verbose: bool, as_json: bool
) -> None:
    """Ask each PROVIDER whether it accepts its key. Exit 0 only if all are accepted.

    Of several keys of a provider, each is checked. As a rule that costs one round trip and no money; where a provider
    has nothing to ask but a completion, that has one token.

    \b
    Example: homeostasis llm validate-key openai
    """
    if everyone == bool(providers):
        raise click.UsageError("Name providers, or give --all.")
    from ..key_checks import check

    found: dict[str, FoundKey | None] = dict.fromkeys(providers)
    if everyone:
        from ..usable import with_keys

        found = _surveyed(with_keys)
        if not found:
            raise click.ClickException("No key was found. `homeostasis llm set-key PROVIDER` stores one.")
    to_check = _to_check(found, every_key=True)
    if len(to_check) == 1:
        with waiting(f"Asking {to_check[0].provider} ..."):
            checked = [check(to_check[0], deep=deep)]
    else:
        with waiting(f"Asking {', '.join(dict.fromkeys(subject.provider for subject in to_check))} ..."):
            checked = _all(to_check, deep=deep)
    if as_json:
        click.echo(json.dumps([_facts(one) for one in checked], ensure_ascii=False))
    else:
        for one in checked:
            click.echo(one_line(_sentence(one, verbose=verbose)))
    ctx.exit(0 if all(one.good for one in checked) else 1)


@click.command("test-providers")
@click.option("-p", "--providers", "named", multiple=True, type=PROVIDER, metavar="NAME...", help="Test only these.")
@click.argument("more", nargs=-1, type=PROVIDER, metavar="[PROVIDER]...")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long each question may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_context
def test_providers(
    ctx: click.Context, *, named: tuple[str, ...], more: tuple[str, ...], timeout: float, as_json: bool
) -> None:
    """Ask all providers that are set up, at once, whether they accept their keys. Exit 1 if none does.

    Set up are those whose key is found, those whose base URL is set, and plugins that want no key.

    \b
    Examples:
      homeostasis llm test-providers
      homeostasis llm test-providers --providers openai anthropic
    """
    from ..usable import set_up

    found = dict.fromkeys((*named, *more)) or _surveyed(set_up)
    if not found:
        raise click.ClickException("No provider is set up. `homeostasis llm set-key PROVIDER` stores a key.")
    to_check = _to_check(found)
    if as_json:
        checked = _all(to_check, timeout=timeout)
        click.echo(json.dumps([_facts(one) for one in checked], ensure_ascii=False))
    else:
        progress = Progress(
            ("PROVIDER", "OUTCOME", "SECONDS", "WHAT IT MEANS"), [subject.provider for subject in to_check]
        )
        with progress.shown():
            checked = _all(to_check, progress, timeout=timeout)
        working = sum(one.works for one in checked)
        click.echo(f"{working} of {len(checked)} can be used.")
    ctx.exit(0 if any(one.works for one in checked) else 1)


def _all(
    to_check: Sequence[Subject], progress: Progress | None = None, *, timeout: float | None = None, deep: bool = False
) -> list[CheckedKey]:
    """What came of each, in the order given."""
    import asyncio

    from ..key_checks import acheck_all

    how = {} if timeout is None else {"timeout": timeout}
    places = {(subject.provider, subject.label, subject.source): index for index, subject in enumerate(to_check)}

    async def gather() -> list[CheckedKey]:
        checked = []
        async for one in acheck_all(to_check, deep=deep, **how):
            checked.append(one)
            if progress is not None:
                progress.put(_row(one))
        return checked

    return sorted(asyncio.run(gather()), key=lambda one: places[one.provider, one.label, one.source])


def _surveyed(look: Callable[[], Survey]) -> dict[str, FoundKey | None]:
    """Who is there, each with its key."""
    survey = with_passphrase(look, lambda found: bool(found.problems))
    for problem in survey.problems:
        note(f"Not everywhere could be looked for keys: {problem}.")
    return {one.name: one.found for one in survey.providers}


def _to_check(found: Mapping[str, FoundKey | None], *, every_key: bool = False) -> list[Subject]:
    from ..key_checks import subjects

    known = {name: key for name, key in found.items() if key is not None}
    return with_passphrase(
        lambda: subjects(found, every_key=every_key, found=known), lambda listed: any(one.missing for one in listed)
    )


def _seconds(one: CheckedKey) -> float | None:
    return None if one.check is None else one.check.seconds


def _row(one: CheckedKey) -> tuple[str, ...]:
    seconds = _seconds(one)
    return (
        one.provider,
        one.outcome,
        "-" if seconds is None else f"{seconds:.2f}",
        " ".join(filter(None, (one.reason, one.advice))),
    )


def _sentence(one: CheckedKey, *, verbose: bool) -> str:
    whose = one.provider if one.label is None else f"{one.provider} ({one.label})"
    seconds = _seconds(one)
    took = "" if seconds is None else f" in {seconds:.2f} s"
    check = one.check
    said = f"It says: {check.said.rstrip('.')}." if check is not None and check.said else ""
    # That there is no key is said by the reason.
    outcome = "" if check is None else f"{one.outcome.replace('_', ' ')}{took}."
    sentence = " ".join(filter(None, (f"{whose}:", outcome, one.reason, said, one.advice)))
    if not verbose:
        return sentence
    more = [
        None if one.source is None else f"key from: {one.source}",
        None if check is None or not check.asked else f"asked: {check.asked}",
        None if check is None or check.status is None else f"status: {check.status}",
        "one token was asked for" if check is not None and check.charged else None,
    ]
    return f"{sentence} ({'; '.join(filter(None, more))})" if any(more) else sentence


def _facts(one: CheckedKey) -> dict[str, object]:
    check = one.check
    return {
        "provider": one.provider,
        "label": one.label,
        "key_source": one.source,
        "outcome": one.outcome,
        "ok": one.good if check is None else check.ok,
        "reason": one.reason,
        "advice": one.advice,
        "said": "" if check is None else check.said,
        "status": None if check is None else check.status,
        "seconds": None if check is None or check.seconds is None else round(check.seconds, 3),
        "asked": "" if check is None else check.asked,
        "charged": check is not None and check.charged,
        "cause": None if check is None or check.cause is None else str(check.cause),
        "retry_after": None if check is None else check.retry_after,
        "suggested_provider": None if check is None else check.suggested_provider,
    }
