"""Import litellm, once and silently: no price list from the network, no telemetry, no printing, no `.env` file read."""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from types import ModuleType
from unittest.mock import patch

# What litellm reads from the environment while it is imported.
_AT_IMPORT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches the list from the network and prints when it cannot
    "LITELLM_MODE": "PRODUCTION",  # else it loads a `.env` of the working directory into the environment
}


@cache
def load_litellm() -> ModuleType:
    """litellm, set up as we need it. Takes seconds the first time, so it is not called before it must be."""
    mine = "litellm" not in sys.modules
    with patch.dict(os.environ, _AT_IMPORT):
        import litellm
    litellm.telemetry = False
    litellm.suppress_debug_info = True  # else it prints "Give Feedback / Get Help" beside each error
    if mine:
        # A host application that imported litellm first keeps its logging as it set it up.
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
            logger = logging.getLogger(name)
            logger.handlers = [logging.NullHandler()]
    return litellm
