"""Bound the waits of one call, and their sum."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import httpx

from ..errors import LLMTimeoutError
from ..request import Timeout


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
