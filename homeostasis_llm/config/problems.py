"""One thing that is wrong with a settings file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file."""

    line: int | None
    key: str
    """What is set there, dots between the tables; empty where it is the file itself."""
    text: str
    provider: str | None = None
    """The provider, as the file spells it, that a row was to make: nothing but that row is wrong."""

    def __str__(self) -> str:
        return f"{self.key}: {self.text}" if self.key else self.text
