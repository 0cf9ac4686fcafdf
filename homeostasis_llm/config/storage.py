"""Keep the settings file: read it when it has changed, and change it whole or not at all.

Reading takes no lock, for a file is only ever replaced by another whole one. Who changes it is alone from before
reading until after replacing, so no change is lost to another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError, LLMError
from ..places import place_of
from .errors import ConfigError
from .files import changing, content_of, replace, told
from .problems import Problem
from .reading import understand
from .settings import Settings

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_SETTLED = 2_000_000_000
"""Nanoseconds. A file that was written less long ago may be written again without getting another time or size: file
systems count time in steps, FAT in those of two seconds."""

_Stamp = tuple[int, int, int]
_cache: dict[str, tuple[_Stamp, Settings]] = {}


def load_settings(path: str | os.PathLike[str] | None = None) -> Settings:
    """The settings in that file, `config_path()` by default; without the file, the defaults.

    Creates nothing. Raises `ConfigError` for a file that cannot be read or is wrong. A wrong row is left out, and in
    `Settings.broken`: it is of no matter to others.
    """
    place = place_of(path)
    with told(place, "read"):
        found = _read(place)
    if not isinstance(found, Settings):
        raise wrong(place, found)
    # A copy: whoever changes a mapping in it changes nobody else's settings.
    return found.model_copy(deep=True)


def change_settings(path: str | os.PathLike[str] | None, edit: Callable[[TOMLDocument], object]) -> Settings:
    """Have `edit` change the file at `path`, `config_path()` where it is None, and return what it then says.

    Comments and order stay. A missing file is created, for its owner alone, and so are missing directories. Raises
    `InvalidRequestError` where `edit` sets what is not allowed, and `ConfigError` where the file was wrong before or
    cannot be changed; the file is then as it was.
    """
    place = place_of(path)
    with changing(place) as target:
        outcome = _change(target, place, edit)
    if isinstance(outcome, LLMError):
        raise outcome
    return outcome


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
    before = content_of(target)
    then = understand(before)
    if isinstance(then, list):
        return wrong(place, then)
    after = _edited(before.decode("utf-8-sig"), edit)
    if after is None:
        return ConfigError(
            f"{place}: cannot be changed without damage, as may be where dotted keys stand for tables; use an editor",
            path=str(place),
        )
    now = understand(after)
    refused = now if isinstance(now, list) else _newly_broken(then, now)
    if refused or isinstance(now, list):
        return InvalidRequestError("; ".join(map(str, refused)))
    if after != before:
        replace(target, after)
    return now


def _newly_broken(before: Settings, after: Settings) -> list[Problem]:
    """What is wrong with rows that were right, or were not there, before."""
    return [problem for name, found in after.broken.items() if name not in before.broken for problem in found]


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


def wrong_rows(settings: Settings, path: str | os.PathLike[str] | None = None) -> ConfigError | None:
    """What is wrong with rows of the file at `path` that `settings` are of; None where nothing is."""
    problems = sorted((one for found in settings.broken.values() for one in found), key=lambda one: one.line or 0)
    return wrong(place_of(path), problems) if problems else None


def wrong(place: Path, problems: Sequence[Problem]) -> ConfigError:
    """The error of a file with these problems."""
    lines = [f"{place}{f', line {found.line}' if found.line else ''}: {found}" for found in problems]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    first = problems[0]
    return ConfigError(
        f"{lines[0]}{more}", path=str(place), line=first.line, key=first.key or None, problems=tuple(lines)
    )
