"""Record what language models answer, and play it in tests: see docs/cassettes.md.

Each name is loaded when it is first used: vcrpy patches half a dozen HTTP clients, and imports them for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cassette import Cassette, Mode, Options, Timing, use_cassette
    from .errors import (
        CassetteError,
        ChangedAnswerError,
        NotPlayedError,
        NotRecordedError,
        SecretFoundError,
        UnreadableCassetteError,
    )
    from .scrubbing import Rules

_HOMES = {
    "cassette": ("Cassette", "Mode", "Options", "Timing", "use_cassette"),
    "errors": (
        "CassetteError",
        "ChangedAnswerError",
        "NotPlayedError",
        "NotRecordedError",
        "SecretFoundError",
        "UnreadableCassetteError",
    ),
    "scrubbing": ("Rules",),
}
_home_of = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Cassette",
    "CassetteError",
    "ChangedAnswerError",
    "Mode",
    "NotPlayedError",
    "NotRecordedError",
    "Options",
    "Rules",
    "SecretFoundError",
    "Timing",
    "UnreadableCassetteError",
    "use_cassette",
]


def __getattr__(name: str) -> object:
    if name not in _home_of:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_home_of[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]
