"""Put a whole file in the place of another: alone among processes, and on the disk before it is seen.

What the operating system refuses is told as a `ConfigError`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkstemp

from .errors import ConfigError

LOCK_SECONDS = 10.0
"""How long others may be busy with the file before a change gives up."""


@contextlib.contextmanager
def changing(place: Path) -> Iterator[Path]:
    """Be alone with the file at `place`, and have the directory it is to be in. Gives what is to be replaced.

    Raises `ConfigError` for what is no ordinary file, for an account without a home, where others are busy with the
    file for too long, and for errors of the operating system inside.
    """
    with told(place, "changed"):
        # A link stays a link: what it points to is replaced.
        target = Path(os.path.realpath(place))
        if _is_special(target):
            raise ConfigError(f"{place}: is no ordinary file, and so cannot be changed", path=str(place))
        if place.parts[:1] == ("~",):
            raise ConfigError(
                f"{place}: there is no home directory; name a file in HOMEOSTASIS_CONFIG", path=str(place)
            )
        _make_directories(target.parent)
        with _locked(target, place):
            yield target


@contextlib.contextmanager
def told(place: Path, what: str) -> Iterator[None]:
    """Turn an error of the operating system into ours; `what` was to be done, as in `read`."""
    failure: ConfigError | None = None
    try:
        yield
    except OSError as error:
        kept = "" if what == "read" else "; it is as it was"
        failure = ConfigError(f"{place}: cannot be {what}: {error.strerror or error}{kept}", path=str(place))
        failure.with_cause(error)
    if failure is not None:
        raise failure


def content_of(target: Path) -> bytes:
    """What is in the file; nothing where there is none."""
    try:
        return target.read_bytes()
    except FileNotFoundError:
        return b""


def replace(target: Path, content: bytes) -> None:
    """Put a new file in the place of `target`: whole, and on the disk before it is seen."""
    beginning = f".{target.name}."
    for left in target.parent.iterdir():
        # Who holds the lock is alone here: the process that made it was killed.
        if left.name.startswith(beginning) and left.suffix == ".tmp":
            with contextlib.suppress(OSError):  # it is in nobody's way
                left.unlink()
    handle, name = mkstemp(prefix=beginning, suffix=".tmp", dir=target.parent)  # with mode 0600
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _keep_owner(handle, target)
            file.write(content)
            file.flush()
            os.fsync(handle)
        made.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):  # what went wrong before is what matters
            made.unlink()
        raise
    _sync(target.parent)


def _is_special(target: Path) -> bool:
    """Whether it is there and is no ordinary file: /dev/null would become one."""
    try:
        return not stat.S_ISREG(target.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _keep_owner(handle: int, target: Path) -> None:
    """Leave the file to whom it belongs, when root changes it for them: with sudo, say."""
    if hasattr(os, "fchown") and os.geteuid() == 0 and target.exists():
        owner = target.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


def _sync(directory: Path) -> None:
    """Have the new name outlive a power failure, on file systems that can promise it."""
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # the change is made; some network file systems cannot do this
                os.fsync(handle)
        finally:
            os.close(handle)


def _make_directories(directory: Path) -> None:
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def _locked(target: Path, place: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(f"{target}.lock", timeout=LOCK_SECONDS, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(
            f"{place}: another program has been changing it for {LOCK_SECONDS:g} s; try again, or see who holds "
            f"{lock.lock_file}",
            path=str(place),
            retryable=True,
        ) from None
    try:
        yield
    finally:
        lock.release()
