"""No key is in what a command prints, also where Python tells more than usual and where a plugin has a mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import install
from .servers import KEY, assert_not_shown

CODE = "from homeostasis_llm.cli import main; main()"


@pytest.fixture
def environment(child_environment: dict[str, str], plugins: Path) -> dict[str, str]:
    """That of a process which finds the plugin `buggy`, whose key is the mistake."""
    install(plugins, "buggy-llm", buggy="tests.cli.picky:Picky")
    return {**child_environment, "HOMEOSTASIS_BUGGY_API_KEY": f"bug-{KEY}", "COLUMNS": "400"}


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (("validate-key", "buggy", "--verbose"), "", True),
        (("set-key", "buggy"), f"bug-{KEY}", True),
        (("set-key", "buggy", "--no-validate", "--key", f"bug-{KEY}"), "", False),
        (("test-providers", "-p", "buggy"), "", True),
        (("list-keys", "--show-masked", "--verbose", "--json"), "", False),
        (("provider-status", "--verbose"), "", False),
        (("doctor",), "", False),
    ],
    ids=lambda given: " ".join(given[:2]) if isinstance(given, tuple) else "",
)
def test_no_key_is_printed_by_a_python_that_tells_all(
    arguments: tuple[str, ...], stdin: str, told: bool, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", CODE, "llm", *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in done.stderr
    printed = done.stdout + done.stderr
    assert (
        "RuntimeError: nobody expected [key removed] That is a mistake in the provider's own code" in printed
    ) is told
    assert_not_shown(printed)
