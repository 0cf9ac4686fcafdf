"""Keep health in a file, for all processes of one machine, and across their ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ..database import Database
from ..health import UNTRIED, Health
from ..target import Target
from .base import Change
from .shared import SharedStore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS health
    (provider TEXT, model TEXT, key TEXT, health TEXT NOT NULL, PRIMARY KEY (provider, model, key))
"""


class FileStore(SharedStore):
    """A `HealthStore` in an SQLite file, which is made with its folder. One that cannot be used is done without."""

    def __init__(self, path: str | os.PathLike[str], clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds, to look and write as often as `SharedStore` says."""
        super().__init__(_File(Path(path)), clock)


class _File:
    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = Database(path, _SCHEMA)
        self._seen: tuple[int, int] | None = None

    def check(self) -> None:
        # Taking the right to write is what fails where reading still works.
        with self._file.connected(writing=True):
            pass

    def read_all(self) -> dict[Target, Health] | None:
        with self._file.connected() as connection:
            version = self._file.version(connection)
            if version == self._seen:
                return None
            rows = connection.execute("SELECT provider, model, key, health FROM health").fetchall()
        self._seen = version
        return {Target(*names): Health.read(text) for *names, text in rows}

    def update(self, target: Target, change: Change) -> Health:
        names = (target.provider, target.model, target.key)
        with self._file.connected(writing=True) as connection:
            row = connection.execute(
                "SELECT health FROM health WHERE provider = ? AND model = ? AND key = ?", names
            ).fetchone()
            health = change(Health.read(row[0]) if row else UNTRIED)
            connection.execute("INSERT OR REPLACE INTO health VALUES (?, ?, ?, ?)", (*names, health.to_json()))
            return health

    def clear(self, provider: str | None) -> None:
        with self._file.connected(writing=True) as connection:
            connection.execute("DELETE FROM health WHERE ?1 IS NULL OR provider = ?1", (provider,))

    def close(self) -> None:
        self._file.close()
