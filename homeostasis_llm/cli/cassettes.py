"""`homeostasis llm cassettes …`: recordings of what models answer, for tests and for reports of bugs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .arguments import PROVIDER
from .screen import show_table
from .terminal import note, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..provider import LLMProviderInterface
    from ..request import LLMRequest
    from ..testing.cassettes.matrix import Case


class _Cassettes(click.Group):
    """Whose commands fail in one line for what is wrong with a file."""

    def invoke(self, ctx: click.Context) -> Any:
        from importlib.util import find_spec

        if missing := [name for name in ("vcr", "yaml") if find_spec(name) is None]:
            raise click.ClickException(
                f"Recordings need {' and '.join(missing)}: pip install 'homeostasis-llm[testing]'"
            )
        from ..testing.cassettes.errors import CassetteError

        try:
            return super().invoke(ctx)
        except CassetteError as error:
            raise click.ClickException(one_line(str(error))) from error


@click.group(cls=_Cassettes)
def cassettes() -> None:
    """Record what models answer, and look at recordings.

    Tests make and play recordings with the marker llm_cassette of pytest.
    """


@cassettes.command("check", short_help="Find keys, and recordings nobody plays.")
@click.argument("folder", default="cassettes", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--root",
    default=".",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where pytest is started; the tests of the recordings are looked for from there.",
)
@click.pass_context
def check_recordings(ctx: click.Context, *, folder: Path, root: Path) -> None:
    """Look through the recordings in FOLDER, `cassettes` by default. Exit 1 if something must not stay so.

    What is found: files that cannot be read, keys, recordings whose test is gone, and models that their provider no
    longer lists.
    """
    from ..testing.cassettes.checks import check

    findings = list(check(folder, root))
    if findings:
        show_table(("FILE", "TOPIC", "PROBLEM"), [(str(one.file), one.topic, one.problem) for one in findings])
    files = len(list(folder.rglob("*.yaml")))
    note(f"{files} recordings in {folder}, {len(findings) or 'no'} problems.")
    ctx.exit(1 if findings else 0)


@cassettes.command("show", short_help="Print the conversation in a recording.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def show_recording(*, file: Path) -> None:
    """Print the conversation in a recording."""
    from ..redaction import redact
    from ..testing.cassettes.file_format import read
    from ..testing.cassettes.transcript import transcript

    for line in transcript(read(file)):
        click.echo(redact(line))


@cassettes.command("record", short_help="Ask a provider, and save what it answers.")
@click.option("-p", "--provider", required=True, metavar="NAME", type=PROVIDER, help="Who is asked.")
@click.option("-m", "--model", metavar="NAME", help="The model; without it, the provider's default.")
@click.option("--base-url", metavar="URL", help="Where to ask, if not at the provider's own address.")
@click.option("--prompt", metavar="TEXT", help="The one question to record.")
@click.option("-s", "--system", metavar="TEXT", help="What the model is told before the prompt.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="How long the answer may get.")
@click.option("--stream", is_flag=True, help="Have the answer streamed.")
@click.option("--matrix", is_flag=True, help="Record the questions that are recorded of every provider alike.")
@click.option("--small-context", is_flag=True, help="With --matrix: also ask more than a context of 512 tokens holds.")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The file, PROVIDER.yaml by default; with --matrix the folder, cassettes/matrix/PROVIDER.",
)
@click.pass_context
def record_recording(
    ctx: click.Context,
    *,
    provider: str,
    model: str | None,
    base_url: str | None,
    prompt: str | None,
    system: str | None,
    max_tokens: int | None,
    stream: bool,
    matrix: bool,
    small_context: bool,
    output: Path | None,
) -> None:
    """Ask a provider for real, and save what went over the wire, without keys and accounts.

    For a report of a bug, give the --prompt that shows it. What fails is saved too. To have a provider's answers tested
    here, record its --matrix: some fifteen short questions.

    \b
    Example: homeostasis llm cassettes record --provider mistral --prompt "Hello"
    """
    from ..catalog import plain_name
    from ..registry import ProviderFactory
    from ..testing.cassettes.matrix import WRONG_KEY

    if matrix == (prompt is not None):
        raise click.UsageError("Give either --prompt or --matrix.")
    options = {"base_url": base_url, "default_model": model}
    given = {name: found for name, found in options.items() if found is not None}

    def make(case: Case | None) -> LLMProviderInterface:
        key = WRONG_KEY if case is not None and case.wrong_key else None
        return ProviderFactory.create_provider(provider, key, **given)

    if matrix:
        folder = output or Path("cassettes", "matrix", plain_name(provider))
        ctx.exit(1 if _record_matrix(make, folder, small_context=small_context) else 0)
    from ..messages import LLMMessage
    from ..request import LLMRequest

    question = [LLMMessage(role="user", content=prompt or "")]
    request = LLMRequest(messages=question, system_prompt=system, max_tokens=max_tokens)
    with make(None) as asked:
        _record_one(asked, request, output or Path(f"{plain_name(provider)}.yaml"), streamed=stream)


def _record_one(provider: LLMProviderInterface, request: LLMRequest, file: Path, *, streamed: bool) -> None:
    from ..testing.cassettes.recorder import record_one

    outcome = record_one(provider, request, file, streamed=streamed)
    if outcome.error is not None:
        note(f"The provider's answer is an error: {outcome.error}")
    click.echo(file)


def _record_matrix(make: Callable[[Any], LLMProviderInterface], folder: Path, *, small_context: bool) -> bool:
    """Whether anything went wrong."""
    from ..testing.cassettes.recorder import record_matrix

    rows: list[tuple[str, ...]] = []
    wrong = False
    for recorded in record_matrix(make, folder, small_context=small_context):
        wrong = wrong or bool(recorded.problem)
        state = "nothing saved" if recorded.file is None else recorded.file.name
        rows.append((recorded.name, state, recorded.problem or "ok"))
        note(f"{recorded.name}: {recorded.problem or 'ok'}")
    show_table(("CASE", "FILE", "OUTCOME"), rows)
    return wrong
