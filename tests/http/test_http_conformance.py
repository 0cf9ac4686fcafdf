"""HTTPProvider keeps what every provider promises, for an author who has written three methods."""

from __future__ import annotations

from typing import ClassVar

from homeostasis_llm.testing import ProviderConformance
from homeostasis_llm.testing.conformance import Wire, wires

from .zorb import Zorb


class TestZorb(ProviderConformance):
    wire: ClassVar[Wire | None] = wires.OpenAIWire()

    def make_provider(self, api_key: str, base_url: str | None) -> Zorb:
        return Zorb(api_key, base_url=base_url)
