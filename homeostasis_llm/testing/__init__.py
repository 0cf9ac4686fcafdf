"""For the tests of those who write providers, or use them: servers that fail as told, and recordings.

Each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .faults import FaultServer

__all__ = ["FaultServer"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import faults

    globals()[name] = found = getattr(faults, name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]
