"""Keep amounts where other processes find them: in an SQLite file, or in a Redis."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..database import Database
from ..redis import PREFIX, open_redis, reached, shown
from .amounts import Entry, Spent

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spending (
    day TEXT, provider TEXT, model TEXT,
    dollars REAL NOT NULL, calls INTEGER NOT NULL, unpriced_calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, provider, model)
)
"""

_ADD = """
INSERT INTO spending VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    dollars = dollars + excluded.dollars, calls = calls + excluded.calls,
    unpriced_calls = unpriced_calls + excluded.unpriced_calls,
    input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens
"""

_COUNTS = ("calls", "unpriced_calls", "input_tokens", "output_tokens")

_NUMBERS: dict[str, Callable[[Any], float]] = {"dollars": float, **dict.fromkeys(_COUNTS, int)}

_KEPT = 400 * 86_400
"""Seconds for which a Redis keeps a month: so that the same month of the last year is there to compare with."""


class FilePlace:
    """An SQLite file, for all processes of one machine. It is made with its folder when it is used."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self._file = Database(Path(path), _SCHEMA)
        self._seen: tuple[int, int] | None = None

    def check(self) -> None:
        """Whether it can be written."""
        with self._file.connected(writing=True):
            pass

    def add(self, amounts: dict[Entry, Spent]) -> None:
        """Add all of it, or nothing."""
        with self._file.connected(writing=True) as connection:
            connection.executemany(
                _ADD,
                [
                    (entry.day, entry.provider, entry.model, spent.dollars, *(getattr(spent, name) for name in _COUNTS))
                    for entry, spent in amounts.items()
                ],
            )

    def read(self, month: str, *, anew: bool) -> dict[Entry, Spent] | None:
        """What is there of `month`."""
        with self._file.connected() as connection:
            version = self._file.version(connection)
            if version == self._seen and not anew:
                return None
            rows = connection.execute(
                f"SELECT day, provider, model, dollars, {', '.join(_COUNTS)} FROM spending"  # noqa: S608  # our own names
                " WHERE day BETWEEN ? AND ?",
                (f"{month}-01", f"{month}-31"),
            ).fetchall()
        self._seen = version
        return {Entry(*row[:3]): Spent(*row[3:]) for row in rows}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class RedisPlace:
    """A Redis, for any number of machines: a hash for each month, with a field for each number."""

    def __init__(self, url: str) -> None:
        """`url` as in `open_redis`, which says what this raises. Nothing is connected yet."""
        self._client = open_redis(url, "spending")
        self.name = shown(url)

    def check(self) -> None:
        """Whether it answers."""
        with reached():
            self._client.ping()

    def add(self, amounts: dict[Entry, Spent]) -> None:
        """Add all of it, or nothing. An answer that got lost makes it be added once more: too much rather than less."""
        with reached(), self._client.pipeline(transaction=True) as pipeline:
            for entry, spent in amounts.items():
                key = _key(entry.month)
                pipeline.hincrbyfloat(key, _field(entry, "dollars"), spent.dollars)
                for name in _COUNTS:
                    if count := getattr(spent, name):
                        pipeline.hincrby(key, _field(entry, name), count)
                pipeline.expire(key, _KEPT)
            pipeline.execute()

    def read(self, month: str, *, anew: bool) -> dict[Entry, Spent]:  # noqa: ARG002  # it does not know who wrote
        """What is there of `month`."""
        with reached():
            found = self._client.hgetall(_key(month))
        numbers: dict[Entry, dict[str, Any]] = {}
        for field, number in found.items():
            match json.loads(field):
                case [str() as day, str() as provider, str() as model, str() as name] if name in _NUMBERS:
                    numbers.setdefault(Entry(day, provider, model), {})[name] = _NUMBERS[name](number)
        return {entry: Spent(**named) for entry, named in numbers.items()}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _key(month: str) -> str:
    return f"{PREFIX}:spending:{month}"


def _field(entry: Entry, name: str) -> str:
    return json.dumps([entry.day, entry.provider, entry.model, name])
