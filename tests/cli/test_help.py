"""Every command has its help page, and the documents have them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run
from .test_completion import commands

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_the_help_page_of_a_command_is_in_the_document(name: str, run: Run) -> None:
    page = run(*name.split(), "--help").stdout

    assert in_words(f"$ homeostasis {name} --help\n{page}") in in_words(DOCUMENT.read_text(encoding="utf-8"))


def in_words(text: str) -> str:
    """Without its line breaks: those of a help page depend on the width of the terminal."""
    return " ".join(text.split())
