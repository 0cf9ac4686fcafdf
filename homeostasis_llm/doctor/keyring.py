"""Say whether there is a keyring that keeps keys."""

from __future__ import annotations

from collections.abc import Iterator

from ..keys.trial import try_keyring
from .finding import Finding, State


def keyring() -> Iterator[Finding]:
    """What became of a throw-away key."""
    trial = try_keyring()
    backend = f" ({trial.backend})" if trial.backend and trial.backend not in trial.reason else ""
    if trial.place is None:
        # Servers do well without one.
        ways = "; or ".join(trial.ways_out)
        yield Finding(
            "keyring",
            State.WARN,
            f"keys cannot be stored: {trial.reason}{backend}",
            f"Keep keys in the environment, or {ways}." if ways else "Keep keys in the environment.",
        )
    elif trial.reason:
        yield Finding("keyring", State.WARN, f"{trial.place} keeps what it is given, but {trial.reason}")
    else:
        yield Finding("keyring", State.OK, f"{trial.place} keeps what it is given")
