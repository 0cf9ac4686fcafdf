"""The promises of a provider, as tests that its author inherits: see docs/conformance.md."""

from __future__ import annotations

from .said import Said
from .suite import ProviderConformance
from .wire import Wire

__all__ = ["ProviderConformance", "Said", "Wire"]
