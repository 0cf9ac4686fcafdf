"""The value that says how one thing is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It may be meant; if something does not work, look here."""
    FAIL = "fail"
    """Something does not work, or must not stay as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Holds no secret."""

    topic: str
    """In a word or two, as in `keyring`."""
    state: State
    found: str
    """How it is, for people."""
    advice: str = ""
    """What to do, in one sentence; empty where there is nothing to do."""
