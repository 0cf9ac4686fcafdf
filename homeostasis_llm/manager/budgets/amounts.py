"""Say what is kept of spending: an amount for each day, provider and model; days and months are those of UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

Period = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an amount belongs."""

    day: str
    """As in `2026-08-31`."""
    provider: str
    model: str

    @property
    def month(self) -> str:
        """As in `2026-08`."""
        return self.day[:7]


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls have cost and used."""

    dollars: float = 0.0
    """US dollars, of the calls whose price is known."""
    calls: int = 0
    """Answered calls, those of unknown price included."""
    unpriced_calls: int = 0
    """Calls that have cost nobody knows what."""
    input_tokens: int = 0
    """Tokens read, where the provider counted them; so are those written."""
    output_tokens: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.dollars + other.dollars,
            self.calls + other.calls,
            self.unpriced_calls + other.unpriced_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


NOTHING = Spent()


class Place(Protocol):
    """Where processes share what they spend. A method may raise `UnreachableError`; one is called at a time."""

    name: str
    """For people; without a password."""

    def check(self) -> None:
        """Whether it can be reached."""

    def add(self, amounts: dict[Entry, Spent]) -> None:
        """Add all of it to what is there, or nothing."""

    def read(self, month: str, *, anew: bool) -> dict[Entry, Spent] | None:
        """What is there of that month; without `anew` None where nobody else has written since the last time."""

    def close(self) -> None:
        """Give back connections; they are made again when needed."""


def day_of(now: float) -> str:
    """The day of a wall-clock time in seconds, as in `2026-08-31`."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def end_of(period: Period, now: float) -> float:
    """The wall-clock time at which the day or the month of `now` ends."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return (today + timedelta(days=1)).timestamp()
    return (today.replace(day=1) + timedelta(days=32)).replace(day=1).timestamp()
