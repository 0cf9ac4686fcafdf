"""Mount a file system that only one command sees: small ones are soon full, and others cannot be written to."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache


@cache
def mounting() -> tuple[str, ...]:
    """The words before a command that let it mount; none where this system lets nobody."""
    for options in ("-rm", "-m"):
        words = ("unshare", options)
        trial = (*words, "sh", "-c", "mount -t tmpfs none /mnt")
        if shutil.which("unshare") and subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return words
    return ()
