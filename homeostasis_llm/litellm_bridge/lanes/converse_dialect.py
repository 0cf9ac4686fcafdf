"""Read answers of Bedrock's Converse into our values, by litellm's reading of them.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. Import this only after
`runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from litellm import AmazonConverseConfig, ModelResponse
from litellm.llms.bedrock.common_utils import without_bedrock_route_prefix

from ...response import LLMChunk, LLMResponse, text_chunk
from ..exchange import Exchange
from ..incoming import read_response
from .converse_events import PIECE, ConverseEvents
from .dialect import Dialect, Event
from .full import FullReading

_RAW = "raw"


class _Answer:
    """An answer where litellm reads it from: it wants no more of an HTTP response."""

    def __init__(self, raw: object) -> None:
        self._raw = raw
        self.headers: Mapping[str, str] = {}

    def json(self) -> object:
        return self._raw


def checked(found: object, model: str, options: Mapping[str, Any]) -> Event:
    """`found` and litellm's reading of it, where it is an answer to a request with `options`."""
    if not isinstance(found, dict):
        raise ValueError("an answer of Converse is a JSON object")  # noqa: TRY004  # as for what is no JSON at all
    try:
        read = AmazonConverseConfig().transform_response(
            model=model,
            raw_response=_Answer(found),
            model_response=ModelResponse(),
            logging_obj=None,
            request_data={},
            messages=[],
            optional_params=options,
            litellm_params={},
            encoding=None,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"it is no answer of Converse: {error!r}") from error
    return {_RAW: found, PIECE: read}


def read_answer(answer: Mapping[str, Any], exchange: Exchange, provider: str) -> LLMResponse:
    """A whole answer."""
    return read_response(answer[PIECE], exchange, provider, raw=answer[_RAW])


class ConverseReading:
    """Reads the events of one stream."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._litellms = FullReading(provider)

    @property
    def counted(self) -> Any:
        """litellm's count."""
        return self._litellms.counted

    def chunks(self, events: Sequence[Event]) -> list[LLMChunk]:
        """What events add."""
        return [chunk for event in events for chunk in self._chunks(event)]

    def _chunks(self, event: Event) -> list[LLMChunk]:
        if (piece := event.get(PIECE)) is None:
            return [text_chunk(self._provider, event["delta"]["text"])]
        return self._litellms.chunks(piece)

    def last(self, exchange: Exchange) -> LLMChunk:
        """What is known at the end."""
        return self._litellms.last(exchange)


def dialect(model: str) -> Dialect:
    """That of one model."""
    named = without_bedrock_route_prefix(model)
    general = Dialect(
        takes=_takes,
        checked=lambda found: checked(found, named, {}),
        answer=read_answer,
        counted=lambda answer: answer[PIECE].usage,
        reading=ConverseReading,
        cutter=lambda: ConverseEvents(named, as_json=False),
    )

    def told(options: Mapping[str, Any]) -> Dialect:
        # Some models write the call of a tool, or the answer that has a form, where litellm looks only if it was asked.
        asked = {name: options[name] for name in ("json_mode", "tools") if options.get(name)}
        if not asked:
            return general
        return replace(
            general,
            checked=lambda found: checked(found, named, asked),
            cutter=lambda: ConverseEvents(named, as_json="json_mode" in asked),
        )

    return replace(general, told=told)


def _takes(options: dict[str, Any]) -> bool:
    return not options.pop("fake_stream", False)
