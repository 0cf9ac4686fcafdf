"""Read a key from a file that holds nothing else, as containers are given their secrets."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pydantic import SecretStr

from .bounded import within
from .errors import SourceTroubleError

SECONDS = 5.0
"""How long reading may take: the file may lie on another machine."""

_LARGEST = 64 * 1024
"""Bytes; no key is nearly as long."""


def read_key_file(path: Path) -> SecretStr:
    """What the file holds, without the line break at its end. Raises `SourceTroubleError`."""
    problem = ""
    try:
        return within(SECONDS, lambda: _read(path), "homeostasis-key-file")
    except TimeoutError:
        problem = f"did not come within {SECONDS:g} s"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or type(error).__name__}"
    except ValueError:
        problem = "is no path" if "\0" in str(path) else "is not UTF-8 text"
    raise SourceTroubleError(f"the file {path} {problem}")


def _read(path: Path) -> SecretStr:
    # Opening a pipe that nobody writes to would otherwise wait for ever.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise SourceTroubleError(f"the file {path} is no ordinary file")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise SourceTroubleError(f"the file {path} is larger than any key; it must hold the key and nothing else")
    text = content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    if len(text.splitlines()) > 1:
        raise SourceTroubleError(f"the file {path} has several lines; it must hold the key and nothing else")
    return SecretStr(text)
