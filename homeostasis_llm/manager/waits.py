"""Keep the waits of one try within what is left of the time for the whole request."""

from __future__ import annotations

from ..request import Timeout

_UNKNOWN = 120.0
"""Seconds that `LiteLLMProvider` waits for the first byte where nobody says otherwise."""


def may_take(timeout: Timeout | float | None) -> float:
    """Seconds until an answer begins, at most; what the provider itself is set to is not known here."""
    if isinstance(timeout, Timeout):
        waits = [wait for wait in (timeout.first_byte, timeout.total) if wait is not None]
        return min(waits, default=_UNKNOWN)
    return _UNKNOWN if timeout is None else timeout


def cut(timeout: Timeout | float | None, remaining: float) -> Timeout:
    """`timeout`, with an answer that begins within `remaining` seconds. How long it then takes is left as it is."""
    if isinstance(timeout, Timeout):
        return Timeout(
            connect=timeout.connect,
            first_byte=remaining if timeout.first_byte is None else min(remaining, timeout.first_byte),
            between_chunks=timeout.between_chunks,
            total=timeout.total,
        )
    return Timeout(first_byte=remaining, total=timeout)
