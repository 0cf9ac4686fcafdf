"""Replace the whole text of the settings file by one that somebody wrote in an editor."""

from __future__ import annotations

import os

from ..places import place_of
from .errors import ConfigError
from .files import changing, content_of, replace, told
from .reading import understand
from .settings import Settings
from .storage import wrong


def rewrite_settings(text: str, *, before: str, path: str | os.PathLike[str] | None = None) -> Settings:
    """Have the file at `path`, `config_path()` by default, say `text`, and return what that means.

    `before` is what the text was made from: where the file says something else by now, it stays as it is. Raises
    `ConfigError` for that, for a text that is wrong, and for a file that cannot be written.
    """
    place = place_of(path)
    content = text.encode()
    meant = understand(content)
    if not isinstance(meant, Settings):
        raise wrong(place, meant)
    with changing(place) as target:
        changed = content_of(target) != before.encode()
        if not changed:
            replace(target, content)
    if changed:
        raise ConfigError(
            f"{place}: was changed by another program in the meantime, and is left as it is", path=str(place)
        )
    return meant


def settings_text(path: str | os.PathLike[str] | None = None) -> str:
    """What the file says; empty where there is none. Raises `ConfigError`."""
    place = place_of(path)
    with told(place, "read"):
        try:
            return content_of(place).decode()
        except UnicodeDecodeError:
            problem = "is not UTF-8; save it as UTF-8 text"
    raise ConfigError(f"{place}: {problem}", path=str(place))
