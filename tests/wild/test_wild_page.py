"""The page about real traffic tells today's counts."""

from __future__ import annotations

import pytest

from .wild_page import PAGE, page
from .wild_records import WILD, read_records
from .wild_wrong import read_faults


@pytest.mark.skipif(not WILD.is_dir(), reason="the recordings are not beside the checkout: ../shared/wild")
def test_the_page_is_what_the_script_writes() -> None:
    written = page(read_records(), read_faults())

    assert PAGE.read_text(encoding="utf-8") == written, "run: python -m tests.wild.wild_page"
