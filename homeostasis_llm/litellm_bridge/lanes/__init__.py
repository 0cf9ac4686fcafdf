"""Choose how litellm is called: whole, or its translations alone around our own HTTP clients.

The full lane is `litellm.completion`. The direct lane has litellm's configuration of the provider write the request,
sends it itself, and reads the answer as the provider wrote it. It is for the providers in `proven.toml`:

    direct = ["groq", "openai"]  # litellm's names of those whose requests and answers are proven to be the same
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from ...errors import InvalidRequestError
from ...response import LLMChunk, LLMResponse
from ..exchange import Exchange

VARIABLE = "HOMEOSTASIS_LITELLM_LANE"
"""`direct` or `full` for all providers, or for some: `openai=full,groq=direct`. For debugging."""

TABLE = Path(__file__).with_name("proven.toml")
"""The providers that take the direct lane where nobody says otherwise."""


class StreamReading(Protocol):
    """Reads the pieces of one stream."""

    counted: Any
    """The last count of tokens, in litellm's or the provider's own form; for `cost`."""

    def chunk(self, piece: Any) -> LLMChunk:
        """What a piece adds. Raises `InvalidRequestError` where our values refuse it."""

    def last(self, exchange: Exchange) -> LLMChunk:
        """What is known at the end."""


class Lane(Protocol):
    """A way from the arguments of `litellm.completion` to an answer. Exceptions are litellm's own, or the transport's.

    What `complete` and `stream` give is read by the same lane's `read` and `reading`.
    """

    name: str

    def complete(self, arguments: dict[str, Any]) -> Any:
        """The answer."""

    def stream(self, arguments: dict[str, Any]) -> Iterator[Any]:
        """The answer's pieces."""

    async def acomplete(self, arguments: dict[str, Any]) -> Any:
        """`complete` for async callers."""

    async def astream(self, arguments: dict[str, Any]) -> AsyncIterator[Any]:
        """`stream` for async callers."""

    def read(self, answer: Any, exchange: Exchange, provider: str) -> tuple[LLMResponse, Any]:
        """Our own value for a whole answer, and its count of tokens for `cost`."""

    def reading(self, provider: str) -> StreamReading:
        """What reads the pieces of one stream."""


def lane_for(litellm_name: str, arguments: Mapping[str, Any]) -> Lane:
    """The lane that this call takes: the direct one where it is proven for the provider, and suits the request.

    Raises `InvalidRequestError` for a variable that says neither.
    """
    from .full import FullLane

    forced = _forced(os.environ.get(VARIABLE, ""))
    wanted = forced.get(litellm_name) or forced.get("") or ("direct" if litellm_name in proven() else "full")
    if wanted == "full":
        return FullLane()
    from .direct import DirectLane, suits

    return DirectLane() if suits(arguments) else FullLane()


@cache
def proven() -> frozenset[str]:
    """litellm's names of the providers whose direct lane is proven."""
    return frozenset(tomllib.loads(TABLE.read_text(encoding="utf-8"))["direct"])


@lru_cache(maxsize=8)
def _forced(said: str) -> Mapping[str, str]:
    """Lanes by litellm's names of providers; that for all others by the empty name."""
    lanes = {}
    for word in said.replace(" ", "").split(",") if said.strip() else ():
        name, _, lane = word.rpartition("=")
        if lane not in {"direct", "full"}:
            raise InvalidRequestError(
                f"{VARIABLE}: must be direct, full, or lanes of providers as in openai=full,groq=direct; got {word!r}"
            )
        lanes[name] = lane
    return lanes
