"""Tell where the settings file is, before anything is imported that could read it."""

from __future__ import annotations

import os
from pathlib import Path


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


def place_of(path: str | os.PathLike[str] | None) -> Path:
    """The settings file that `path` stands for; for None, `config_path()`."""
    return config_path() if path is None else _expanded(path)


def _expanded(path: str | os.PathLike[str]) -> Path:
    """`path` with its `~` resolved, where there is a home."""
    # Unlike Path's own, this leaves alone the `~` of an account without a home.
    return Path(os.path.expanduser(path))  # noqa: PTH111  # see above
