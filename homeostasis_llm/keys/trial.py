"""Find out whether the keyring keeps what it is given, with a throw-away entry that is removed again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from pydantic import SecretStr

from .ring import KeyringFailedError, remove, store
from .store import ways_to_a_keyring

_USER = "doctor#throw-away"
"""No provider is called so."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    place: str | None
    """For people, where it keeps things; None where it does not."""
    reason: str = ""
    """Why it does not, or what else went wrong."""
    backend: str | None = None
    """The class of what was asked, where that is known."""
    ways_out: tuple[str, ...] = ()
    """What makes a keyring work here, a line each."""


def try_keyring() -> Trial:
    """Store, read back and remove. A locked keyring may ask its user to unlock it."""
    try:
        place = store(_USER, SecretStr(secrets.token_urlsafe(24)))
    except KeyringFailedError as failure:
        return Trial(None, failure.reason, failure.backend, ways_to_a_keyring(failure))
    try:
        remove(_USER)
    except KeyringFailedError as failure:
        return Trial(place, f"a throw-away entry could not be removed again: {failure.reason}", failure.backend)
    return Trial(place)
