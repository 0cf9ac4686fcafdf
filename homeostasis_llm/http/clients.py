"""Keep HTTP clients: one for sync calls, and one for each event loop. Connections are used again."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator
from typing import TypeAlias

import httpx

_Kept: TypeAlias = weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None]]]
"""Each loop's client, and what closes it."""


class Clients:
    """Made when first asked for; each is closed with its event loop, or with the provider.

    They follow no redirects: the key would go along.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sync: httpx.Client | None = None
        self._async: _Kept = weakref.WeakKeyDictionary()

    def sync_client(self) -> httpx.Client:
        """For calls without an event loop."""
        with self._lock:
            if self._sync is None:
                self._sync = httpx.Client(timeout=None)  # noqa: S113  # set for each request
                weakref.finalize(self, self._sync.close)
            return self._sync

    async def async_client(self) -> httpx.AsyncClient:
        """For the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._async.get(loop)
        if known is not None:
            return known[0]
        client = httpx.AsyncClient(timeout=None)  # noqa: S113  # as above
        # A loop closes the async generators it has seen begin before it closes itself: the one hook it offers.
        keeper = _until_the_loop_ends(client, self._async)
        await anext(keeper)
        with self._lock:
            self._async[loop] = (client, keeper)
        return client

    def close(self) -> None:
        """Close the sync client; those of event loops are closed with their loops."""
        with self._lock:
            if self._sync is not None:
                self._sync.close()
            self._sync = None
            self._async.clear()


async def _until_the_loop_ends(client: httpx.AsyncClient, kept: _Kept) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        # What is kept holds the loop, so that it would never be let go of.
        loop = asyncio.get_running_loop()
        if loop in kept and kept[loop][0] is client:
            del kept[loop]
        await client.aclose()
