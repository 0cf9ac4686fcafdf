"""Replace the whole text of the settings file by one that somebody wrote in an editor."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ConfigError
from .reading import understand
from .settings import Settings
from .storage import (
    _bytes_of,
    _expanded,
    _is_special,
    _locked,
    _make_directories,
    _replace,
    _told,
    _wrong,
    config_path,
)


def rewrite_settings(text: str, *, before: str, path: str | os.PathLike[str] | None = None) -> Settings:
    """Have the file at `path`, `config_path()` by default, say `text`, and return what that means.

    `before` is what the text was made from: where the file says something else by now, it stays as it is. Raises
    `ConfigError` for that, for a text that is wrong, and for a file that cannot be written.
    """
    place = config_path() if path is None else _expanded(path)
    content = text.encode()
    meant = understand(content)
    if not isinstance(meant, Settings):
        raise _wrong(place, meant)
    with _told(place, "changed"):
        target = Path(os.path.realpath(place))
        if _is_special(target):
            raise ConfigError(f"{place}: is no ordinary file, and so cannot be changed", path=str(place))
        _make_directories(target.parent)
        with _locked(target, place):
            changed = _bytes_of(target) != before.encode()
            if not changed:
                _replace(target, content)
    if changed:
        raise ConfigError(
            f"{place}: was changed by another program in the meantime, and is left as it is", path=str(place)
        )
    return meant


def settings_text(path: str | os.PathLike[str] | None = None) -> str:
    """What the file says; empty where there is none. Raises `ConfigError`."""
    place = config_path() if path is None else _expanded(path)
    with _told(place, "read"):
        try:
            return _bytes_of(place).decode()
        except UnicodeDecodeError:
            problem = "is not UTF-8; save it as UTF-8 text"
    raise ConfigError(f"{place}: {problem}", path=str(place))
