"""Let other processes see that a key was stored or removed, so that whoever keeps keys at hand looks again."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path

_here = itertools.count(1)
_changes = 0


def mark_changed() -> None:
    """Say that a key was stored or removed, to this process and to the user's others."""
    global _changes  # noqa: PLW0603  # the only thing that all parts of one process are to see at once
    _changes = next(_here)
    # Where nothing can be written, others notice when what they keep at hand grows old.
    with contextlib.suppress(OSError, RuntimeError):
        path = _path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        os.utime(path)


def last_change() -> tuple[int, int]:
    """A pair that is another one after each change."""
    try:
        return _changes, _path().stat().st_mtime_ns
    except (OSError, RuntimeError):  # no key was ever stored here, or there is no home
        return _changes, 0


def _path() -> Path:
    from platformdirs import user_state_path

    return user_state_path("homeostasis-llm", appauthor=False) / "keys-changed"
