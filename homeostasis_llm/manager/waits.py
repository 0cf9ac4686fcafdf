"""Keep the waits of one try within what is left of the time for the whole request."""

from __future__ import annotations

from typing import Literal

from ..provider import LLMProviderInterface
from ..request import Timeout
from ..timeouts import DEFAULT_TIMEOUT


def kept_within(
    remaining: float, asked: Timeout | float | None, provider: LLMProviderInterface, *, whole: bool
) -> Timeout | None:
    """`asked`, with an answer that begins within `remaining` seconds; None where it would do so anyway.

    With `whole`, it has to end by then. What the provider itself is set to is kept, where that is less.
    """
    own = getattr(provider, "timeout", None)  # its author may say so
    first_byte, total = (_shortest(name, asked, own) for name in ("first_byte", "total"))
    if first_byte <= remaining and (total <= remaining or not whole):
        return None
    return Timeout(
        connect=_given("connect", asked),
        first_byte=min(remaining, first_byte),
        between_chunks=_given("between_chunks", asked),
        total=min(remaining, total) if whole else _given("total", asked),
    )


def _shortest(name: Literal["first_byte", "total"], asked: Timeout | float | None, own: object) -> float:
    """What counts of the request's, the provider's and the default."""
    found = (_given(name, given) for given in (asked, own, DEFAULT_TIMEOUT))
    return next((wait for wait in found if wait is not None), float("inf"))


def _given(name: Literal["connect", "first_byte", "between_chunks", "total"], given: object) -> float | None:
    if isinstance(given, Timeout):
        wait: float | None = getattr(given, name)
        return wait
    # A bare number limits the whole answer, and so also how long it may take to begin.
    return float(given) if isinstance(given, (int, float)) and name in {"first_byte", "total"} else None
