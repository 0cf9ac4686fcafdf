"""Import litellm, once and silently: no price list from the network, no telemetry, no printing, no `.env` file read."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from functools import cache
from typing import Any
from unittest.mock import patch

from .._importing import without_collections
from .exchange import current_exchange

# What litellm reads from the environment while it is imported.
_AT_IMPORT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches the list from the network and prints when it cannot
    "LITELLM_MODE": "PRODUCTION",  # else it loads a `.env` of the working directory into the environment
    # Else the first request to Anthropic that has a schema fetches a list from the network; it is read below.
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
}


@cache
def load_litellm() -> Any:
    """litellm, set up as we need it. Takes seconds the first time, so it is not called before it must be."""
    mine = "litellm" not in sys.modules
    loggers = [logging.getLogger(name) for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")] if mine else []
    with without_collections(), patch.dict(os.environ, _AT_IMPORT), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.disabled = True  # at DEBUG, it would print of its own making
        import litellm
        from litellm.anthropic_beta_headers_manager import get_provider_name

        get_provider_name("anthropic")  # reads the list, and keeps it
    # pydantic says this of litellm's own types, at the first call that uses one.
    warnings.filterwarnings("ignore", r"Items? .* on TypedDict class .* using the `ReadOnly` qualifier", UserWarning)
    # Nor do these help anybody: litellm puts one API's counts and parts into the types of another.
    warnings.filterwarnings(
        "ignore", r"Pydantic serializer warnings:\n.*Expected `(ResponseAPIUsage|ContentPartDone)", UserWarning
    )
    litellm.telemetry = False
    litellm.suppress_debug_info = True  # else it prints "Give Feedback / Get Help" beside each error
    from .asides import leave_out_the_asides

    leave_out_the_asides(litellm)
    _read_cohere_as_openai()
    # A host application that imported litellm first keeps its logging as it set it up.
    for logger in loggers:
        logger.handlers = [logging.NullHandler()]
        logger.disabled = False
    return litellm


def _read_cohere_as_openai() -> None:
    """For Cohere's v2 streams, which `mends` turns into OpenAI's form; litellm's own reader of them reads none."""
    from litellm.llms.cohere.chat.v2_transformation import CohereV2ChatConfig
    from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler

    theirs = CohereV2ChatConfig.get_model_response_iterator

    def get_model_response_iterator(self: object, **stream: Any) -> Any:
        if current_exchange() is None:  # a host application's own call of litellm, which nothing mends
            return theirs(self, **stream)
        return OpenAIChatCompletionStreamingHandler(**stream)

    CohereV2ChatConfig.get_model_response_iterator = get_model_response_iterator
