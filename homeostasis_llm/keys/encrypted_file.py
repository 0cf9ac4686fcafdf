"""Keep keys in the encrypted file of keyrings.cryptfile, where a system has no keyring.

The encryption is all theirs. What is added: nobody is asked for the passphrase, the file is replaced whole or not at
all, and processes that write at once wait for each other; theirs empties the file first and fills it then.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from pydantic import SecretStr

from .errors import SourceTroubleError

BACKEND = "keyrings.cryptfile.cryptfile.CryptFileKeyring"
"""What `PYTHON_KEYRING_BACKEND` calls it."""

PASSPHRASE = "HOMEOSTASIS_KEYRING_PASSWORD"  # noqa: S105  # the variable's name
"""The environment variable that has the passphrase."""

_LOCK_SECONDS = 20.0
"""How long others may be busy with the file: deriving a key from the passphrase takes each a good part of a second."""

BUSY_SECONDS = 60.0
"""How long it may take beyond what a keyring may: it waits for nobody, but for a slow machine."""

_Stamp = tuple[int, int, int]

_given: SecretStr | None = None
_read: dict[tuple[Path, _Stamp, str, str], SecretStr] = {}
"""What was decrypted, for as long as the file is the same: each time would cost that good part of a second."""


def use_passphrase(passphrase: str | SecretStr | None) -> None:
    """Have this process use that passphrase instead of the environment's; None forgets it.

    For programs that have somebody to ask: this package never does.
    """
    global _given  # noqa: PLW0603  # one for the process, as the environment's is
    _given = SecretStr(passphrase) if isinstance(passphrase, str) else passphrase
    _read.clear()


class EncryptedFile:
    """The file, with the methods that keyring's backends have. They raise `SourceTroubleError`."""

    def __init__(self, backend: Any) -> None:
        """`backend` is a `CryptFileKeyring`, which says where the file is and is itself left alone."""
        self._kind: Callable[[], Any] = type(backend)
        self.path = Path(os.path.realpath(backend.file_path))
        self.busy = False
        """Whether it is at work now."""

    @property
    def exists(self) -> bool:
        """Whether there is one already; storing the first key makes it."""
        return self.path.exists()

    @property
    def has_passphrase(self) -> bool:
        """Whether one was given, right or wrong."""
        return _passphrase() is not None

    def get_password(self, service: str, user: str) -> str | None:
        """What the file has for that user. Without a passphrase, it can still be said that it has nothing."""
        with self._told("read"):
            if not self._names(service, user):
                return None
            place = (self.path, self._stamp(), service, user)
            if place not in _read:
                found = self._opened(self.path, self._passphrase()).get_password(service, user)
                if found is None:
                    return None
                _read[place] = SecretStr(found)
            return _read[place].get_secret_value()

    def set_password(self, service: str, user: str, secret: str) -> None:
        """Put it into the file, which is made where there is none, for its owner alone."""
        self._change(lambda ring: ring.set_password(service, user, secret))

    def delete_password(self, service: str, user: str) -> None:
        """Take it out of the file."""
        self._change(lambda ring: ring.delete_password(service, user))

    def _names(self, service: str, user: str) -> bool:
        from keyrings.cryptfile.escape import escape

        try:
            written = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        except ValueError:
            written = "is no text"
        config = configparser.RawConfigParser()
        try:
            config.read_string(written)
        except configparser.Error:
            damaged = True
        else:
            damaged = False
        if damaged:
            raise SourceTroubleError(f"{self} is damaged")
        return config.has_option(escape(service), escape(user))

    def _passphrase(self) -> SecretStr:
        passphrase = _passphrase()
        if passphrase is None:
            raise SourceTroubleError(f"{self} needs its passphrase: set {PASSPHRASE}")
        return passphrase

    def _opened(self, path: Path, passphrase: SecretStr) -> Any:
        """The backend over the file at `path`, which the passphrase opens, or begins."""
        ring = self._kind()
        ring.file_path = str(path)
        try:
            ring.keyring_key = passphrase.get_secret_value()
        except (ValueError, AssertionError):
            ring = None
        if ring is None:
            raise SourceTroubleError(f"the passphrase for {self} is wrong; see {PASSPHRASE}")
        return ring

    def _change(self, change: Callable[[Any], None]) -> None:
        passphrase = self._passphrase()
        with self._told("written"):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.path):
                self._sweep()
                handle, name = mkstemp(prefix=f".{self.path.name}.", suffix=".tmp", dir=self.path.parent)  # mode 0600
                os.close(handle)
                made = Path(name)
                try:
                    if self.path.exists():
                        shutil.copyfile(self.path, made)
                    change(self._opened(made, passphrase))
                    _onto_the_disk(made)
                    made.replace(self.path)
                finally:
                    made.unlink(missing_ok=True)
                _read.clear()

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn an error of the operating system into ours."""
        self.busy = True
        try:
            yield
        except OSError as error:
            problem = error.strerror or type(error).__name__
        else:
            return
        finally:
            self.busy = False
        raise SourceTroubleError(f"{self} cannot be {what}: {problem}")

    def _sweep(self) -> None:
        """Remove what a process left that was killed: who holds the lock is alone here."""
        for left in self.path.parent.glob(f".{self.path.name}.*.tmp"):
            left.unlink(missing_ok=True)

    def _stamp(self) -> _Stamp:
        status = self.path.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino

    def __str__(self) -> str:
        return f"the encrypted file {self.path}"


def _passphrase() -> SecretStr | None:
    found = _given or SecretStr(os.environ.get(PASSPHRASE, ""))
    return found if found.get_secret_value().strip() else None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock", timeout=_LOCK_SECONDS, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        busy = True
    else:
        busy = False
    if busy:
        raise SourceTroubleError(f"another program has been changing {path} for {_LOCK_SECONDS:g} s")
    try:
        yield
    finally:
        lock.release()


def _onto_the_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
