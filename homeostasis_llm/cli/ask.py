"""`homeostasis llm ask`: one question, its answer on standard output as it comes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .arguments import PROVIDER
from .choice import EMBEDDED, choose
from .terminal import as_text, note, piped_text, standard_input, write_answer

if TYPE_CHECKING:
    from ..provider import LLMProviderInterface
    from ..request import JSONSchema, LLMRequest
    from ..response import LLMResponse


@click.command(short_help="Ask a language model.")
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
@click.option("--no-stream", is_flag=True, help="Print the answer once it is complete.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the answer and all that is known of it.")
@click.option("-v", "--verbose", is_flag=True, help="Say on standard error who answered, and what it took.")
def ask(
    *,
    prompt: str | None,
    provider: str | None,
    model: str | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    schema_file: Path | None,
    no_stream: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Ask a language model, and print its answer as it comes.

    Text that is piped in is the prompt. With a PROMPT beside it, it is what the prompt is about: it comes first, then
    an empty line, then the PROMPT. A PROMPT of - waits for standard input.

    Where neither -p nor -m names a provider, the first one answers whose key is found, and without any key the small
    model inside this process, where that is installed.

    \b
    Examples:
      homeostasis llm ask "What is the capital of France?"
      homeostasis llm ask -m openai:gpt-6-luna "Write a commit message." < changes.diff
    """
    from ..messages import LLMMessage
    from ..registry import ProviderFactory
    from ..request import LLMRequest

    question = LLMMessage(role="user", content=_question(prompt))
    schema = None if schema_file is None else _schema(schema_file)
    choice = choose(provider, model)
    request = LLMRequest(
        messages=[question],
        model=choice.model,
        system_prompt=system,
        temperature=temperature,
        max_tokens=max_tokens,
        response_format=schema,
    )
    with ProviderFactory.create_provider(choice.provider) as chosen:
        if choice.reason and (verbose or choice.provider == EMBEDDED):
            note(f"{choice.provider} answers: {choice.reason}.")
        if as_json:
            response = chosen.complete(request)
            _write_whole(json.dumps(_facts(response), ensure_ascii=False, default=str))
        elif no_stream:
            response = chosen.complete(request)
            _write_whole(response.content)
        else:
            response = _stream(chosen, request)
    if response.finish_reason in {"length", "content_filter", "error"}:
        note(f"The answer ended early: {response.finish_reason}.")
    if verbose:
        note(_account(response))


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


def _stream(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    """Print the answer as it comes, and return all of it. Whatever ends it, the last line is ended too."""
    from ..provider import stream_chunks
    from ..response import merge_chunks

    chunks = []
    written = ""
    try:
        for chunk in stream_chunks(provider, request):
            chunks.append(chunk)
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
