"""Give litellm HTTP clients of ours, whichever kind its route to a provider asks for.

Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator
from functools import cache
from typing import Any, NamedTuple
from urllib.request import getproxies

import httpx
import litellm
import openai
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

from .exchange import async_hooks, current_exchange, sync_hooks
from .over_aiohttp import CONNECTIONS, KEPT_SECONDS, AiohttpTransport

_LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=100, keepalive_expiry=KEPT_SECONDS)
"""With httpx's own, of 100 threads that ask at once 80 would connect anew each time, and the next would fail to."""


class _NoCookies(httpx.Cookies):
    """Keeps none. No provider's API wants one back, and what one key was given is no other key's business."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


_NO_COOKIES = _NoCookies()


class _HTTP(httpx.Client):
    @property  # type: ignore[misc]  # nobody sets them
    def cookies(self) -> httpx.Cookies:
        return _NO_COOKIES


class _AsyncHTTP(httpx.AsyncClient):
    @property  # type: ignore[misc]  # as above
    def cookies(self) -> httpx.Cookies:
        return _NO_COOKIES


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


@cache
def _share_ours() -> None:
    """Have litellm find our clients where it keeps those that it shares between calls; calls of others find theirs.

    It takes one from there for some providers (Cohere, Cloudflare) and one API of others (OpenAI's Responses, asked
    from an event loop), where it does not hand on the client it was given.
    """
    shared = litellm.in_memory_llm_clients_cache
    found = shared.get_cache

    def get_cache(key: str, *rest: Any, **more: Any) -> Any:
        kind = next((kind for prefix, kind in _SHARED_KINDS.items() if key.startswith(prefix)), None)
        exchange = current_exchange()
        if kind is not None and exchange is not None and isinstance(exchange.handler, kind):
            return exchange.handler
        return found(key, *rest, **more)

    shared.get_cache = get_cache


_SHARED_KINDS = {"httpx_client": HTTPHandler, "async_httpx_client": AsyncHTTPHandler}


def _proxied() -> bool:
    """Whether the environment, or the system, names a proxy for HTTP."""
    return not getproxies().keys().isdisjoint(("http", "https", "all"))


@cache
def _tls() -> Any:
    """One TLS context for all clients: making one reads hundreds of certificates."""
    return httpx.create_ssl_context()


def _options() -> dict[str, Any]:
    """What all clients have. The timeout is set with each request."""
    return {"verify": _tls(), "timeout": None, "limits": _LIMITS}


class Clients:
    """The HTTP clients of one provider: one for sync calls, and one for each event loop, made when first asked for.

    Each is closed with its event loop or with the provider, at the latest when the interpreter exits.
    """

    def __init__(self, litellm_name: str, api_key: str, base_url: str | None, api_version: str | None) -> None:
        self._name = litellm_name
        self._api_key, self._base_url, self._api_version = api_key, base_url, api_version
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._sync: _Pair | None = None
        self._async: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[_Pair, Any]]
        self._async = weakref.WeakKeyDictionary()
        _share_ours()

    def sync_client(self) -> Any:
        """What to pass to `litellm.completion` as `client`, in the call that is under way."""
        with self._lock:
            if self._sync is None:
                self._http = _HTTP(event_hooks=sync_hooks(), **_options())
                weakref.finalize(self, self._http.close)
                self._sync = self._dressed(_Client, openai.OpenAI, openai.AzureOpenAI, self._http)
            pair = self._sync
        return self._lent(pair)

    async def async_client(self) -> Any:
        """What to pass to `litellm.acompletion` as `client`, for the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._async.get(loop)
        if known is not None:
            return self._lent(known[0])
        # httpx heeds the environment's proxies only with a transport of its own.
        transport = None if _proxied() else AiohttpTransport(verify=_tls())
        http = _AsyncHTTP(event_hooks=async_hooks(), transport=transport, **_options())
        pair = self._dressed(_AsyncClient, openai.AsyncOpenAI, openai.AsyncAzureOpenAI, http)
        # A loop closes the async generators it has seen begin before it closes itself: the one hook it offers.
        keeper = _until_the_loop_ends(http)
        await anext(keeper)
        with self._lock:
            self._async[loop] = (pair, keeper)
        return self._lent(pair)

    def close(self) -> None:
        """Close the sync client; those of event loops are closed with their loops."""
        with self._lock:
            if self._http is not None:
                self._http.close()
            self._http = self._sync = None
            self._async.clear()

    def _lent(self, pair: _Pair) -> Any:
        """What `pair` has for the call that is under way."""
        if (exchange := current_exchange()) is not None:
            exchange.handler, exchange.litellm_name = pair.handler, self._name
        return pair.client

    def _dressed(self, wrapper: Any, sdk: Any, azure_sdk: Any, http: Any) -> _Pair:
        if self._name in {"azure", "azure_text"}:
            client = _never_retrying(azure_sdk)(
                api_key=self._api_key,
                azure_endpoint=self._base_url or "",
                api_version=self._api_version or _azure_version(),
                http_client=http,
                max_retries=0,
            )
            return _Pair(client, wrapper(http, client))
        both = wrapper(http, sdk(api_key=self._api_key, base_url=self._base_url, http_client=http, max_retries=0))
        return _Pair(both, both)


def _never_retrying(sdk: Any) -> Any:
    """The SDK's class, with retries that stay off: litellm turns them on for some of Azure's models."""
    return type(sdk.__name__, (sdk,), {"max_retries": property(lambda _: 0, lambda *_: None)})


def _azure_version() -> str:
    """As litellm finds it: the SDK looks at other variables, and has none of its own."""
    named = os.environ.get("AZURE_API_VERSION") or os.environ.get("OPENAI_API_VERSION")
    return named or str(litellm.AZURE_DEFAULT_API_VERSION)


class _Pair(NamedTuple):
    """What litellm is given as `client`, and its own kind of client; one object wherever one will do."""

    client: Any
    handler: Any


async def _until_the_loop_ends(http: httpx.AsyncClient) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await http.aclose()
