"""What a dialect is: how answers that are written in it are told from errors, cut into events, and read.

The dialects have a file each, `dialects.py` says who speaks which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...response import LLMChunk, LLMResponse
from ..exchange import Exchange

Event = dict[str, Any]
"""A JSON object: a whole answer, or one event of a stream."""


class Cutter(Protocol):
    """Cuts the body of one stream into its events, as it comes."""

    done: bool
    """Whether the provider said that this was all; what then comes is passed over, and may be cut."""
    failure: ValueError | None
    """Of the event after the last one given, which is none: to be raised once those before it are read."""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that `piece` completes, until a `failure`."""

    def end(self) -> list[Event]:
        """The last ones."""


class Reading(Protocol):
    """Reads the events of one stream."""

    @property
    def counted(self) -> Any:
        """As of `Dialect.counted`."""

    def chunks(self, events: Sequence[Event]) -> list[LLMChunk]:
        """What events add. Raises `InvalidRequestError` where our values refuse it."""

    def last(self, exchange: Exchange) -> LLMChunk:
        """What is known at the end."""


def takes_as_written(options: dict[str, Any]) -> bool:
    """Whether litellm would hand on what the provider writes."""
    # With these it makes something else of an answer: text of a tool's call, a stream of what was none.
    reshaped = [options.pop(name, False) for name in ("json_mode", "fake_stream")]
    return not any(reshaped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One of them. Its functions are given what a provider wrote, unmended."""

    told: Callable[[Mapping[str, Any]], Dialect] | None = None
    """What it is for answers to a request with these parameters, as of `takes`, where they change it."""
    takes: Callable[[dict[str, Any]], bool] = takes_as_written
    """Whether answers to a request with these parameters, in the provider's words, are read; what among them only
    told litellm how to read is taken out."""
    checked: Callable[[object], Event]
    """What it is given, where that is an answer or an event. Raises `ValueError` for an error, and for neither."""
    answer: Callable[[Mapping[str, Any], Exchange, str], LLMResponse]
    """A checked answer of a provider as ours, with what was noted of its exchange."""
    counted: Callable[[Mapping[str, Any]], Any]
    """A checked answer's count of tokens, in any form that `pricing.list_price` takes."""
    reading: Callable[[str], Reading]
    """What reads a stream of a provider."""
    cutter: Callable[[], Cutter]
    """What cuts a stream."""
