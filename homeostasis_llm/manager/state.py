"""Choose where the state is kept that outlives a request: health, spending, rates."""

from __future__ import annotations

import os
from pathlib import Path

from ..config import Settings
from ..errors import InvalidRequestError
from .budgets.ledger import Ledger
from .budgets.places import FilePlace, RedisPlace
from .budgets.rates import RateLimits
from .stores import FileStore, HealthStore, MemoryStore, RedisStore

VARIABLE = "HOMEOSTASIS_STATE"
"""The environment variable that goes before the settings; a URL with a password may stand there."""

_REDIS = ("redis://", "rediss://", "unix://")


def checked_state(given: str) -> str:
    """`given`, if it says a place. Raises `InvalidRequestError`."""
    if given in {"file", "memory"} or given.startswith(_REDIS):
        return given
    raise InvalidRequestError('state: must be "file", "memory" or the URL of a Redis, as in redis://127.0.0.1:6379')


def state_under(settings: Settings) -> str:
    """Where the environment, or else the settings, say that it is kept. Raises `InvalidRequestError`."""
    if named := os.environ.get(VARIABLE, "").strip():
        try:
            return checked_state(named)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"{VARIABLE}: {error.message.removeprefix('state: ')}") from None
    return settings.failover.state


def health_store(state: str) -> HealthStore:
    """The store of health for `state`."""
    if is_remote(state):
        return RedisStore(state)
    if state == "memory":
        return MemoryStore()
    folder = state_folder()
    return MemoryStore() if folder is None else FileStore(folder / "health.sqlite3")


def ledger(state: str) -> Ledger:
    """What was spent, as `state` keeps it."""
    if is_remote(state):
        return Ledger(RedisPlace(state))
    folder = None if state == "memory" else state_folder()
    return Ledger() if folder is None else Ledger(FilePlace(folder / "spending.sqlite3"))


def rate_limits(state: str) -> RateLimits:
    """Rates, which processes of one machine share only through a Redis."""
    return RateLimits(state if is_remote(state) else "memory")


def is_remote(state: str) -> bool:
    """Whether it is on another machine, or might be."""
    return state.startswith(_REDIS)


def state_folder() -> Path | None:
    """The user's own folder for state; None for an account without a home."""
    from platformdirs import user_state_path

    try:
        return user_state_path("homeostasis-llm", appauthor=False)
    except RuntimeError:
        return None
