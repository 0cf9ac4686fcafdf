"""Keep litellm from what it does beside a call: fetching from elsewhere, making event loops, importing its gateway."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any


def leave_out_the_asides(litellm: Any) -> None:
    """To be done once, before the first call."""
    _fetch_nothing(litellm)
    _leave_event_loops_alone(litellm)
    _leave_the_gateway_alone()


def _fetch_nothing(litellm: Any) -> None:
    """Keep calls from asking Hugging Face's hub, which half of them have nothing to do with, and Lemonade's server.

    litellm fetches a tokenizer from the hub, in up to half a minute, to count by itself what an answer did not count;
    and, at each call of a model there, its configuration, to know how long a context may be. For the same it asks
    Lemonade five times a call, most of them at the port of older versions, wherever the server is.
    """
    litellm.disable_hf_tokenizer_download = True
    litellm.utils._get_max_position_embeddings = _unknown  # noqa: SLF001  # it has no public switch
    litellm.LemonadeChatConfig.get_model_info = _unknown


def _unknown(*_: object, **__: object) -> None:
    return None


def _leave_event_loops_alone(litellm: Any) -> None:
    """Keep a sync call from making an event loop that nobody closes, or from putting tasks into the caller's.

    litellm does so after each call, to tell its service callbacks how long it took. Without such callbacks, which is
    how it comes, there is nobody to tell.
    """
    from litellm._service_logger import ServiceLogging

    dispatch = ServiceLogging._dispatch_from_sync  # noqa: SLF001  # it has no public switch

    def _dispatch_from_sync(hook: Callable[[], Coroutine[object, object, None]]) -> None:
        if litellm.service_callback:
            dispatch(hook)

    ServiceLogging._dispatch_from_sync = staticmethod(_dispatch_from_sync)  # noqa: SLF001  # as above


def _leave_the_gateway_alone() -> None:
    """Keep requests for OpenAI's Responses API from litellm's gateway for MCP servers, where there can be none.

    It imports the package `mcp`, which litellm does not declare, before it looks whether a request is one for it.
    """
    if find_spec("mcp") is None:
        from litellm.responses import main

        main._responses_try_dispatch_mcp_gateway = _not_for_the_gateway  # noqa: SLF001  # as above


def _not_for_the_gateway(**_: object) -> None:
    return None
