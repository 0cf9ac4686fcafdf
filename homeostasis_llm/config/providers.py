"""Tell what a provider is to be made with, as far as the environment and the settings say."""

from __future__ import annotations

import os
from typing import Any

from ..catalog import our_variable
from .settings import Settings


def provider_options(name: str, settings: Settings) -> dict[str, Any]:
    """What `ProviderFactory.create_provider` gives to a provider's constructor unless told otherwise.

    Has only what is set, of `base_url`, `default_model`, `headers`, `timeout` and `api_version`. For the base URL
    `HOMEOSTASIS_<PROVIDER>_BASE_URL` comes before the settings.
    """
    own = settings.provider(name)
    options = {
        "base_url": os.environ.get(our_variable(name, "BASE_URL"), "").strip() or own.base_url,
        "default_model": own.default_model,
        "headers": dict(own.headers) or None,
        "timeout": own.timeout,
        "api_version": own.api_version,
    }
    return {option: given for option, given in options.items() if given is not None}
