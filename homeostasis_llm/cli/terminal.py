"""Read from and write to the terminal: one place for streams, failures and interruptions."""

from __future__ import annotations

import contextlib
import io
import sys
import unicodedata
from typing import Any

import click

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the signal's number."""


class Program(click.Group):
    """A group whose commands fail in one line where the user can do something about it; bugs keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # What a model says need not fit the terminal's encoding, and that is no reason to stop.
                stream.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except _our_errors() as error:
            raise click.ClickException(one_line(str(error))) from error
        except KeyboardInterrupt:
            click.echo(err=True)  # after the ^C
            ctx.exit(INTERRUPTED)


def _our_errors() -> tuple[type[Exception], ...]:
    """`LLMError`, if anything was loaded that can raise it: help needs none of that."""
    errors = sys.modules.get(f"{__package__.rpartition('.')[0]}.errors")
    return () if errors is None else (errors.LLMError,)


def note(text: str) -> None:
    """Tell the user something that is not the result."""
    click.echo(one_line(text), err=True)


def one_line(text: str) -> str:
    """`text` without line breaks and without anything a terminal would act on."""
    return " ".join(_printable(text).split())


def write_answer(text: str) -> None:
    """Write a piece of an answer at once. A terminal is given nothing to act on: models repeat what they read."""
    if sys.stdout is None:  # closed by whoever started us
        return
    # Not click.echo, which takes colors out of what goes into a pipe: there the answer arrives as it is.
    sys.stdout.write(_printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _printable(text: str) -> str:
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) != "Cc")


def piped_text() -> str | None:
    """What was piped in, None where standard input is a terminal, closed or empty. Raises `ClickException`."""
    if sys.stdin is None or sys.stdin.isatty():
        return None
    return standard_input() or None


def standard_input() -> str:
    """Standard input to its end. Raises `ClickException` for what is no text."""
    raw = b"" if sys.stdin is None else sys.stdin.buffer.read()
    return as_text(raw, "Standard input")


def as_text(raw: bytes, name: str) -> str:
    """`raw` as UTF-8. Raises `ClickException`, naming it by `name`, where it is none or holds what no text does."""
    with contextlib.suppress(UnicodeDecodeError):
        if "\0" not in (text := raw.decode("utf-8-sig")):
            return text
    raise click.ClickException(f"{name} is no UTF-8 text.")


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as what stands in them, two spaces apart."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows))
    return "\n".join(line.rstrip() for line in lines)
