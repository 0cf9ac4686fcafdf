"""Check a key with a provider over HTTP: by its models listing, else by a completion of one token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from ..catalog import ProviderFacts
from ..endpoints import key_endpoint
from ..errors import LLMError
from ..keys.check import KeyCheck
from ..keys.judge import judge
from ..keys.wire import Line, host_of, shown
from ..messages import LLMMessage
from ..request import LLMRequest, Timeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..response import LLMResponse

SECONDS = 10.0
"""How long the question may take."""


class Asked(Protocol):
    """Who is asked with the key that is to be checked."""

    @property
    def default_model(self) -> str:
        """The model for the completion."""

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Asks."""


def check(facts: ProviderFacts, base_url: str, headers: Mapping[str, str], key: str, asked: Asked) -> KeyCheck:
    """What the provider says of `key`; `asked` is itself, with that key."""
    endpoint = key_endpoint(facts, base_url or None)
    if endpoint is None:
        return _by_completion(facts, base_url, key, asked)
    with Line(headers, SECONDS) as line:
        came = line.get(endpoint, key)
    return judge(
        facts,
        key,
        came.found,
        asked=f"GET {shown(endpoint.url)}",
        host=host_of(endpoint.url),
        listing=True,
        seconds=came.seconds,
        timeout=SECONDS,
        at_proxy=came.at_proxy,
    )


def _by_completion(facts: ProviderFacts, base_url: str, key: str, asked: Asked) -> KeyCheck:
    started = time.monotonic()
    found: bool | LLMError = True
    request = LLMRequest(
        messages=[LLMMessage(role="user", content="Hi")],
        max_tokens=1,
        timeout=Timeout(first_byte=SECONDS, total=SECONDS),
    )
    try:
        asked.complete(request)
    except LLMError as error:
        found = error
    return judge(
        facts,
        key,
        found,
        asked=f"one token of {asked.default_model}",
        host=host_of(base_url) if base_url else "",
        model=asked.default_model,
        seconds=time.monotonic() - started,
        timeout=SECONDS,
    )
