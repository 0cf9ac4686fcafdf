"""What was measured, as it is kept in a file: plain values, so that JSON holds them as they are."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, cast

from .environment import LANE
from .memory import Growth

_DISTRIBUTIONS = (
    "homeostasis-llm", "litellm", "langchain-core", "httpx", "httpx-aiohttp", "aiohttp", "openai", "langchain-litellm",
    "langchain-openai", "any-llm-sdk", "pydantic-ai-slim", "llm", "pydantic", "click", "xllamacpp",
)  # fmt: skip


class Series(TypedDict):
    """One client in one case: an item for each round. Times are in seconds."""

    times: int
    """How often it was asked in each round."""
    middle: list[float]
    """What asking once took: the median of the round."""
    first: list[float]
    """Until the first piece of a stream, likewise."""
    wall: list[float]
    """The whole round, by the clock."""
    cpu: list[float]
    """The whole round, of the processor."""
    p99: float
    """Of all times of all rounds."""


class Results(TypedDict):
    """Everything of one run."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    took: float
    """The whole run, in seconds."""
    skipped: list[str]
    """Clients that are not installed."""
    failed: dict[str, str]
    """Why a client has no figures in a case, by the two."""
    cases: dict[str, dict[str, Series]]
    growth: dict[str, dict[str, Growth]]
    """By what was done, and by client."""
    starts: dict[str, list[float]]
    """Seconds of each run of a program, from the start of its process to its end."""
    embedded: dict[str, list[float]]
    """Tokens per second of each answer, by who was asked."""
    profiles: dict[str, dict[str, dict[str, float]]]
    """Each package's share, by what was done and by client."""


def empty() -> Results:
    """Of a run that begins."""
    machine = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "lane": os.environ.get(LANE, "the usual"),
    }
    installed = {distribution.name for distribution in importlib.metadata.distributions()}
    versions = {name: importlib.metadata.version(name) for name in _DISTRIBUTIONS if name in installed}
    return Results(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=machine,
        versions=versions,
        took=0,
        skipped=[],
        failed={},
        cases={},
        growth={},
        starts={},
        embedded={},
        profiles={},
    )


def save(results: Results, path: Path) -> None:
    """Write to `path`, with four significant digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(_rounded(results), separators=(",", ":")).replace('},"', '},\n"') + "\n", encoding="utf-8"
    )


def load(path: Path) -> Results:
    """What `save` wrote."""
    return cast("Results", json.loads(path.read_text(encoding="utf-8")))


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.4g}")
        case dict():
            return {name: _rounded(item) for name, item in value.items()}
        case list():
            return [_rounded(item) for item in value]
        case _:
            return value


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
