"""Show settings by the names that Homeostasis' own code and its extension guide have for them."""

from __future__ import annotations

from typing import Any

from .settings import Settings


def by_former_names(settings: Settings) -> dict[str, Any]:
    """A new dict, as `DEFAULT_CONFIG` of the extension guide."""
    policies, unified = settings.provider_policies, settings.openrouter_unified
    return {
        "active_provider": settings.active_provider,
        "fallback_order": list(settings.fallback_order),
        "enable_fallback": settings.enable_fallback,
        "provider_policies": {
            "cost_preference": policies.cost,
            "latency_preference": policies.latency,
            "reliability_preference": policies.reliability,
        },
        "openrouter_unified_config": {
            "enabled": unified.enabled,
            "proxy_to_anthropic": unified.proxy_to_anthropic,
            "proxy_to_openai": unified.proxy_to_openai,
            "fallback_model_mapping": dict(unified.model_map),
        },
    }


DEFAULT_CONFIG: dict[str, Any] = by_former_names(Settings())
"""What holds where nothing is set. To see, not to change: `config.set_fallback_order` and the like change settings."""
