"""For the tests of those who write providers, or use them: servers that fail as told, rules, and recordings.

Each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conformance import ProviderConformance
    from .faults import FaultServer

__all__ = ["FaultServer", "ProviderConformance"]

_home_of = {"FaultServer": ".faults", "ProviderConformance": ".conformance"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(_home_of[name], __name__), name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]
