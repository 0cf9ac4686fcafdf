"""Ask litellm what it makes of the catalog, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def ask_litellm() -> Any:
    """What tests/sent_by_litellm.py prints. Takes about ten seconds."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.sent_by_litellm"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "tests" / "child"), str(ROOT)))},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)
