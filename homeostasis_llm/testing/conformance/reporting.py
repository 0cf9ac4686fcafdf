"""A plugin of pytest's that writes down what became of each rule, for `running` to read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest

REPORT = "HOMEOSTASIS_CONFORMANCE_REPORT"
"""The environment variable that names the file."""

_found: list[dict[str, str]] = []


def pytest_configure(config: pytest.Config) -> None:
    """Make known the marker of LangChain's suite, whose own plugin is not loaded."""
    config.addinivalue_line("markers", "benchmark: how long it takes is measured where pytest-benchmark is loaded.")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what became of a rule; of one whose bench could not be made or taken down, that."""
    if report.when == "call" or report.outcome != "passed":
        _found.append({"rule": report.nodeid.rpartition("::")[2], "verdict": _verdict(report), "why": _why(report)})


def pytest_sessionfinish() -> None:
    """Write all of it."""
    Path(os.environ[REPORT]).write_text(json.dumps(_found), encoding="utf-8")


def _verdict(report: pytest.TestReport) -> Literal["kept", "broken", "left out"]:
    return {"passed": "kept", "failed": "broken", "skipped": "left out"}[report.outcome]  # type: ignore[return-value]


def _why(report: pytest.TestReport) -> str:
    told: Any = report.longrepr
    if isinstance(told, tuple):
        return str(told[2]).removeprefix("Skipped: ")
    crash = getattr(told, "reprcrash", None)  # without the traceback of what led to it
    return "" if told is None else str(told if crash is None else crash.message).removeprefix("Failed: ").strip()
