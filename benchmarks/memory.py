"""How a process grows: bytes that the system has given it, objects that Python keeps, files that are open."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

_BLOCKS = 10


class Growth(TypedDict):
    """By how much it grew in each third of what was done after warming up."""

    times: int
    """How often something was done, in all thirds together."""
    kilobytes: list[float]
    objects: list[int]
    files: list[int]


def growth(do: Callable[[int], object], times: int, seconds: float) -> Growth:
    """Warm up a third of `times`, then do it three times as often as that. Less where it would take longer.

    What is kept for ever shows in each third; what fills up, such as a cache, in the first alone.
    """
    block, third, began = max(1, times // 3 // _BLOCKS), 0, time.monotonic()
    while third < times // 3 and time.monotonic() - began < seconds / 4:
        do(block)
        third += block
    seen = [_now()]
    for _ in range(3):
        do(third)
        seen.append(_now())
    steps = [
        tuple(after - before for before, after in zip(earlier, later, strict=True)) for earlier, later in pairwise(seen)
    ]
    sizes, objects, files = zip(*steps, strict=True)
    return Growth(times=3 * third, kilobytes=[size / 1024 for size in sizes], objects=list(objects), files=list(files))


def _now() -> tuple[int, int, int]:
    for _ in range(3):  # what a finalizer lets go of is found by the next one
        gc.collect()
    return _resident(), len(gc.get_objects()), len(list(Path("/dev/fd").iterdir()))


def _resident() -> int:
    """Bytes of this process that are in memory now."""
    told = Path("/proc/self/statm")
    if told.exists():
        return int(told.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    command = ["ps", "-o", "rss=", "-p", str(os.getpid())]  # macOS has no /proc
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1024  # noqa: S603  # the system's own
