"""The surroundings of every measured process: no proxies, no keys, no telemetry, nobody's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_OUT = ("_PROXY", "_API_KEY", "_TOKEN", "_BASE_URL", "_API_BASE")
_OUT_FROM_THE_START = ("HOMEOSTASIS_", "LANGCHAIN_", "LANGSMITH_", "LITELLM_", "OTEL_", "LOGFIRE_", "OPENAI_", "LLM_")
LANE = "HOMEOSTASIS_LITELLM_LANE"
"""Passed on, so that lanes can be compared."""


@contextmanager
def surroundings() -> Iterator[dict[str, str]]:
    """Environment variables for a measured process, with an empty home that goes with this."""
    with TemporaryDirectory() as home:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name == LANE or not (name.upper().endswith(_OUT) or name.startswith(_OUT_FROM_THE_START))
        }
        # Modules are to be found compiled, as they are for users from the second start on.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        yield kept | {
            "HOME": home,
            "XDG_CONFIG_HOME": str(Path(home, "config")),
            "XDG_DATA_HOME": str(Path(home, "data")),
            "XDG_STATE_HOME": str(Path(home, "state")),
            "XDG_CACHE_HOME": str(Path(home, "cache")),
            "LLM_USER_PATH": str(Path(home, "llm")),
            "LLM_LOAD_PLUGINS": "",  # the package with our model's file calls itself one, and lacks what it needs
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise it asks GitHub for prices when it is imported
            "LANGSMITH_TRACING": "false",
            "OTEL_SDK_DISABLED": "true",
            "ANY_LLM_UNIFIED_EXCEPTIONS": "1",
            "NO_PROXY": "*",
        }
