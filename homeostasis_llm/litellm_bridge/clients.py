"""Give litellm HTTP clients of ours, whichever kind its route to a provider asks for.

Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from functools import cache
from typing import Any

import httpx
import openai
from litellm.llms.custom_httpx.http_handler import (
    AsyncHTTPHandler,
    HTTPHandler,
    get_async_httpx_client,
    get_httpx_client,
)

from .exchange import async_hooks, sync_hooks


class _NoSDK:
    """Stands for the OpenAI SDK's client on the routes that have no use for one."""


class _Client(HTTPHandler):  # type: ignore[misc]  # litellm is not type-checked: see pyproject.toml
    """litellm's own kind of client around our httpx client, and the OpenAI SDK's kind for the routes that want that.

    `litellm.completion` takes one `client` for any provider, but half of its routes want an `HTTPHandler` and the other
    half an `openai.OpenAI`; which is which changes with its releases.
    """

    def __init__(self, http: httpx.Client, sdk: object) -> None:
        super().__init__(client=http)
        self._sdk = sdk

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self).get("_sdk", _NoSDK), name)


class _AsyncClient(AsyncHTTPHandler):  # type: ignore[misc]  # as above
    """`_Client` for async calls."""

    def __init__(self, http: httpx.AsyncClient, sdk: object) -> None:
        # With a transport given, the constructor makes no TLS context for a client that is replaced at once.
        super().__init__(transport=httpx.AsyncHTTPTransport(verify=_tls()))
        self.client = http
        self._sdk = sdk

    async def single_connection_post_request(self, *_: object, **__: object) -> Any:
        """litellm's second try after a lost connection, which is not its to make."""
        raise httpx.RemoteProtocolError("the connection was lost")

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self).get("_sdk", _NoSDK), name)


# litellm passes no client on to these; they share clients that it makes and keeps.
_WITHOUT_A_CLIENT_OF_OURS = frozenset(
    {"cohere", "cohere_chat", "anthropic_text", "oobabooga", "text-completion-codestral", "maritalk", "cloudflare"}
    | {"amazon_nova", "custom"}
)


def _watch(http: httpx.Client | httpx.AsyncClient, hooks: dict[str, list[Callable[..., Any]]]) -> None:
    """Have a client that is not ours report to our exchanges too; to it, calls of others look as before."""
    if hooks["request"][0] not in http.event_hooks["request"]:
        http.event_hooks = {event: [*http.event_hooks[event], *hooks[event]] for event in hooks}


@cache
def _tls() -> Any:
    """One TLS context for all clients: making one reads hundreds of certificates."""
    return httpx.create_ssl_context()


class Clients:
    """The HTTP clients of one provider: one for sync calls, and one for each event loop, made when first asked for.

    Each is closed with its event loop or with the provider, at the latest when the interpreter exits.
    """

    def __init__(self, litellm_name: str, api_key: str, base_url: str | None, api_version: str | None) -> None:
        self._name = litellm_name
        self._api_key, self._base_url, self._api_version = api_key, base_url, api_version
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._sync: Any = None
        self._async: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Any, Any]] = weakref.WeakKeyDictionary()

    def sync_client(self) -> Any:
        """What to pass to `litellm.completion` as `client`."""
        if self._name in _WITHOUT_A_CLIENT_OF_OURS:
            _watch(get_httpx_client(params={"ssl_verify": None}).client, sync_hooks())
        with self._lock:
            if self._sync is None:
                self._http = httpx.Client(event_hooks=sync_hooks(), verify=_tls(), timeout=None)  # noqa: S113  # set per request
                weakref.finalize(self, self._http.close)
                self._sync = self._dressed(_Client, openai.OpenAI, openai.AzureOpenAI, self._http)
            return self._sync

    async def async_client(self) -> Any:
        """What to pass to `litellm.acompletion` as `client`, for the running event loop."""
        if self._name in _WITHOUT_A_CLIENT_OF_OURS:
            _watch(get_async_httpx_client(self._name, params={"ssl_verify": None}).client, async_hooks())
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._async.get(loop)
        if known is not None:
            return known[0]
        http = httpx.AsyncClient(event_hooks=async_hooks(), verify=_tls(), timeout=None)  # noqa: S113  # set per request
        client = self._dressed(_AsyncClient, openai.AsyncOpenAI, openai.AsyncAzureOpenAI, http)
        # A loop closes the async generators it has seen begin before it closes itself: the one hook it offers.
        keeper = _until_the_loop_ends(http)
        await anext(keeper)
        with self._lock:
            self._async[loop] = (client, keeper)
        return client

    def close(self) -> None:
        """Close the sync client; those of event loops are closed with their loops."""
        with self._lock:
            if self._http is not None:
                self._http.close()
            self._http = self._sync = None
            self._async.clear()

    def _dressed(self, wrapper: Any, sdk: Any, azure_sdk: Any, http: Any) -> Any:
        if self._name in {"azure", "azure_text"}:
            return azure_sdk(
                api_key=self._api_key,
                azure_endpoint=self._base_url or "",
                api_version=self._api_version,
                http_client=http,
                max_retries=0,
            )
        return wrapper(http, sdk(api_key=self._api_key, base_url=self._base_url, http_client=http, max_retries=0))


async def _until_the_loop_ends(http: httpx.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await http.aclose()
