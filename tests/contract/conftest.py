"""What the contract's tests share: nothing that one of them does shows in another."""

from __future__ import annotations

import pytest
from hypothesis import settings

from homeostasis_llm import redaction

# For as long as it takes: a busy machine is no reason to fail.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _no_key_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are known for the life of the process; a test's made-up one may be a word of another's text."""
    monkeypatch.setattr(redaction, "_known", {})
