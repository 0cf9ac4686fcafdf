"""`homeostasis llm ask`: one question, its answer on standard output as it comes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .arguments import PROVIDER
from .choice import choose
from .screen import is_terminal
from .terminal import as_text, note, piped_text, standard_input, write_answer

if TYPE_CHECKING:
    from ..attempts import Attempt
    from ..manager import LLMManager
    from ..request import JSONSchema, LLMRequest
    from ..response import LLMResponse


@click.command
@click.argument("prompt", required=False)
@click.option(
    "-p", "--provider", metavar="NAME", type=PROVIDER, help="Who answers: a name from `homeostasis llm providers`."
)
@click.option("-m", "--model", metavar="NAME", help="The model; without -p, its provider and a colon may go before it.")
@click.option("-s", "--system", metavar="TEXT", help="What the model is told before the prompt.")
@click.option("--temperature", type=click.FloatRange(min=0), help="0 for the likeliest words, more for others.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="How long the answer may get.")
@click.option(
    "--json-schema",
    "schema_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Have the answer in JSON, in the form that the schema in FILE describes.",
)
@click.option(
    "--fallback/--no-fallback",
    default=None,
    help="Whether others are asked when the first fails; by default as set, and not where a provider is named.",
)
@click.option("--no-stream", is_flag=True, help="Print the answer once it is complete.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the answer and all that is known of it.")
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Say on standard error who was asked, who answered, and what it took.",
)
def ask(
    *,
    prompt: str | None,
    provider: str | None,
    model: str | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    schema_file: Path | None,
    fallback: bool | None,
    no_stream: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Ask a language model, and print its answer as it comes.

    Text that is piped in is the prompt. With a PROMPT beside it, it is what the prompt is about: it comes first, then
    an empty line, then the PROMPT. A PROMPT of - waits for standard input.

    A provider that -p or -m names is asked alone. Where none is named, it is the active one, then the others in their
    order, until one answers; without any key it is the small model inside this process, where that is installed.

    \b
    Examples:
      homeostasis llm ask "What is the capital of France?"
      homeostasis llm ask -m openai:gpt-5.4-mini "Write a commit message." < changes.diff
    """
    from ..errors import LLMError
    from ..messages import LLMMessage
    from ..request import LLMRequest

    question = LLMMessage(role="user", content=_question(prompt))
    schema = None if schema_file is None else _schema(schema_file)
    choice = choose(provider, model, fallback)
    with choice.manager as manager, _lanes(listened=verbose) as lanes:
        request = LLMRequest(
            messages=[question],
            model=choice.model,
            system_prompt=system,
            temperature=temperature,
            max_tokens=max_tokens,
            response_format=schema,
        )
        if choice.note:
            note(choice.note)
        try:
            whole = as_json or no_stream or not _can_stream(manager)
            if whole:
                response = manager.complete(request, choice.preferred)
            else:
                response = _stream(manager, request, choice.preferred)
        except LLMError as error:
            if verbose:
                _tell(error.attempts)
            raise
    if as_json:
        _write_whole(json.dumps(_facts(response), ensure_ascii=False, default=str))
    elif whole:
        _write_whole(response.content)
    if response.finish_reason in {"length", "content_filter", "error"}:
        note(f"The answer ended early: {response.finish_reason}.")
    if verbose:
        _tell(response.attempts)
        note(", ".join([_account(response), *(f"{lane} lane" for lane in lanes[-1:])]))
    elif switched := _switched(choice.first, response.attempts):
        note(switched)


def _question(prompt: str | None) -> str:
    if prompt == "-":
        question = standard_input()
    else:
        parts = [part.strip("\n") for part in (piped_text(), prompt) if part is not None]
        if not parts:
            raise click.UsageError("Missing argument 'PROMPT'; it may also be piped in.")
        question = "\n\n".join(parts)
    if not question.strip():
        raise click.UsageError("The prompt is empty.")
    return question


def _schema(path: Path) -> JSONSchema:
    from ..errors import InvalidRequestError
    from ..request import JSONSchema

    try:
        return JSONSchema(schema=json.loads(as_text(path.read_bytes(), str(path))))
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{path}: is no JSON: {error}") from error
    except InvalidRequestError as error:
        raise click.ClickException(f"{path}: {error}") from error


def _can_stream(manager: LLMManager) -> bool:
    # What a pipe was given cannot be taken back.
    return manager.on_break != "restart" or is_terminal(sys.stdout)


def _stream(manager: LLMManager, request: LLMRequest, preferred: str | None) -> LLMResponse:
    """Print the answer as it comes, and return all of it. Whatever ends it, the last line is ended too."""
    from ..response import merge_chunks

    chunks = []
    written = ""
    try:
        for chunk in manager.complete_stream(request, preferred):
            chunks.append(chunk)
            if chunk.restart and written:
                written = ""
                write_answer("\n")
                note("That broke off; the answer begins anew:")
            if chunk.text:
                written = chunk.text  # before it is: Ctrl-C may come between
                write_answer(chunk.text)
    finally:
        if written and not written.endswith("\n"):
            write_answer("\n")
    return merge_chunks(chunks).to_response()


def _write_whole(answer: str) -> None:
    write_answer(answer if answer.endswith("\n") or not answer else f"{answer}\n")


def _facts(response: LLMResponse) -> dict[str, object]:
    facts = asdict(response)
    if response.usage is not None:
        del facts["usage"]["raw"]  # the same counts in the provider's own words
    return facts


def _account(response: LLMResponse) -> str:
    """One line on who answered and what it took; what is not known is left out."""
    usage = response.usage
    parts = [
        ":".join(part for part in (response.provider, response.model) if part),
        "" if usage is None or usage.input_tokens is None else f"{usage.input_tokens} tokens read",
        "" if usage is None or usage.output_tokens is None else f"{usage.output_tokens} tokens written",
        "" if response.latency is None else f"{response.latency:.2f} s",
        "" if response.cost is None else f"${response.cost:.6f}".rstrip("0").rstrip("."),
        f"ended by: {response.finish_reason}",
    ]
    return ", ".join(part for part in parts if part)


@contextmanager
def _lanes(*, listened: bool) -> Iterator[list[str]]:
    """The lanes into litellm that calls take meanwhile, in order; see docs/lanes.md. Empty without `listened`."""
    lanes: list[str] = []
    if not listened:
        yield lanes
        return
    import logging

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lanes.append(getattr(record, "lane", ""))

    told = logging.getLogger("homeostasis_llm.litellm_bridge.lanes")
    before, listener = told.level, Listener()
    told.setLevel(logging.DEBUG)
    told.addHandler(listener)
    try:
        yield lanes
    finally:
        told.removeHandler(listener)
        told.setLevel(before)


def _tell(attempts: Sequence[Attempt]) -> None:
    """Say who was asked, a line each."""
    for attempt in attempts:
        asked = f"{attempt.provider} was not asked" if attempt.outcome == "skipped" else str(attempt)
        note(": ".join(filter(None, (asked, attempt.why))))


def _switched(first: str, attempts: Sequence[Attempt]) -> str | None:
    """One line where somebody else answered than was to be asked first."""
    from ..catalog import canonical_name

    if not attempts or canonical_name(attempts[-1].provider) == canonical_name(first):
        return None
    last = next((attempt for attempt in reversed(attempts) if attempt.provider == first), None)
    return f"{attempts[-1].provider} answered: {first} {_what_came_of(last)}."


def _what_came_of(attempt: Attempt | None) -> str:
    if attempt is None:
        return "keeps failing"
    if attempt.outcome == "skipped":
        return f"was not asked, for {attempt.message or attempt.why}"
    if attempt.outcome == "abandoned":
        return "was slower"
    if attempt.outcome == "broke":
        return f"broke off ({attempt.error})"
    return f"failed ({attempt.error}{f' {attempt.status}' if attempt.status else ''})"
