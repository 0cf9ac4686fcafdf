"""Open a Redis that processes share, so that one which is gone or slow costs a request half a second, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import InvalidRequestError, LLMError
from ..redaction import remember
from .reach import UnreachableError

if TYPE_CHECKING:
    from redis import Redis

PREFIX = "homeostasis-llm"
"""What the names of our keys in a Redis begin with."""

_PATIENCE = 0.5
"""Seconds to wait for a connection, and for each answer."""


def open_redis(url: str, what: str) -> Redis:
    """A client for `url`: `redis://…`, `rediss://…` or `unix://…`. It connects when it is used.

    `what` is shared by it, for people. Raises `LLMError` without the extra `redis`, and `InvalidRequestError` for what
    is no such URL.
    """
    if find_spec("redis") is None:
        raise LLMError(f"Sharing {what} through Redis needs a package: pip install 'homeostasis-llm[redis]'")
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        remember(urlsplit(url).password or "")
        # Tries of redis-py's own would make a Redis that is gone cost several times the patience.
        return Redis.from_url(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        raise InvalidRequestError(f"The URL of the Redis that shares {what}: {error}") from None


def shown(url: str) -> str:
    """`url` without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


@contextmanager
def reached() -> Iterator[None]:
    """Turn what the client raises into `UnreachableError`."""
    from redis import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise UnreachableError(" ".join(str(error).split()) or type(error).__name__) from error
