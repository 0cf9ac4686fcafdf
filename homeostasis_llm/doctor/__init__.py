"""Look at what this package stands on here, and say what is wrong with it and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .finding import Finding, State
from .installation import config, embedded_model, packages, plugins, python
from .keyring import keyring
from .network import certificates, proxies
from .startup_files import startup_files

__all__ = ["Finding", "State", "examine"]

_QUESTIONS: tuple[Callable[[], Iterator[Finding]], ...] = (
    python,
    packages,
    startup_files,
    keyring,
    config,
    proxies,
    certificates,
    plugins,
    embedded_model,
)


def examine() -> Iterator[Finding]:
    """All findings, each as soon as it is made. Asks no provider; stores a throw-away key, and removes it again."""
    for question in _QUESTIONS:
        yield from question()
