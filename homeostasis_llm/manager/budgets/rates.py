"""Keep to requests and tokens a minute per provider, in one process or, through a Redis, in all that share it.

Requests are counted in a moving window, one by one. Tokens are too many for that: theirs is a counter for this window,
and one for the last that fades while this one runs. Both are the `limits` library's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Self, TypeVar

from ...config import ProviderSettings
from ..reach import Reach, UnreachableError
from ..redis import PREFIX, open_redis, reached, shown

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.storage import MemoryStorage, RedisStorage
    from redis import Redis

T = TypeVar("T")

_SOON = 0.001
"""Seconds. A window ends after that moment, not at it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How much a provider may be asked in one window; None for any amount."""

    requests: int | None = None
    tokens: int | None = None

    @classmethod
    def of(cls, settings: ProviderSettings) -> Self:
        """What the settings of a provider say, per minute."""
        return cls(settings.requests_per_minute, settings.tokens_per_minute)


class RateLimits:
    """What providers are still to be asked in this minute. For any number of threads; nothing here waits for a minute.

    While a shared Redis cannot be reached, each process keeps to the limits for itself.
    """

    def __init__(
        self, storage: str = "memory", *, window: int = 60, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`storage` is `memory` or the URL of a Redis, `window` is in seconds; `clock` says when to try a lost Redis.

        Raises `LLMError` without the extra `redis`, and `InvalidRequestError` for what is no such URL.
        """
        self._window = window
        self._own: _Meter | None = None
        self._shared: _Meter | None = None
        self._lock = Lock()
        self._owed: dict[str, int] = {}
        """Tokens that were used and did not fit into the window any more."""
        if storage != "memory":
            self._client = open_redis(storage, "rates")
            self._shared = _Meter(_redis_storage(storage, self._client), window, nullcontext())
            self._reach = Reach(shown(storage), "each process keeps to the rates for itself", self._check, clock)

    def acquire(self, provider: str, rates: Rates, tokens: int = 0) -> float:
        """Count a request of about `tokens`, read and written: 0.0. Or count nothing: seconds until it would fit.

        A request of more tokens than a window has goes when a whole window is free.
        """
        if rates.requests is None and rates.tokens is None:
            return 0.0
        with self._lock:
            wanted = tokens + self._owed.get(provider, 0) if rates.tokens is not None else 0
        cost = wanted if rates.tokens is None else min(wanted, rates.tokens)
        wait = self._metered(lambda meter: meter.take(provider, rates, cost))
        if wait == 0.0 and rates.tokens is not None:
            with self._lock:
                # What others came to owe meanwhile stays.
                owed = self._owed.get(provider, 0) + tokens - cost
                self._owed[provider] = min(max(0, owed), rates.tokens)
        return wait

    def settle(self, provider: str, rates: Rates, estimated: int, actual: int, *, seconds: float = 0.0) -> None:
        """Correct the tokens of a request that was admitted `seconds` ago for `estimated`, and used `actual`."""
        if rates.tokens is None or actual == estimated:
            return
        limit, excess = rates.tokens, actual - estimated
        if excess > 0:
            counted = self._metered(lambda meter: meter.add(provider, limit, excess))
            with self._lock:
                self._owed[provider] = min(self._owed.get(provider, 0) + excess - counted, limit)
            return
        with self._lock:
            owed = self._owed.get(provider, 0)
            self._owed[provider] = max(0, owed + excess)
        # What was counted long ago has faded already; giving back all of it would make room for more than the limit.
        fresh = max(0.0, 1 - seconds / self._window)
        back = int((-excess - min(owed, -excess)) * fresh)
        if back > 0:
            self._metered(lambda meter: meter.add(provider, limit, -back))

    def close(self) -> None:
        """Give back the connections to a Redis."""
        if self._shared is not None:
            self._client.close()

    def _metered(self, action: Callable[[_Meter], T]) -> T:
        shared = self._shared
        if shared is not None:
            try:
                return self._reach.use(partial(_reaching, action, shared))
            except UnreachableError:
                pass
        with self._lock:
            if self._own is None:
                self._own = _Meter(_memory_storage(), self._window, Lock())
        return action(self._own)

    def _check(self) -> None:
        with reached():
            self._client.ping()


class _Meter:
    """The windows of one storage."""

    def __init__(
        self, storage: MemoryStorage | RedisStorage, window: int, turn: AbstractContextManager[object]
    ) -> None:
        """`turn` is held while the windows are looked at and changed."""
        from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

        self._storage = storage
        self._window = window
        self._turn = turn
        self._moving = MovingWindowRateLimiter(storage)
        self._fading = SlidingWindowCounterRateLimiter(storage)

    def take(self, provider: str, rates: Rates, tokens: int) -> float:
        with self._turn:
            # Tokens first, for they can be given back.
            counted = self._item(rates.tokens, "tokens") if rates.tokens is not None and tokens > 0 else None
            if counted is not None and not self._fading.hit(counted, provider, cost=tokens):
                return max(0.0, self._until_tokens(counted, provider, tokens)) + _SOON
            item = None if rates.requests is None else self._item(rates.requests, "requests")
            if item is None or self._moving.hit(item, provider):
                return 0.0
            if counted is not None:
                self._fading.hit(counted, provider, cost=-tokens)
            return max(0.0, self._moving.get_window_stats(item, provider).reset_time - time.time()) + _SOON

    def add(self, provider: str, limit: int, tokens: int) -> int:
        """Count tokens that were used, or give back such that were not: as many as have room in the window."""
        with self._turn:
            item = self._item(limit, "tokens")
            fitting = min(tokens, self._fading.get_window_stats(item, provider).remaining)
            return fitting if fitting != 0 and self._fading.hit(item, provider, cost=fitting) else 0

    def _until_tokens(self, item: RateLimitItem, provider: str, wanted: int) -> float:
        last, last_ends, this, this_ends = self._storage.get_sliding_window(item.key_for(provider), self._window)
        room = item.amount - wanted - this
        if room >= 0:
            # The last window fades evenly, and is gone when `last_ends` seconds have passed.
            return last_ends - room * self._window / last if last > 0 else 0.0
        # This window must end (each counter is kept for another window), and then fade itself.
        return max(0.0, this_ends - self._window) + self._window * (1 - (item.amount - wanted) / this)

    def _item(self, amount: int, what: str) -> RateLimitItem:
        from limits import RateLimitItemPerSecond

        return RateLimitItemPerSecond(amount, self._window, namespace=what)


def _memory_storage() -> MemoryStorage:
    from limits.storage import MemoryStorage

    return MemoryStorage()


def _redis_storage(url: str, client: Redis) -> RedisStorage:
    from limits.storage import RedisStorage

    return RedisStorage(url, connection_pool=client.connection_pool, key_prefix=f"{PREFIX}:rates")


def _reaching(action: Callable[[_Meter], T], meter: _Meter) -> T:
    with reached():
        return action(meter)
