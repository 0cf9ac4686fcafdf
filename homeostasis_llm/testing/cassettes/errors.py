"""What can be wrong with a recording, or with the test that plays it."""

from __future__ import annotations


class CassetteError(Exception):
    """Anything below."""


class UnreadableCassetteError(CassetteError):
    """A file that is no recording, or no longer one: cut off, edited by hand into nonsense, or made to do harm."""


class NotRecordedError(BaseException):
    """A request that is in no recording; the message says how it differs from the nearest one that is.

    No `Exception`, as pytest's own failures are none: it is raised amid a client, and whoever retries, or asks the next
    provider, must not take it for an answer.
    """


class NotPlayedError(CassetteError):
    """A recording that holds more than the test has asked for."""


class SecretFoundError(CassetteError):
    """A key, in whatever spelling, stands in what was to be saved. Nothing was saved."""


class ChangedAnswerError(CassetteError):
    """A provider no longer answers as it did when the recording was made."""
