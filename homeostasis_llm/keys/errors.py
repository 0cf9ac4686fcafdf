"""The errors of keeping keys, and of giving one that will not do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import APIKeyError, LLMError
from ..redaction import redact


class KeyValidationError(APIKeyError):
    """What was given will not do: a key that is refused or could not be checked, a provider or a choice nobody knows.

    The message is for users.
    """

    outcome: str | None
    """What the check of the key has brought, as in `rejected`; None where it is not about a key, or none was made."""
    advice: str
    """What to do next, in one sentence; empty where the message says it all."""

    def __init__(self, message: str = "", *, outcome: str | None = None, advice: str = "", **facts: Any) -> None:
        super().__init__(message, **{"error_type": "key_validation", **facts})
        self.outcome = outcome
        self.advice = redact(advice)


class KeyStorageError(LLMError):
    """A key could not be stored or removed. What was stored before is as it was, as far as the keyring keeps its word.

    The message says all of it, in one line.
    """

    backend: str | None
    """The keyring that was asked, by the name of its class; None where there was none to ask."""
    reason: str
    """Why it could not be done."""
    ways_out: tuple[str, ...]
    """What can be done instead, a line each."""

    def __init__(
        self,
        message: str = "",
        *,
        backend: str | None = None,
        reason: str = "",
        ways_out: Sequence[str] = (),
        **facts: Any,
    ) -> None:
        super().__init__(message, **{"error_type": "key_storage", **facts})
        self.backend = backend
        self.reason = redact(reason)
        self.ways_out = tuple(map(redact, ways_out))


class SourceTroubleError(Exception):
    """A place where a key should be cannot be read; the text says why, and holds no key. Never leaves this package."""
