"""The exchanges with real providers that lie beside the repository, where they do."""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "wild"

needs_the_wild = pytest.mark.skipif(
    not FOLDER.is_dir(),
    reason="the recorded exchanges are not here: they belong beside the repository, in ../shared/wild",
)

Record = dict[str, Any]


@cache
def records() -> tuple[Record, ...]:
    """All of them; none where they are not there."""
    found: list[Record] = []
    for file in sorted(FOLDER.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    return tuple(found)


def providers() -> list[str]:
    """Whose exchanges there are."""
    return sorted({record["provider"] for record in records()})


def of(provider: str) -> list[Record]:
    """One provider's exchanges."""
    return [record for record in records() if record["provider"] == provider]


def body(record: Record) -> bytes:
    """The bytes of the answer."""
    text: str = record["body"]
    return base64.b64decode(text) if record["body_encoding"] == "base64" else text.encode()


def events(record: Record) -> list[Any]:
    """The JSON of each event of a stream of server-sent events."""
    lines = [line.removeprefix("data:").strip() for line in record["body"].splitlines() if line.startswith("data:")]
    return [json.loads(line) for line in lines if line.startswith("{")]
