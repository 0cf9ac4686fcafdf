"""Read answers of Cohere's chat, version 2, into our values.

Source: docs.cohere.com/reference/chat and chat-stream. Import this only after `runtime.load_litellm`: it needs litellm
itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from litellm.llms.cohere.chat.v2_transformation import CohereV2ChatConfig

from ...messages import Reasoning, ToolCall
from ...response import LLMChunk, LLMResponse, ToolCallFragment, finish_reason_of, parse_tool_call, text_chunk
from ...usage import Usage
from ..exchange import Exchange
from ..wire import raw_id, raw_usage
from .dialect import Dialect, Event
from .events import Events


def dialect(model: str) -> Dialect:
    """That of a model; answers do not name it."""
    return Dialect(
        takes=lambda _: True,
        checked=checked,
        answer=partial(read_answer, model),
        counted=counted,
        reading=partial(CohereReading, model),
        cutter=lambda: Events(checked),
    )


def checked(found: object) -> Event:
    """`found`, where it is an answer or an event. Raises `ValueError` for an error, and for what is neither."""
    if not isinstance(found, dict):
        raise ValueError("an answer of Cohere's form is a JSON object")  # noqa: TRY004  # as for what is no JSON at all
    if found.get("error") or _dict(found.get("delta")).get("error"):
        raise ValueError("it tells an error")
    if not _dict(found.get("message")) and "type" not in found:
        raise ValueError("it has no message, which an answer of Cohere's form has")
    return found


def read_answer(model: str, raw: Mapping[str, Any], exchange: Exchange, provider: str) -> LLMResponse:
    """A whole answer."""
    message = _dict(raw.get("message"))
    word = raw.get("finish_reason")
    thoughts = _joined(message, "thinking")
    notes = CohereV2ChatConfig()._translate_citations_to_openai_annotations(_dicts(message.get("citations")))  # noqa: SLF001  # litellm's names for them
    return LLMResponse(
        content=_joined(message, "text"),
        provider=provider,
        model=model,
        usage=_usage(raw),
        metadata={"finish_reason": word, "response_id": raw_id(raw), **({"annotations": notes} if notes else {})},
        tool_calls=[_call(call) for call in _dicts(message.get("tool_calls"))],
        finish_reason=finish_reason_of(word),
        reasoning=Reasoning(text=thoughts, provider=provider) if thoughts else None,
        request_id=exchange.request_id,
        latency=exchange.seconds,
    )


def counted(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer's count of tokens, in OpenAI's form."""
    return _in_openais_form(_usage(raw))


class CohereReading:
    """Reads the events of one stream, and keeps what is told beside the text."""

    def __init__(self, model: str, provider: str) -> None:
        self._model, self._provider = model, provider
        self._id: str | None = None
        self._word: str | None = None
        self._usage: Usage | None = None

    @property
    def counted(self) -> Mapping[str, Any]:
        """As of `Dialect.counted`."""
        return _in_openais_form(self._usage)

    def chunks(self, events: Sequence[Event]) -> list[LLMChunk]:
        """What events add."""
        return [chunk for event in events for chunk in self._read(event)]

    def last(self, exchange: Exchange) -> LLMChunk:
        """What was told beside the text."""
        return LLMChunk(
            provider=self._provider,
            model=self._model,
            usage=self._usage,
            finish_reason=finish_reason_of(self._word),
            metadata={"finish_reason": self._word, "response_id": self._id},
            request_id=exchange.request_id,
            latency=exchange.seconds,
        )

    def _read(self, event: Event) -> Sequence[LLMChunk]:
        delta = _dict(event.get("delta"))
        message = _dict(delta.get("message"))
        match event.get("type"):
            case "content-start" | "content-delta":
                content = _dict(message.get("content"))
                chunks = self._said(content.get("text"), content.get("thinking"))
            case "tool-call-start" | "tool-call-delta":
                chunks = self._called(event.get("index"), _dict(message.get("tool_calls")))
            case "message-start":
                self._id, chunks = raw_id(event), ()
            case "message-end":
                self._word, self._usage, chunks = delta.get("finish_reason"), _usage(event), ()
            case None:  # the whole answer, of a server that knows no streams
                chunks = self._whole(event)
            case _:  # what the model plans and cites, the ends of parts, or what is not known yet
                chunks = ()
        return chunks

    def _said(self, text: object, thoughts: object) -> Sequence[LLMChunk]:
        said = [found if isinstance(found, str) else "" for found in (text, thoughts)]
        return (text_chunk(self._provider, *said),) if any(said) else ()

    def _called(self, index: object, call: Event) -> Sequence[LLMChunk]:
        function = _dict(call.get("function"))
        fragment = ToolCallFragment(
            index=index if isinstance(index, int) else 0,
            id=call.get("id"),
            name=function.get("name"),
            arguments=function.get("arguments") or "",
        )
        return (LLMChunk(provider=self._provider, tool_calls=[fragment]),)

    def _whole(self, raw: Event) -> Sequence[LLMChunk]:
        message = _dict(raw.get("message"))
        self._id, self._word, self._usage = raw_id(raw), raw.get("finish_reason"), _usage(raw)
        calls = enumerate(_dicts(message.get("tool_calls")))
        return (
            *self._said(_joined(message, "text"), _joined(message, "thinking")),
            *(chunk for index, call in calls for chunk in self._called(index, call)),
        )


def _joined(message: Event, kind: str) -> str:
    told = (part.get(kind) for part in _dicts(message.get("content")))
    return "".join(text for text in told if isinstance(text, str))


def _call(call: Event) -> ToolCall:
    function = _dict(call.get("function"))
    return parse_tool_call(function.get("name"), function.get("arguments"), call.get("id"))


def _usage(raw: Mapping[str, Any]) -> Usage | None:
    usage = Usage.of(raw_usage(raw) or {})
    return None if {usage.input_tokens, usage.output_tokens} <= {None} else usage


def _in_openais_form(usage: Usage | None) -> Mapping[str, Any]:
    if usage is None:
        return {}
    read, written = usage.input_tokens or 0, usage.output_tokens or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _dict(found: object) -> Event:
    return found if isinstance(found, dict) else {}


def _dicts(found: object) -> list[Event]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
