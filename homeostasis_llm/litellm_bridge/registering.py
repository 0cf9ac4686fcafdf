"""Put the providers that litellm lacks into litellm: `litellm.completion(model="writer/palmyra-x5", …)`.

The other way round from the rest of this package. litellm is loaded when `register_with_litellm` is called.
"""

from __future__ import annotations

from typing import Any

from .runtime import load_litellm

_WITHDRAWN = {"aleph_alpha", "anyscale", "palm"}
"""Names that litellm's list no longer has, and that `litellm.main.completion` still takes for routes of its own."""


def register_with_litellm() -> list[str]:
    """Have litellm, its Router and its proxy ask plugins' and registered providers by the names that are returned.

    They are the providers' own, but for `native_aleph_alpha` and the like, where litellm would still go a way of its
    own; and what is in litellm's list stays litellm's. Call it again when there are new ones. A plugin is loaded when
    it is first asked; a broken one is then an error of litellm's, with its reason.
    """
    from ..registry import ProviderFactory

    litellm = load_litellm()
    from .native import NativeLLM

    kept = [item for item in litellm.custom_provider_map if not isinstance(item["custom_handler"], NativeLLM)]
    taken = {*_names_of(litellm), *(item["provider"] for item in kept)}
    offered = {
        f"native_{entry.name}" if entry.name in _WITHDRAWN else entry.name: entry.name
        for entry in ProviderFactory.entries()
        if entry.source == "registered" or entry.source.startswith("plugin ")
    }
    ours = {theirs: NativeLLM(name) for theirs, name in offered.items() if theirs not in taken}
    litellm.custom_provider_map = [
        *kept,
        *({"provider": name, "custom_handler": handler} for name, handler in ours.items()),
    ]
    litellm.utils.custom_llm_setup()
    return list(ours)


def _names_of(litellm: Any) -> set[str]:
    """litellm's own providers; its list also has the custom ones, once they were set up."""
    return {provider.value for provider in litellm.LlmProviders}
