"""A settings file to write into, and ways to run a program beside the test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[[str], Path]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a settings file may be; there is none yet."""
    return tmp_path / "own" / "config.toml"


@pytest.fixture
def write(place: Path) -> Write:
    """Write the settings file as somebody with an editor would."""

    def write(text: str) -> Path:
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    return write


@pytest.fixture
def start(child_environment: dict[str, str]) -> Start:
    """Start a Python program in a process of its own; its arguments are in `sys.argv`."""

    def start(program: str, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        command = [*before, sys.executable, "-c", program, *map(str, arguments)]
        return subprocess.Popen(
            command, env=child_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def report_of(process: subprocess.Popen[str]) -> Any:
    """What the program printed, as JSON. Fails where it ended in another way."""
    printed, complained = process.communicate(timeout=120)
    assert process.returncode == 0, complained
    return json.loads(printed)
