"""Import large packages without having Python look for garbage among what they define."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """The garbage collector rests: of a package with a quarter of a million objects it would read all, again and again.

    Whoever has it turned off, or has frozen what there was, finds that as it was.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if gc.get_freeze_count() == 0:
                # What is new counts as old from here on, without being read: what a package defines is no garbage.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
