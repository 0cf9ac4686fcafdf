"""Say how long to wait where nobody does, and lay one set of waits over another."""

from __future__ import annotations

from .request import Timeout

DEFAULT_TIMEOUT = Timeout(connect=10.0, first_byte=120.0, between_chunks=30.0, total=600.0)
"""Seconds. The first byte may take long: without a stream, it comes when the whole answer is written."""


def overlaid(base: Timeout, given: Timeout | float | None) -> Timeout:
    """`given` over `base`. A bare number limits the whole answer, and so also how long it may take to begin."""
    if given is None:
        return base
    if not isinstance(given, Timeout):
        given = Timeout(first_byte=given, total=given)
    if None not in {given.connect, given.first_byte, given.between_chunks, given.total}:
        return given
    return Timeout(
        connect=base.connect if given.connect is None else given.connect,
        first_byte=base.first_byte if given.first_byte is None else given.first_byte,
        between_chunks=base.between_chunks if given.between_chunks is None else given.between_chunks,
        total=base.total if given.total is None else given.total,
    )
