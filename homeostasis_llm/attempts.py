"""Tell what one request went through: who was asked, what came of it, and why the next one was."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["answered", "failed", "skipped", "abandoned", "broke"]
"""`skipped` were not asked at all; `broke` had begun to answer; `abandoned` were not needed any more."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One provider that was asked, or would have been."""

    provider: str
    model: str | None = None
    """As it was asked for; None for the provider's default."""
    key: str = ""
    """The label of the key; empty for the one without."""
    outcome: Outcome
    error: str | None = None
    """The kind of failure, a word of `ErrorType`; None where there was none."""
    message: str | None = None
    """The failure in a sentence."""
    status: int | None = None
    """The HTTP status, None where no answer came."""
    seconds: float = 0.0
    """How long it took; of a stream that broke, until it did."""
    wait: float = 0.0
    """Seconds waited before it."""
    why: str = ""
    """Why this one was asked, or why it was not."""

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON can have it."""
        return asdict(self)

    def __str__(self) -> str:
        label = f"#{self.key}" if self.key else ""
        model = f":{self.model}" if self.model else ""
        failure = "" if self.error is None else f" ({self.error}{f' {self.status}' if self.status else ''})"
        waited = f" after {self.wait:.2f} s" if self.wait else ""
        return f"{self.provider}{model}{label} {self.outcome}{failure} in {self.seconds:.2f} s{waited}"
