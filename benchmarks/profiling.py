"""Whose code is at work during a client's calls, by package."""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Callable
from pathlib import Path

_STANDARD = Path(cProfile.__file__).parent
_WAITS = ("recv", "send", "read", "poll", "select", "acquire")


def profiled(do: Callable[[], object]) -> dict[str, float]:
    """Each package's share of the time that Python's profiler counts, all together 1. It watches this thread alone."""
    profiler = cProfile.Profile()
    profiler.runcall(do)
    spent: Counter[str] = Counter()
    for (file, _, function), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]  # typeshed leaves it out
        spent[_whose(file, function)] += own
    whole = sum(spent.values())
    return {package: own / whole for package, own in spent.most_common()}


def _whose(file: str, function: str) -> str:
    if "site-packages" in file:
        return Path(file.partition("site-packages/")[2]).parts[0]
    if file == "~":  # what is written in C has no file
        return "waiting" if any(word in function for word in _WAITS) else "built in"
    if Path(file).is_relative_to(_STANDARD):
        return "standard library"
    return next((part for part in Path(file).parts if part.startswith(("homeostasis_llm", "benchmarks"))), "other")
