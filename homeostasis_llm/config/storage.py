"""Keep the settings file: read it when it has changed, and change it whole or not at all.

Reading takes no lock, for a file is only ever replaced by another whole one. Who changes it holds a lock between
processes from before reading until after replacing, so no change is lost to another.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError, LLMError
from .errors import ConfigError
from .reading import Problem, understand
from .settings import Settings

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

LOCK_SECONDS = 10.0
"""How long others may be busy with the file before a change gives up."""

_SETTLED = 2_000_000_000
"""Nanoseconds. A file that was written less long ago may be written again without getting another time or size: file
systems count time in steps, FAT in those of two seconds."""

_Stamp = tuple[int, int, int]
_cache: dict[str, tuple[_Stamp, Settings]] = {}


def config_path(config_dir: str | os.PathLike[str] | None = None) -> Path:
    """The settings file: `config.toml` in `config_dir`, else what `HOMEOSTASIS_CONFIG` names, else the user's own.

    Neither the file nor its directory need exist.
    """
    if config_dir is not None:
        return _expanded(config_dir) / "config.toml"
    if named := os.environ.get("HOMEOSTASIS_CONFIG", "").strip():
        return _expanded(named)
    from platformdirs import user_config_path

    try:
        folder = user_config_path("homeostasis-llm", appauthor=False)
    except RuntimeError:  # an account without a home: it has no file, and may well need none
        folder = Path("~/.config/homeostasis-llm")
    return folder / "config.toml"


def load_settings(path: str | os.PathLike[str] | None = None) -> Settings:
    """The settings in that file, `config_path()` by default; without the file, the defaults.

    Creates nothing. Raises `ConfigError` for a file that cannot be read or is wrong.
    """
    place = config_path() if path is None else _expanded(path)
    with _told(place, "read"):
        found = _read(place)
    if not isinstance(found, Settings):
        raise _wrong(place, found)
    # A copy: whoever changes a mapping in it changes nobody else's settings.
    return found.model_copy(deep=True)


def change_settings(path: str | os.PathLike[str] | None, edit: Callable[[TOMLDocument], object]) -> Settings:
    """Have `edit` change the file at `path`, `config_path()` where it is None, and return what it then says.

    Comments and order stay. A missing file is created, for its owner alone, and so are missing directories. Raises
    `InvalidRequestError` where `edit` sets what is not allowed, and `ConfigError` where the file was wrong before or
    cannot be changed; the file is then as it was.
    """
    place = config_path() if path is None else _expanded(path)
    with _told(place, "changed"):
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
            outcome = _change(target, place, edit)
    if isinstance(outcome, LLMError):
        raise outcome
    return outcome


def _expanded(path: str | os.PathLike[str]) -> Path:
    # Unlike Path's own, this leaves alone the `~` of an account without a home.
    return Path(os.path.expanduser(path))  # noqa: PTH111  # see above


def _read(place: Path) -> Settings | list[Problem]:
    try:
        with place.open("rb") as file:
            status = os.fstat(file.fileno())
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            cached = _cache.get(str(place))
            if cached is not None and cached[0] == stamp:
                return cached[1]
            found = understand(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    if isinstance(found, Settings) and time.time_ns() - status.st_mtime_ns > _SETTLED:
        _cache[str(place)] = (stamp, found)
    return found


def _change(target: Path, place: Path, edit: Callable[[TOMLDocument], object]) -> Settings | LLMError:
    """What the file then says, or the error to raise, whose traceback shall not hold what is in the file."""
    before = _bytes_of(target)
    then = understand(before)
    if isinstance(then, list):
        return _wrong(place, then)
    after = _edited(before.decode("utf-8-sig"), edit)
    if after is None:
        return ConfigError(
            f"{place}: cannot be changed without damage, as may be where dotted keys stand for tables; use an editor",
            path=str(place),
        )
    now = understand(after)
    if isinstance(now, list):
        return InvalidRequestError("; ".join(map(str, now)))
    if after != before:
        _replace(target, after)
    return now


def _edited(text: str, edit: Callable[[TOMLDocument], object]) -> bytes | None:
    """The file as `edit` leaves it; None where tomlkit cannot write what it has read."""
    import tomllib

    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text.replace("\r\n", "\n"))
    except TOMLKitError:
        return None
    edit(document)
    written = tomlkit.dumps(document)
    try:
        # tomlkit loses its way in some files, such as those that add to a table of dotted keys.
        if _without_empty(tomllib.loads(written)) != _without_empty(document.unwrap()):
            return None
    except tomllib.TOMLDecodeError:
        return None
    return (written.replace("\n", "\r\n") if "\r\n" in text else written).encode()


def _without_empty(table: Mapping[str, Any]) -> dict[str, Any]:
    """`table` without tables that say nothing: of dotted keys that are gone, nothing is left to write."""
    kept = {key: _without_empty(found) if isinstance(found, dict) else found for key, found in table.items()}
    return {key: found for key, found in kept.items() if found != {}}


def _is_special(target: Path) -> bool:
    """Whether it is there and is no ordinary file: /dev/null would become one."""
    try:
        return not stat.S_ISREG(target.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _bytes_of(target: Path) -> bytes:
    try:
        return target.read_bytes()
    except FileNotFoundError:
        return b""


def _replace(target: Path, content: bytes) -> None:
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


@contextlib.contextmanager
def _told(place: Path, what: str) -> Iterator[None]:
    """Turn an error of the operating system into ours."""
    failure: ConfigError | None = None
    try:
        yield
    except OSError as error:
        kept = "" if what == "read" else "; it is as it was"
        failure = ConfigError(f"{place}: cannot be {what}: {error.strerror or error}{kept}", path=str(place))
        failure.with_cause(error)
    if failure is not None:
        raise failure


def _wrong(place: Path, problems: list[Problem]) -> ConfigError:
    lines = [f"{place}{f', line {found.line}' if found.line else ''}: {found}" for found in problems]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    first = problems[0]
    return ConfigError(
        f"{lines[0]}{more}", path=str(place), line=first.line, key=first.key or None, problems=tuple(lines)
    )
