"""Tell whether an optional package is installed, without importing it."""

from __future__ import annotations

from importlib.util import find_spec


def is_installed(module: str) -> bool:
    """Whether `module` is there; a broken installation counts as one, and fails by itself when it is used."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a.b, already a
        return False
