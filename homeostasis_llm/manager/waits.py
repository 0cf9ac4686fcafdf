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
    first_byte = _of("first_byte", asked, own, DEFAULT_TIMEOUT) or float("inf")
    total = _of("total", asked, own, DEFAULT_TIMEOUT) or float("inf")
    if first_byte <= remaining and (total <= remaining or not whole):
        return None
    return Timeout(
        connect=_of("connect", asked, own),
        first_byte=min(remaining, first_byte),
        between_chunks=_of("between_chunks", asked, own),
        total=min(remaining, total) if whole else _of("total", asked, own),
    )


def _of(name: Literal["connect", "first_byte", "between_chunks", "total"], *given: object) -> float | None:
    """The first that is said: by the request, the provider, and what holds otherwise."""
    for waits in given:
        if isinstance(waits, Timeout):
            wait: float | None = getattr(waits, name)
            if wait is not None:
                return wait
        # A bare number limits the whole answer, and so also how long it may take to begin.
        elif isinstance(waits, (int, float)) and name in {"first_byte", "total"}:
            return float(waits)
    return None
