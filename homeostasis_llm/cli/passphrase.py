"""Ask for the passphrase of the encrypted file where it is needed and somebody is there to ask."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import click

from .screen import is_terminal

T = TypeVar("T")


def with_passphrase(look: Callable[[], T], lacks: Callable[[T], bool]) -> T:
    """What `look` finds; where that lacks something which the encrypted file may have, once more with its passphrase.

    The keyring is asked for its kind only then, as asking costs its import.
    """
    found = look()
    if lacks(found) and is_terminal(sys.stdin) and _asked(new=False):
        return look()
    return found


def unlock(*, to_store: bool) -> None:
    """Ask for the passphrase where a key is about to be taken out of the encrypted file, or `to_store` put into it."""
    if is_terminal(sys.stdin):
        _asked(new=to_store)


def _asked(*, new: bool) -> bool:
    """Whether a passphrase was asked for; `new` says that the file may be made with it."""
    from ..keys.encrypted_file import use_passphrase
    from ..keys.ring import encrypted_file

    file = encrypted_file()
    if file is None or file.has_passphrase or not (file.exists or new):
        return False
    text = f"Passphrase of {file.path}" if file.exists else f"New passphrase for {file.path}"
    use_passphrase(click.prompt(text, hide_input=True, err=True, confirmation_prompt=not file.exists))
    return True
