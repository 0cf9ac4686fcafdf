"""Find the line of a TOML text that sets a key.

tomllib tells no positions, so it is asked: the first lines of the file, as far as they make a whole document, either
set the key already or do not yet. That is right for whatever way of writing TOML allows, at the price of some parsing,
which is only paid for an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line, from 1, where what `path` names begins; for a table its first mention. None where nothing sets it."""
    lines = text.replace("\r\n", "\n").split("\n")
    low, high = 0, len(lines)
    if not _sets(_whole(lines, high)[1], path):
        return None
    while high - low > 1:  # the first `high` lines set it, the first `low` do not
        middle = (low + high) // 2
        if _sets(_whole(lines, middle)[1], path):
            high = middle
        else:
            low = middle
    return _whole(lines, high - 1)[0] + 1


def _whole(lines: Sequence[str], count: int) -> tuple[int, Mapping[str, Any]]:
    """As many of the first `count` lines as make a whole document, and that document."""
    for taken in range(count, 0, -1):  # a value of several lines makes none before its last
        try:
            return taken, tomllib.loads("\n".join(lines[:taken]))
        except tomllib.TOMLDecodeError:
            continue
    return 0, {}


def _sets(found: Any, path: Sequence[str]) -> bool:
    for step in path:
        if not isinstance(found, Mapping) or step not in found:
            return False
        found = found[step]
    return True
