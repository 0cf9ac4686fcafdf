"""The value that says what is known of a key after it was checked."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .obstacles import Obstacle

if TYPE_CHECKING:
    from pydantic import SecretStr


class KeyOutcome(StrEnum):
    """What is known of a key after it was checked."""

    VERIFIED = "verified"
    """The provider accepts it."""
    REJECTED = "rejected"
    """The provider does not accept it: wrong or revoked."""
    WRONG_PROVIDER = "wrong_provider"
    """The provider does not accept it, and it looks like another provider's."""
    NO_PERMISSION = "no_permission"
    """The key is known and may not do what was asked."""
    NO_CREDIT = "no_credit"
    """The key is known, and its account is out of credit or has reached its limit."""
    RATE_LIMITED = "rate_limited"
    """The key is known; there were too many requests just now."""
    EXPIRED = "expired"
    """The provider says that its time is over."""
    MALFORMED = "malformed"
    """The text is no key as it stands; nothing was sent."""
    UNREACHABLE = "unreachable"
    """No answer came; `cause` says why."""
    PROVIDER_DOWN = "provider_down"
    """The provider failed on its side."""
    COULD_NOT_TELL = "could_not_tell"
    """What came back says nothing about the key."""


_GOOD = {KeyOutcome.VERIFIED, KeyOutcome.NO_PERMISSION, KeyOutcome.NO_CREDIT, KeyOutcome.RATE_LIMITED}
_BAD = {KeyOutcome.REJECTED, KeyOutcome.WRONG_PROVIDER, KeyOutcome.EXPIRED, KeyOutcome.MALFORMED}


@dataclass(frozen=True, kw_only=True)
class KeyCheck:
    """What a check has brought. No key is in it, except in `suggestion`, which copies and pickles leave behind."""

    provider: str
    outcome: KeyOutcome
    reason: str
    """What was found, in a sentence for people."""
    advice: str = ""
    """What to do next, in one sentence; empty where there is nothing to do."""
    said: str = ""
    """The provider's own words, without keys; empty where it had none."""
    status: int | None = None
    """The HTTP status; None where no answer came."""
    seconds: float | None = None
    """What the questions took, a first completion's with the time that litellm takes to load; None where none was."""
    asked: str = ""
    """What was asked, as in `GET https://api.openai.com/v1/models`; empty where nothing was."""
    charged: bool = False
    """Whether a completion of one token was asked for, which the provider may charge."""
    cause: Obstacle | None = None
    """Why no answer came, where none did."""
    retry_after: float | None = None
    """Seconds to wait before the next request, as the provider said."""
    suggested_provider: str | None = None
    """Whose key it looks like, where that is another provider."""
    corrected: InitVar[SecretStr | None] = None

    def __post_init__(self, corrected: SecretStr | None) -> None:
        object.__setattr__(self, "_suggestion", corrected)

    @property
    def suggestion(self) -> SecretStr | None:
        """The key as it was probably meant, for a malformed one."""
        found: SecretStr | None = vars(self)["_suggestion"]
        return found

    @property
    def ok(self) -> bool | None:
        """Whether the key is good, also where its account is short of something; None where that is not known."""
        return True if self.outcome in _GOOD else False if self.outcome in _BAD else None

    def __str__(self) -> str:
        """All of it for people, in one line."""
        words = f"It says: {self.said.rstrip('.')}." if self.said else ""
        return " ".join(filter(None, (f"{self.provider}: {self.reason}", words, self.advice)))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_suggestion": None}
