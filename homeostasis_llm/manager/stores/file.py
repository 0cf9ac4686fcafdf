"""Keep health in a file, for all processes of one machine, and across their ends."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..health import UNTRIED, Health
from ..target import Target
from .base import Change
from .shared import SharedStore, UnreachableError

_PATIENCE = 0.5
"""Seconds to wait for another process that writes."""


class FileStore(SharedStore):
    """A `HealthStore` in an SQLite file, which is made with its folder. One that cannot be used is done without."""

    def __init__(self, path: str | os.PathLike[str], clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds, to look and write as often as `SharedStore` says."""
        super().__init__(_File(Path(path)), clock)


class _File:
    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int, int] = (0, 0, 0)
        """By which process, and which file: device and number."""
        self._seen: int | None = None
        """SQLite's count of others' writings when they were last read."""
        self._of_the_parent: list[sqlite3.Connection] = []

    def check(self) -> None:
        with self._connected() as connection:
            # Taking the right to write is what fails where reading still works.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")

    def read_all(self) -> dict[Target, Health] | None:
        with self._connected() as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version == self._seen:
                return None
            rows = connection.execute("SELECT provider, model, key, health FROM health").fetchall()
            self._seen = version
            return {Target(*names): Health.read(text) for *names, text in rows}

    def update(self, target: Target, change: Change) -> Health:
        names = (target.provider, target.model, target.key)
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(
                "SELECT health FROM health WHERE provider = ? AND model = ? AND key = ?", names
            ).fetchone()
            health = change(Health.read(row[0]) if row else UNTRIED)
            connection.execute("INSERT OR REPLACE INTO health VALUES (?, ?, ?, ?)", (*names, health.to_json()))
            connection.execute("COMMIT")
            return health

    def clear(self, provider: str | None) -> None:
        with self._connected() as connection:
            connection.execute("DELETE FROM health WHERE ?1 IS NULL OR provider = ?1", (provider,))

    def close(self) -> None:
        if self._connection is not None and self._opened[0] == os.getpid():
            self._connection.close()
        self._connection = None

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The connection, with nothing half done afterwards."""
        try:
            connection = self._connection if self._is_ours() else None
            connection = self._open() if connection is None else connection
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:  # locked, full, read-only
            raise UnreachableError(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise UnreachableError(f"{error}; delete the file to start afresh") from error
        except OSError as error:
            raise UnreachableError(error.strerror or str(error)) from error

    def _is_ours(self) -> bool:
        """Whether the connection was opened by this process, to the file that is there now."""
        if self._connection is None:
            return False
        if self._opened[0] != os.getpid():
            # SQLite forbids a forked child to use its parent's connection, or to close it.
            self._of_the_parent.append(self._connection)
            return False
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        if there is not None and self._opened[1:] == (there.st_dev, there.st_ino):
            return True
        self._connection.close()
        return False

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)  # a provider's messages are nobody else's business
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
            there = self._path.stat()
        except BaseException:
            connection.close()
            raise
        self._connection, self._seen = connection, None
        self._opened = (os.getpid(), there.st_dev, there.st_ino)
        return connection


def _prepare(connection: sqlite3.Connection) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # without it each writing waits for the disk
            break
        except sqlite3.OperationalError as error:
            # Where two processes make the file at once, SQLite refuses one of them without its usual patience.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS health"
        " (provider TEXT, model TEXT, key TEXT, health TEXT NOT NULL, PRIMARY KEY (provider, model, key))"
    )
