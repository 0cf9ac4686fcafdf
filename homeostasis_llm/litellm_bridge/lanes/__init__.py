"""Choose how litellm is called: whole, or its translations alone around our own HTTP clients.

The full lane is `litellm.completion`. The direct lane has litellm's configuration of the provider write the request,
sends it itself, and reads the answer as the provider wrote it. It is for the providers in `proven.toml`:

    direct = ["groq", "openai"]  # litellm's names of those whose requests and answers are proven to be the same
"""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import InvalidRequestError
from ...response import LLMChunk, LLMResponse
from ..exchange import Exchange
from .full import FullCall

if TYPE_CHECKING:
    from .direct import DirectLane

logger = logging.getLogger(__name__)
"""Says at DEBUG which lane each call takes, also in the record's attribute `lane`."""

VARIABLE = "HOMEOSTASIS_LITELLM_LANE"
"""`direct` or `full` for all providers, or for some: `openai=full,groq=direct`. For debugging."""

TABLE = Path(__file__).with_name("proven.toml")
"""The providers that take the direct lane where nobody says otherwise."""


class StreamReading(Protocol):
    """Reads the pieces of one stream."""

    counted: Any
    """The last count of tokens, in litellm's or the provider's own form; for `cost`."""

    def chunks(self, piece: Any) -> Sequence[LLMChunk]:
        """What a piece adds. Raises `InvalidRequestError` where our values refuse it."""

    def last(self, exchange: Exchange) -> LLMChunk:
        """What is known at the end."""


class Call(Protocol):
    """One call, ready to be made once. Exceptions are litellm's own, or the transport's.

    What `complete` and `stream` give is read by the same call's `read` and `reading`.
    """

    lane: str

    def complete(self) -> Any:
        """The answer."""

    def stream(self) -> Iterator[Any]:
        """The answer's pieces."""

    async def acomplete(self) -> Any:
        """`complete` for async callers."""

    async def astream(self) -> AsyncIterator[Any]:
        """`stream` for async callers."""

    def read(self, answer: Any, exchange: Exchange, provider: str) -> tuple[LLMResponse, Any]:
        """Our own value for a whole answer, and its count of tokens for `cost`."""

    def reading(self, provider: str) -> StreamReading:
        """What reads the pieces of a stream."""


class Lanes:
    """The lanes to one provider, which litellm calls `litellm_name`. What the direct one computes once is kept here."""

    def __init__(self, litellm_name: str) -> None:
        self._name = litellm_name
        self._direct: DirectLane | None = None

    def call(self, arguments: Mapping[str, Any], *, stream: bool) -> Call:
        """The call of litellm with `arguments`, by the lane that is wanted and suits.

        Raises `InvalidRequestError` where the variable names no lane; and what litellm raises for what it refuses.
        """
        call = self._chosen(arguments, stream=stream)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: %s lane", self._name, call.lane, extra={"lane": call.lane})
        return call

    def _chosen(self, arguments: Mapping[str, Any], *, stream: bool) -> Call:
        if wanted(self._name) == "direct":
            if self._direct is None:
                from .direct import DirectLane

                self._direct = DirectLane()
            if (call := self._direct.call(arguments, stream=stream)) is not None:
                return call
        return FullCall(arguments)


def wanted(litellm_name: str) -> str:
    """The lane that a provider is to take, where its requests allow it: `direct` or `full`."""
    forced = _forced(os.environ.get(VARIABLE, ""))
    return forced.get(litellm_name) or forced.get("") or ("direct" if litellm_name in proven() else "full")


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
