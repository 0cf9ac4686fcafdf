"""A fault server for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeostasis_llm.testing import FaultServer


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Listening, and giving good answers until told otherwise."""
    with FaultServer() as found:
        yield found
