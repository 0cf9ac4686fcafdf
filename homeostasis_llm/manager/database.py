"""Open an SQLite file that several processes use; again after a fork, and where the file was deleted or replaced."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .reach import UnreachableError

_PATIENCE = 0.5
"""Seconds to wait for another process that writes."""


class Database:
    """One file, which is made with its folder. Not for several threads at once."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int, int] = (0, 0, 0)
        """By which process, and which file: device and number."""
        self._closing: weakref.finalize[[sqlite3.Connection, int], Database] | None = None
        self._of_the_parent: list[sqlite3.Connection] = []
        self._openings = 0

    @contextmanager
    def connected(self, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection; with `writing` in a transaction, which counts only if all of it went well.

        Raises `UnreachableError` for a file that cannot be used.
        """
        try:
            connection = self._connection if self._is_ours() else None
            connection = self._open() if connection is None else connection
            try:
                if writing:
                    connection.execute("BEGIN IMMEDIATE")
                yield connection
                if writing:
                    connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:  # locked, full, read-only
            raise UnreachableError(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise UnreachableError(f"{error}; delete the file to start afresh") from error
        except OSError as error:
            raise UnreachableError(error.strerror or str(error)) from error

    def version(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """What is another one as soon as others have written, or the file was opened anew."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        return self._openings, version

    def close(self) -> None:
        """Close it; it is opened again when needed."""
        if self._closing is not None:
            self._closing()
        self._connection = None

    def _is_ours(self) -> bool:
        """Whether the connection was opened by this process, to the file that is there now."""
        if self._connection is None:
            return False
        if self._opened[0] != os.getpid():
            # SQLite forbids a forked child to use its parent's connection, or to close it.
            self._of_the_parent.append(self._connection)
            return False
        try:
            there = self.path.stat()
        except FileNotFoundError:
            there = None
        if there is not None and self._opened[1:] == (there.st_dev, there.st_ino):
            return True
        self.close()
        return False

    def _open(self) -> sqlite3.Connection:
        self._connection = None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)  # nobody else's business
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            _write_ahead(connection)
            connection.execute(self._schema)
            there = self.path.stat()
        except BaseException:
            connection.close()
            raise
        # Not every program closes what it has asked with.
        self._closing = weakref.finalize(self, _close, connection, os.getpid())
        self._connection = connection
        self._openings += 1
        self._opened = (os.getpid(), there.st_dev, there.st_ino)
        return connection


def _close(connection: sqlite3.Connection, process: int) -> None:
    # SQLite forbids a forked child to close what its parent has opened.
    if os.getpid() == process:
        connection.close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Without this, each writing waits for the disk."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            # Where two processes make the file at once, SQLite refuses one of them without its usual patience.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
    connection.execute("PRAGMA synchronous = NORMAL")
