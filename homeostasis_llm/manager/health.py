"""Hold what is known of one target's health: a value, with JSON both ways. What changes it is in `breaker.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from pydantic import TypeAdapter

from ..errors import LLMError
from ..redaction import redact

if TYPE_CHECKING:
    from .breaker import BreakerConfig

State = Literal["closed", "open", "half_open"]
"""`closed` lets calls through, `open` none; in `half_open` one call, the probe, finds out whether it may close."""

_SLICES = 10
"""Into how many slices the window is cut: it slides by a tenth of itself."""

_SMOOTHING = 0.2
"""How much the newest of the averaged times weighs; after ten more it has a tenth of that left."""

_TIMES_KEPT = 50
_TIMES_NEEDED = 5
"""Of fewer, a 95th percentile would only be the slowest."""

_LONGEST_MESSAGE = 300
"""Characters of an error's message that are kept."""


class Slice(NamedTuple):
    """How the calls ended that were settled in one part of the window."""

    start: float
    """Wall clock, seconds."""
    successes: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class LastError:
    """The newest failure that counted."""

    kind: str
    """A word of `ErrorType`, or one of a provider's author."""
    message: str
    """One line, without keys."""
    at: float
    """Wall clock, seconds."""

    @classmethod
    def of(cls, error: LLMError, now: float) -> Self:
        # Redacted again, for it is written down: a key may have become known after the error was made.
        line = " ".join(redact(error.message).split())
        return cls(str(error.error_type), line[:_LONGEST_MESSAGE], now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of one target. All times of day are wall clock, as other processes read them too."""

    state: State = "closed"
    turn: int = 0
    """How often the breaker has opened and closed. A call that ends in a later turn than it began in says nothing."""
    probe: str | None = None
    """The ticket of the probe that is under way, in `half_open` and only there."""
    retry_at: float | None = None
    """When the next probe may go; None while closed."""
    changed_at: float = 0.0
    """When any of the above was changed last."""
    consecutive_failures: int = 0
    """Since the last success; while open, as many as opened it."""
    openings: int = 0
    """How often it opened since it was last closed."""
    slices: tuple[Slice, ...] = ()
    """The window, oldest first; empty after it closed."""
    latency: float | None = None
    """Seconds for a whole answer, averaged with exponentially less weight for older ones."""
    first_token: float | None = None
    """Seconds to a stream's first token, averaged likewise."""
    first_tokens: tuple[float, ...] = ()
    """The newest of those, oldest first."""
    answers: tuple[float, ...] = ()
    """Seconds for the newest answers that came whole and not as streams, oldest first."""
    last_error: LastError | None = None

    def calls(self, now: float, window: float) -> int:
        """How many calls were settled in the last `window` seconds."""
        return sum(part.successes + part.failures for part in self.slices if _is_live(part, now, window))

    def success_rate(self, now: float, config: BreakerConfig) -> float | None:
        """The part of the window's calls that succeeded, newer ones weighing more; None where there were none."""
        good = all_of_them = 0.0
        for part in self.slices:
            if _is_live(part, now, config.window):
                weight = 0.5 ** (max(0.0, now - part.start) / config.half_life)
                good += weight * part.successes
                all_of_them += weight * (part.successes + part.failures)
        return good / all_of_them if all_of_them else None

    def p95(self, *, streamed: bool) -> float | None:
        """Seconds within which 95 of 100 streams began, or whole answers came; None where fewer than five are known."""
        times = self.first_tokens if streamed else self.answers
        return sorted(times)[math.ceil(0.95 * len(times)) - 1] if len(times) >= _TIMES_NEEDED else None

    def times(self, latency: float | None, first_token: float | None) -> dict[str, Any]:
        """The fields that change with the times of one more call, in seconds; one without a first token came whole."""
        if latency is None and first_token is None:
            return {}
        first_tokens, answers = self.first_tokens, self.answers
        if first_token is not None:
            first_tokens = (*first_tokens[1 - _TIMES_KEPT :], round(first_token, 4))
        elif latency is not None:
            answers = (*answers[1 - _TIMES_KEPT :], round(latency, 4))
        return {
            "latency": _averaged(self.latency, latency),
            "first_token": _averaged(self.first_token, first_token),
            "first_tokens": first_tokens,
            "answers": answers,
        }

    def to_json(self) -> str:
        """For `from_json`, also of another process or version."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Health:
        """What `to_json` made. Unknown fields are ignored; raises `ValueError` for what is no health at all."""
        return _adapter().validate_json(text)

    @classmethod
    def read(cls, text: str | bytes) -> Health:
        """`from_json` for a store: of what cannot be understood, another version's perhaps, nothing is known."""
        try:
            return cls.from_json(text)
        except ValueError:
            return UNTRIED


UNTRIED = Health()
"""Of a target that nobody has asked yet."""


def counted(slices: tuple[Slice, ...], now: float, window: float, *, success: bool) -> tuple[Slice, ...]:
    """The window with one more call."""
    start = now - now % (window / _SLICES)
    # Looked for, as it need not be the last: machines that share this may have clocks that differ.
    current = next((part for part in reversed(slices) if part.start == start), Slice(start))
    others = tuple(part for part in slices if part.start != start and _is_live(part, now, window))
    return (*others, Slice(start, current.successes + success, current.failures + (not success)))


def _is_live(part: Slice, now: float, window: float) -> bool:
    # Slices of the future were filled before a clock was set back.
    return -window < now - part.start < window


def _averaged(known: float | None, new: float | None) -> float | None:
    if new is None or known is None:
        return known if new is None else new
    return known + _SMOOTHING * (new - known)


@cache
def _adapter() -> TypeAdapter[Health]:
    return TypeAdapter(Health)
