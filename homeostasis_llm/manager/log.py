"""Keep what one request went through, for the answer, the error and the log."""

from __future__ import annotations

import logging

from ..attempts import Attempt, Outcome
from ..errors import LLMError
from .roster import Stop
from .steps import Ask, Leg
from .target import Target

logger = logging.getLogger("homeostasis_llm.manager")


class AttemptLog:
    """What happened so far."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.errors: dict[str, LLMError] = {}
        """Each provider's last, in the order in which they first failed."""
        self.asked = 0
        """How many were really asked."""

    def note(self, ask: Ask, outcome: Outcome, seconds: float, error: LLMError | None = None) -> None:
        """Somebody was asked, and this came of it."""
        self.asked += 1
        if error is not None:
            self.errors[ask.target.provider] = error
        attempt = Attempt(
            provider=ask.target.provider,
            model=ask.target.model or None,
            key=ask.target.key,
            outcome=outcome,
            error=None if error is None else str(error.error_type),
            message=None if error is None else error.message,
            status=None if error is None else error.status_code,
            seconds=seconds,
            wait=ask.wait,
            why=ask.why,
        )
        self.attempts.append(attempt)
        logger.debug("%s", attempt)

    def not_now(self, leg: Leg, target: Target, why: str) -> None:
        """Somebody is passed over; told once, however often they are looked at."""
        if leg.note != why:
            leg.note = why
            self._skipped(
                Attempt(
                    provider=target.provider, model=target.model or None, key=target.key, outcome="skipped", why=why
                )
            )

    def unasked(self, stop: Stop, error: LLMError) -> None:
        """Somebody cannot be asked at all."""
        self.errors.setdefault(stop.provider, error)
        self._skipped(
            Attempt(
                provider=stop.provider,
                model=stop.model,
                outcome="skipped",
                error=str(error.error_type),
                message=error.message,
                why="it could not be asked",
            )
        )

    def told(self, error: LLMError) -> LLMError:
        """`error`, with all that led to it."""
        error.attempts = list(self.attempts)
        return error

    def _skipped(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        logger.debug("%s is not asked: %s", attempt.provider, attempt.message or attempt.why)


def short(error: LLMError) -> str:
    """The kind of the error and its status, for a line in the log."""
    return f"{error.error_type}{'' if error.status_code is None else f' {error.status_code}'}"
