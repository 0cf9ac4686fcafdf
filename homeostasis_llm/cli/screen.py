"""Show tables and progress: drawn where somebody looks at a terminal, plain and stable where a program reads.

rich is imported for terminals alone.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

import click

from .terminal import one_line, table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = tuple[str, ...]

_COLORS = {
    "ok": "green",
    "closed": "green",
    "verified": "green",
    "warn": "yellow",
    "no_permission": "yellow",
    "no_credit": "yellow",
    "rate_limited": "yellow",
    "unreachable": "yellow",
    "provider_down": "yellow",
    "could_not_tell": "yellow",
    "half_open": "yellow",
    "resting": "yellow",
    "fail": "red",
    "open": "red",
    "rejected": "red",
    "wrong_provider": "red",
    "expired": "red",
    "malformed": "red",
    "no_key": "red",
    "broken": "red",
}


def show_table(header: Row, rows: Sequence[Row]) -> None:
    """Print a table."""
    rows = [tuple(map(one_line, row)) for row in rows]
    if is_terminal(sys.stdout):
        _console(sys.stdout).print(_drawn(header, rows))
    else:
        click.echo(table(header, rows))


class Progress:
    """A table that fills. On a terminal it is there from the beginning, and says how far things are."""

    def __init__(self, header: Row, names: Sequence[str]) -> None:
        """`names` are the first cells of the rows."""
        self._header = header
        self._rows: dict[str, Row | None] = dict.fromkeys(names)

    def put(self, row: Row) -> None:
        """Fill the row whose first cell is that of `row`."""
        self._rows[row[0]] = tuple(map(one_line, row))

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show it while it fills, and leave it there when it is full."""
        if not is_terminal(sys.stdout):
            yield
            show_table(self._header, [row for row in self._rows.values() if row is not None])
            return
        from rich.live import Live

        with Live(console=_console(sys.stdout), get_renderable=self._as_it_is, refresh_per_second=10):
            yield

    def _as_it_is(self) -> Table:
        done = sum(row is not None for row in self._rows.values())
        blank = ("",) * (len(self._header) - 2)
        rows = [(name, "asking ...", *blank) if row is None else row for name, row in self._rows.items()]
        drawn = _drawn(self._header, rows)
        if done < len(rows):
            drawn.caption = f"{done} of {len(rows)} have answered"
        return drawn


def watch_table(header: Row, rows: Callable[[], Sequence[Row]], *, every: float) -> None:
    """Draw a table on a terminal, and again each `every` seconds, until Ctrl-C."""
    from rich.live import Live

    def drawn() -> Table:
        return _drawn(header, [tuple(map(one_line, row)) for row in rows()])

    with Live(drawn(), console=_console(sys.stdout), auto_refresh=False) as live:
        while True:
            time.sleep(every)
            live.update(drawn(), refresh=True)


@contextlib.contextmanager
def waiting(text: str) -> Iterator[None]:
    """Say on a terminal what is being waited for, until it is over."""
    if not is_terminal(sys.stderr):
        yield
        return
    with _console(sys.stderr).status(one_line(text)):
        yield


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sits at the other end of that stream; it is None where it was closed from the beginning."""
    return stream is not None and stream.isatty()


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _drawn(header: Row, rows: Sequence[Row]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    *most, last = header
    for name in most:
        drawn.add_column(name, no_wrap=name in {"PROVIDER", "OUTCOME", "SECONDS", "STATE"}, overflow="fold")
    drawn.add_column(last, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell, style=_COLORS.get(cell, "")) for cell in row))
    return drawn
