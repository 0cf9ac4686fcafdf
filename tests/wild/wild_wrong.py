"""What of the recordings is known to be read wrong: by whose fault, and why."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("wild_wrong.toml")


@dataclass(frozen=True)
class Fault:
    """Recordings that are read wrong for one reason."""

    whose: str
    why: str
    about: frozenset[str]
    """What of the answer differs."""
    ids: frozenset[str]


def read_faults(table: Path = TABLE) -> list[Fault]:
    """The table's rows."""
    rows: list[dict[str, Any]] = tomllib.loads(table.read_text(encoding="utf-8"))["fault"]
    return [Fault(row["whose"], row["why"], frozenset(row["about"]), frozenset(row["ids"].split())) for row in rows]


def known_faults(faults: Collection[Fault]) -> dict[str, set[str]]:
    """What of each recording is read wrong, by its id."""
    return {record_id: set(about) for record_id, about in _pairs(faults)}


def _pairs(faults: Collection[Fault]) -> Iterator[tuple[str, frozenset[str]]]:
    for fault in faults:
        for record_id in fault.ids:
            yield record_id, fault.about
