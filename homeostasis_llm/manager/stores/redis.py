"""Keep health in a Redis, for any number of machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from ..health import UNTRIED, Health
from ..reach import UnreachableError
from ..redis import PREFIX, open_redis, reached, shown
from ..target import Target
from .base import Change
from .shared import SharedStore

HASH = f"{PREFIX}:health"
"""The key of the hash that holds everything: a field for each target."""

_KEPT = 7 * 86_400
"""Seconds after the last writing until all is forgotten."""

_TRIES = 100
"""More than there are processes that write to one target at the same moment."""

# Written only where what it was made from is still there; one step for Redis, so that nobody comes in between.
_SWAP = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""


class RedisStore(SharedStore):
    """A `HealthStore` in a Redis. One that is gone or slow is done without until it comes back."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`url` as redis-py takes it: `redis://…`, `rediss://…` or `unix://…`. Nothing is connected yet.
        `clock` gives seconds, to look and write as often as `SharedStore` says.

        Raises `LLMError` without the extra `redis`, and `InvalidRequestError` for what is no such URL.
        """
        super().__init__(_Redis(url), clock)


class _Redis:
    def __init__(self, url: str) -> None:
        self._client = open_redis(url, "health")
        self.name = shown(url)
        self._swap = self._client.register_script(_SWAP)

    def check(self) -> None:
        with reached():
            self._client.ping()

    def read_all(self) -> dict[Target, Health]:
        with reached():
            found = self._client.hgetall(HASH)
        return {target: Health.read(text) for name, text in found.items() if (target := _target(name)) is not None}

    def update(self, target: Target, change: Change) -> Health:
        field = json.dumps([target.provider, target.model, target.key])
        with reached():
            for _ in range(_TRIES):
                before = self._client.hget(HASH, field)
                health = change(UNTRIED if before is None else Health.read(before))
                if self._swap([HASH], [field, before or b"", health.to_json(), _KEPT]):
                    return health
        raise UnreachableError("too many others write to it at the same time")

    def clear(self, provider: str | None) -> None:
        with reached():
            if provider is None:
                self._client.delete(HASH)
                return
            for name in self._client.hkeys(HASH):
                target = _target(name)
                if target is not None and target.provider == provider:
                    self._client.hdel(HASH, name)

    def close(self) -> None:
        self._client.close()


def _target(name: bytes | str) -> Target | None:
    """Whose health a field holds; None for one that is not ours."""
    try:
        match json.loads(name):
            case [str() as provider, str() as model, str() as key]:
                return Target(provider, model, key)
    except ValueError:
        pass
    return None
