"""Read answers of Ollama's chat into our values.

Some of its models write their thoughts between tags into the text, where litellm finds them. Source:
docs.ollama.com/api/chat. Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litellm.litellm_core_utils.prompt_templates.common_utils import parse_content_for_reasoning

from ...messages import Reasoning, ToolCall
from ...response import (
    FinishReason,
    LLMChunk,
    LLMResponse,
    ToolCallFragment,
    finish_reason_of,
    parse_tool_call,
    text_chunk,
)
from ...usage import Usage
from ..exchange import Exchange
from ..wire import raw_model, raw_usage
from .dialect import Dialect, Event
from .lines import Lines


def takes(options: dict[str, Any]) -> bool:
    """Whether answers to a request with these parameters are read here: with this one, text becomes a tool's call."""
    return "function_name" not in options


def checked(found: object) -> Event:
    """`found`, where it is an answer or a piece of one. Raises `ValueError` for an error, and for what is neither."""
    if not isinstance(found, dict):
        raise ValueError("an answer of Ollama's form is a JSON object")  # noqa: TRY004  # as for what is no JSON at all
    if found.get("error") or not isinstance(found.get("message"), dict):
        raise ValueError("it has no message, which an answer of Ollama's form has")
    return found


def read_answer(raw: Mapping[str, Any], exchange: Exchange, provider: str) -> LLMResponse:
    """A whole answer."""
    message = raw["message"]
    text, thoughts = message.get("content"), message.get("thinking")
    if "thinking" not in message:
        thoughts, text = parse_content_for_reasoning(text)
    calls = [_call(call) for call in _called(message)]
    word, finish = _finish(raw.get("done_reason"), called=bool(calls))
    return LLMResponse(
        content=text or "",
        provider=provider,
        model=raw_model(raw),
        usage=_usage(raw),
        metadata={"finish_reason": word, "response_id": None},
        tool_calls=calls,
        finish_reason=finish,
        reasoning=Reasoning(text=thoughts, provider=provider) if thoughts else None,
        request_id=exchange.request_id,
        latency=exchange.seconds,
    )


def counted(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer's count of tokens, in OpenAI's form."""
    return _in_openais_form(_usage(raw))


class OllamaReading:
    """Reads the pieces of one stream, and keeps what is told beside the text."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._model: str | None = None
        self._word: str | None = None
        self._usage: Usage | None = None
        self._calls = 0
        self._began = self._ended = False
        """Whether thoughts have."""

    @property
    def counted(self) -> Mapping[str, Any]:
        """As of `Dialect.counted`."""
        return _in_openais_form(self._usage)

    def chunks(self, events: Sequence[Event]) -> list[LLMChunk]:
        """What pieces add."""
        return [self._chunk(event) for event in events]

    def last(self, exchange: Exchange) -> LLMChunk:
        """What was told beside the text."""
        word, finish = _finish(self._word, called=bool(self._calls))
        return LLMChunk(
            provider=self._provider,
            model=self._model,
            usage=self._usage,
            finish_reason=finish,
            metadata={"finish_reason": word, "response_id": None},
            request_id=exchange.request_id,
            latency=exchange.seconds,
        )

    def _chunk(self, event: Event) -> LLMChunk:
        message = event["message"]
        self._model = self._model or raw_model(event)
        if event.get("done"):
            self._word, self._usage = event.get("done_reason"), _usage(event)
        text, thoughts = self._parted(_text(message.get("content")), _text(message.get("thinking")))
        chunk = text_chunk(self._provider, text, thoughts)
        if calls := _called(message):
            chunk.tool_calls = [
                ToolCallFragment.of(_call(call), index=index) for index, call in enumerate(calls, self._calls)
            ]
            self._calls += len(calls)
        return chunk

    def _parted(self, text: str, thoughts: str) -> tuple[str, str]:
        """The text and the thoughts, which some models write between tags into the text; as litellm parts them."""
        self._began = self._began or bool(thoughts)
        if not text:
            return "", thoughts
        # Thoughts in a field of their own end where text begins, and those between tags at the second one.
        self._ended = self._ended or self._began
        if "<think>" in text:
            text, self._began = text.replace("<think>", ""), True
        if "</think>" in text and self._began:
            text, self._ended = text.replace("</think>", ""), True
        return ("", text) if self._began and not self._ended else (text, thoughts)


def _call(call: Event) -> ToolCall:
    function = call["function"] if isinstance(call.get("function"), dict) else {}
    return parse_tool_call(function.get("name"), function.get("arguments"), call.get("id"))


def _called(message: Event) -> list[Event]:
    found = message.get("tool_calls")
    return [call for call in found if isinstance(call, dict)] if isinstance(found, list) else []


def _finish(word: str | None, *, called: bool) -> tuple[str, FinishReason]:
    word = word or "stop"  # that of its early versions, which told none
    finish = finish_reason_of(word)
    return word, "tool_calls" if finish == "stop" and called else finish


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


def _usage(raw: Mapping[str, Any]) -> Usage | None:
    usage = Usage.of(raw_usage(raw) or {})
    return None if {usage.input_tokens, usage.output_tokens} <= {None} else usage


def _in_openais_form(usage: Usage | None) -> Mapping[str, Any]:
    if usage is None:
        return {}
    read, written = usage.input_tokens or 0, usage.output_tokens or 0
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


DIALECT = Dialect(
    takes=takes,
    checked=checked,
    answer=read_answer,
    counted=counted,
    reading=OllamaReading,
    cutter=lambda: Lines(checked),
)
