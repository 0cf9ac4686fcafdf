"""Bound the waits of one call, and their sum."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import httpx

from ..errors import LLMTimeoutError
from ..request import Timeout

DEFAULT_TIMEOUT = Timeout(connect=10.0, first_byte=120.0, between_chunks=30.0, total=600.0)
"""Seconds. The first byte may take long: without a stream, it comes when the whole answer is written."""


def overlaid(base: Timeout, given: Timeout | float | None) -> Timeout:
    """`given` over `base`. A bare number limits the whole answer, and so also how long it may take to begin."""
    if given is None:
        return base
    if not isinstance(given, Timeout):
        given = Timeout(first_byte=given, total=given)
    return Timeout(
        connect=base.connect if given.connect is None else given.connect,
        first_byte=base.first_byte if given.first_byte is None else given.first_byte,
        between_chunks=base.between_chunks if given.between_chunks is None else given.between_chunks,
        total=base.total if given.total is None else given.total,
    )


@dataclass(slots=True)
class Waits:
    """The clock of one call."""

    timeout: Timeout
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the call began."""
        return time.monotonic() - self.started

    def until_answer(self) -> httpx.Timeout:
        """The waits until an answer begins."""
        return httpx.Timeout(
            connect=self._bounded(self.timeout.connect),
            pool=self._bounded(self.timeout.connect),
            write=self._bounded(self.timeout.between_chunks),
            read=self._bounded(self.timeout.first_byte),
        )

    def answered(self, response: httpx.Response) -> None:
        """From here on, the waits between chunks count."""
        # httpcore reads the timeout when the first piece of the body is asked for, so it can still be changed.
        response.request.extensions["timeout"]["read"] = self._bounded(self.timeout.between_chunks)

    def check(self) -> None:
        """Raise `LLMTimeoutError` once the time for the whole answer is over."""
        if self.timeout.total is not None and self.seconds >= self.timeout.total:
            raise LLMTimeoutError(f"no complete answer within {self.timeout.total:g} s")

    def _bounded(self, limit: float | None) -> float | None:
        if self.timeout.total is None:
            return limit
        remaining = max(0.001, self.timeout.total - self.seconds)  # zero would mean not to wait at all
        return remaining if limit is None else min(limit, remaining)
