"""Check a key with its provider, in one round trip where an endpoint is known that refuses a wrong one.

Imports neither litellm nor langchain, unless a key can only be tried by a completion of one token.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from ..catalog import ProviderFacts
from ..errors import LLMError
from .bounded import within
from .check import KeyCheck
from .questions import Call, Get, Matter, Result, steps
from .wire import AsyncLine, Line, Reply

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ..provider import LLMProviderInterface
    from .sealed import Sealed

DEFAULT_SECONDS = 10.0
"""How long a question may take, from the look-up of the host to the last byte of the answer."""


def check_key(
    provider: str | ProviderFacts | LLMProviderInterface,
    api_key: str | SecretStr | Sealed,
    *,
    base_url: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = DEFAULT_SECONDS,
    deep: bool = False,
    model: str | None = None,
) -> KeyCheck:
    """What that provider says of `api_key`; `""` where it may need none.

    `deep` asks for a completion of one token, which also tells about credit and about `model`, and which the provider
    may charge. Without `deep` that is done where nothing else tells a good key from a wrong one. `timeout` is in
    seconds, for each question. Without a `base_url`, the one in the environment counts. Providers of somebody else's,
    registered or of a plugin, are asked themselves: by their `check_key`, or else by their `validate_key`.

    Raises `UnknownProviderError`, `BrokenPluginError`, and `InvalidRequestError` for options that a provider does not
    take. What goes wrong on the way to a provider is an outcome and no exception.
    """
    matter = Matter.of(provider, api_key, base_url=base_url, headers=headers, timeout=timeout, deep=deep, model=model)
    asking = steps(matter)
    with closing(asking), Line(headers, timeout) as line:
        came: Reply | Result | None = None
        while True:
            try:
                step = next(asking) if came is None else asking.send(came)
            except StopIteration as end:
                found: KeyCheck = end.value
                return found
            came = line.get(step.endpoint, step.key) if isinstance(step, Get) else _result(step, timeout)


async def acheck_key(
    provider: str | ProviderFacts | LLMProviderInterface,
    api_key: str | SecretStr | Sealed,
    *,
    base_url: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = DEFAULT_SECONDS,  # noqa: ASYNC109  # it bounds each question, and is an outcome when it is over
    deep: bool = False,
    model: str | None = None,
) -> KeyCheck:
    """`check_key` without blocking the event loop, for many at once."""
    matter = Matter.of(provider, api_key, base_url=base_url, headers=headers, timeout=timeout, deep=deep, model=model)
    asking = steps(matter)
    with closing(asking):
        async with AsyncLine(headers, timeout) as line:
            came: Reply | Result | None = None
            while True:
                try:
                    step = next(asking) if came is None else asking.send(came)
                except StopIteration as end:
                    found: KeyCheck = end.value
                    return found
                if isinstance(step, Get):
                    came = await line.get(step.endpoint, step.key)
                else:
                    came = await _aresult(step, timeout)


def _result(call: Call, timeout: float) -> Result:
    started = time.monotonic()
    try:
        found = call.work() if call.bounded else within(timeout, call.work, "homeostasis-key-check")
    except _told() as error:
        found = error
    return Result(found, time.monotonic() - started)


async def _aresult(call: Call, timeout: float) -> Result:  # noqa: ASYNC109  # as in acheck_key
    import asyncio

    if call.awork is None:
        return await asyncio.to_thread(_result, call, timeout)
    started = time.monotonic()
    try:
        found = await call.awork()
    except _told() as error:
        found = error
    return Result(found, time.monotonic() - started)


def _told() -> tuple[type[Exception], ...]:
    """What a provider's code may raise about its key or its network; anything else is a mistake in it."""
    httpx = sys.modules.get("httpx")
    return (LLMError, OSError) if httpx is None else (LLMError, OSError, httpx.HTTPError)
