"""Tell what a provider is to be made with, as far as the environment and the settings say."""

from __future__ import annotations

import os
import re
from typing import Any

from ..catalog import canonical_name
from .settings import Settings


def provider_options(name: str, settings: Settings) -> dict[str, Any]:
    """What `ProviderFactory.create_provider` gives to a provider's constructor unless told otherwise.

    Has only what is set, of `base_url`, `default_model`, `headers`, `timeout` and `api_version`. For the base URL
    `HOMEOSTASIS_<PROVIDER>_BASE_URL` comes before the settings.
    """
    own = settings.provider(name)
    options = {
        "base_url": os.environ.get(base_url_variable(name), "").strip() or own.base_url,
        "default_model": own.default_model,
        "headers": dict(own.headers) or None,
        "timeout": own.timeout,
        "api_version": own.api_version,
    }
    return {option: given for option, given in options.items() if given is not None}


def base_url_variable(name: str) -> str:
    """The environment variable for the base URL of that provider, by any of its names."""
    return f"HOMEOSTASIS_{re.sub(r'[^A-Z0-9]', '_', canonical_name(name).upper())}_BASE_URL"
