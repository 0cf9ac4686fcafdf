"""The promises of a provider, as tests that its author inherits: see docs/conformance.md."""

from __future__ import annotations

from importlib.util import find_spec

# Ask instead of catching ImportError: a broken installation must not read as one that lacks the extra.
if find_spec("pytest") is None:
    raise ImportError("ProviderConformance needs pytest: pip install 'homeostasis-llm[testing]'")

from .said import Said
from .suite import ProviderConformance
from .wire import Wire

__all__ = ["ProviderConformance", "Said", "Wire"]
