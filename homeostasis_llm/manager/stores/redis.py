"""Keep health in a Redis, for any number of machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from urllib.parse import urlsplit

from ...errors import InvalidRequestError, LLMError
from ...redaction import remember
from ..health import UNTRIED, Health
from ..target import Target
from .base import Change
from .shared import SharedStore, UnreachableError

HASH = "homeostasis-llm:health"
"""The key of the hash that holds everything: a field for each target."""

_PATIENCE = 0.5
"""Seconds to wait for a connection, and for each answer."""

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
        if find_spec("redis") is None:
            raise LLMError("Sharing health through Redis needs a package: pip install 'homeostasis-llm[redis]'")
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            parts = urlsplit(url)
            remember(parts.password or "")
            self.name = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
            # Tries of redis-py's own would make a Redis that is gone cost a request several times the patience.
            self._client = Redis.from_url(
                url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0)
            )
        except ValueError as error:
            raise InvalidRequestError(f"The URL of the Redis that shares health: {error}") from None
        self._swap = self._client.register_script(_SWAP)

    def check(self) -> None:
        with _reached():
            self._client.ping()

    def read_all(self) -> dict[Target, Health]:
        with _reached():
            found = self._client.hgetall(HASH)
        return {target: Health.read(text) for name, text in found.items() if (target := _target(name)) is not None}

    def update(self, target: Target, change: Change) -> Health:
        field = json.dumps([target.provider, target.model, target.key])
        with _reached():
            for _ in range(_TRIES):
                before = self._client.hget(HASH, field)
                health = change(UNTRIED if before is None else Health.read(before))
                if self._swap([HASH], [field, before or b"", health.to_json(), _KEPT]):
                    return health
        raise UnreachableError("too many others write to it at the same time")

    def clear(self, provider: str | None) -> None:
        with _reached():
            if provider is None:
                self._client.delete(HASH)
                return
            for name in self._client.hkeys(HASH):
                target = _target(name)
                if target is not None and target.provider == provider:
                    self._client.hdel(HASH, name)

    def close(self) -> None:
        self._client.close()


@contextmanager
def _reached() -> Iterator[None]:
    from redis import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise UnreachableError(" ".join(str(error).split()) or type(error).__name__) from error


def _target(name: bytes | str) -> Target | None:
    """Whose health a field holds; None for one that is not ours."""
    try:
        match json.loads(name):
            case [str() as provider, str() as model, str() as key]:
                return Target(provider, model, key)
    except ValueError:
        pass
    return None
