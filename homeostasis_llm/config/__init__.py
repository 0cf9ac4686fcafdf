"""What is set, in one TOML file: read it, change it, and say which line of it is wrong."""

from ..places import config_path
from .changes import (
    Changes,
    assign,
    set_active_provider,
    set_enable_fallback,
    set_fallback_order,
    set_openrouter_unified,
    set_provider_policies,
    set_provider_settings,
    set_values,
)
from .errors import ConfigError
from .failover import RETRIES, Failover, Price, Spending
from .former_names import DEFAULT_CONFIG, by_former_names
from .providers import provider_options
from .settings import (
    Level,
    OpenRouterUnified,
    ProviderPolicies,
    ProviderSettings,
    SecretReference,
    Settings,
)
from .storage import change_settings, load_settings, wrong_rows

__all__ = [
    "DEFAULT_CONFIG",
    "RETRIES",
    "Changes",
    "ConfigError",
    "Failover",
    "Level",
    "OpenRouterUnified",
    "Price",
    "ProviderPolicies",
    "ProviderSettings",
    "SecretReference",
    "Settings",
    "Spending",
    "assign",
    "by_former_names",
    "change_settings",
    "config_path",
    "load_settings",
    "provider_options",
    "set_active_provider",
    "set_enable_fallback",
    "set_fallback_order",
    "set_openrouter_unified",
    "set_provider_policies",
    "set_provider_settings",
    "set_values",
    "wrong_rows",
]
