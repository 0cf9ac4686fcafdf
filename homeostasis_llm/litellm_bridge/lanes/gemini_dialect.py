"""Read answers of Google's generateContent into our values.

Source: ai.google.dev/api/generate-content. Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from litellm.litellm_core_utils.prompt_templates.factory import encode_tool_call_id_with_signature
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import VertexGeminiConfig

from ...messages import Reasoning
from ...response import FinishReason, LLMChunk, LLMResponse, ToolCallFragment, finish_reason_of, text_chunk
from ...usage import Usage
from ..exchange import Exchange
from ..wire import raw_finish_reason, raw_id, raw_model, raw_usage
from .dialect import Dialect
from .events import Events

Part = Mapping[str, Any]

_IN_PIECES = frozenset({"partialArgs", "willContinue"})
_BY_SERVER = frozenset({"toolCall", "toolResponse"})
_FILTERED = frozenset(
    {"ESCALATION", "IMAGE_OTHER", "NO_IMAGE", "OTHER", "JAILBREAK", "BLOCKED_REASON_UNSPECIFIED"},
)
"""Words for the end of an answer, and for a prompt that gets none, that are a filter's at Google alone."""


def checked(found: object) -> dict[str, Any]:
    """`found`, where it is an answer or an event. Raises `ValueError` for an error, and for what is neither."""
    if not isinstance(found, dict):
        raise ValueError("an answer of Google's form is a JSON object")  # noqa: TRY004  # as for what is no JSON at all
    if found.get("error") or not found.keys() & {"candidates", "promptFeedback", "usageMetadata"}:
        raise ValueError("it has no candidates, which an answer of Google's form has")
    for part in _parts(_candidate(found)):
        call = part.get("functionCall")
        if call is not None and ("name" not in call or ("args" not in call and not _IN_PIECES.isdisjoint(call))):
            raise ValueError("a call of a tool comes in pieces, which are not read")
    return found


def read_answer(raw: Mapping[str, Any], exchange: Exchange, provider: str) -> LLMResponse:
    """A whole answer."""
    candidate = _candidate(raw)
    parts = _parts(candidate)
    text, thoughts = _texts(parts)
    calls = [fragment.to_call() for fragment in _calls(parts, 0)]
    word, finish = _finish(_word(raw), called=bool(calls))
    blocks = [_block(part) for part in parts if part.get("thought") is True]
    payload = {"thinking_blocks": blocks} if blocks else None
    return LLMResponse(
        content=text,
        provider=provider,
        model=raw_model(raw),
        usage=_usage(raw),
        metadata={"finish_reason": word, "response_id": raw_id(raw), **_extras(candidate, parts, text)},
        tool_calls=calls,
        finish_reason=finish,
        reasoning=Reasoning(text=thoughts, provider=provider, payload=payload) if thoughts or payload else None,
        request_id=exchange.request_id,
        latency=exchange.seconds,
    )


class GeminiReading:
    """Reads the events of one stream, and keeps what is told beside the text."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._model: str | None = None
        self._id: str | None = None
        self._word: str | int | None = None
        self._counts: dict[frozenset[str], Mapping[str, Any]] = {}
        self._called = 0
        self.counted: Any = None

    def chunks(self, events: Sequence[Mapping[str, Any]]) -> list[LLMChunk]:
        """What events add."""
        return [self._chunk(event) for event in events]

    def _chunk(self, event: Mapping[str, Any]) -> LLMChunk:
        self._note(event)
        candidate = _candidate(event)
        parts = _parts(candidate)
        text, thoughts = _texts(parts)
        if all(part.keys() == {"text"} for part in parts) and "groundingMetadata" not in candidate:
            return text_chunk(self._provider, text)
        calls = _calls(parts, self._called)
        self._called += len(calls)
        signed = [_block(part) for part in parts if part.get("thought") is True and part.get("thoughtSignature")]
        return LLMChunk(
            text=text,
            reasoning=thoughts,
            reasoning_payload={"thinking_blocks": signed} if signed else None,
            tool_calls=calls,
            provider=self._provider,
            metadata=_extras(candidate, parts, text),
        )

    def last(self, exchange: Exchange) -> LLMChunk:
        """What was told beside the text."""
        word, finish = _finish(self._word, called=bool(self._called))
        return LLMChunk(
            provider=self._provider,
            model=self._model,
            usage=self._usage(),
            finish_reason=finish,
            metadata={"finish_reason": word, "response_id": self._id},
            request_id=exchange.request_id,
            latency=exchange.seconds,
        )

    def _note(self, event: Mapping[str, Any]) -> None:
        self._model = self._model or raw_model(event)
        self._id = self._id or raw_id(event)
        self._word = _word(event) or self._word
        if counts := raw_usage(event):
            self.counted = event
            # The counts grow with each event. Only where other things are counted, those before have something to say.
            kind = frozenset(counts)
            self._counts.pop(kind, None)
            self._counts[kind] = counts

    def _usage(self) -> Usage | None:
        told = [usage for counts in self._counts.values() if (usage := _usage({"usageMetadata": counts})) is not None]
        return reduce(Usage.updated, told) if told else None


def _candidate(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    candidates = raw.get("candidates")
    return candidates[0] if isinstance(candidates, list) and candidates and isinstance(candidates[0], dict) else {}


def _parts(candidate: Mapping[str, Any]) -> list[Part]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _texts(parts: Sequence[Part]) -> tuple[str, str]:
    """The text, and the thoughts."""
    told = [(_text(part), part.get("thought") is True) for part in parts]
    return "".join(text for text, thought in told if not thought), "".join(text for text, thought in told if thought)


def _text(part: Part) -> str:
    if isinstance(text := part.get("text"), str):
        return text
    data = _inline(part)
    # Pictures and sounds are told apart from the text.
    return f"data:{data.get('mimeType')};base64,{data.get('data')}" if data and _kind(data) not in _SHOWN else ""


_SHOWN = frozenset({"image", "audio"})


def _inline(part: Part) -> Mapping[str, Any]:
    found = part.get("inlineData")
    return found if isinstance(found, dict) else {}


def _kind(data: Mapping[str, Any]) -> str:
    return str(data.get("mimeType")).partition("/")[0]


def _calls(parts: Sequence[Part], first: int) -> list[ToolCallFragment]:
    """The calls of tools, numbered from `first`."""
    called = [part for part in parts if part.get("functionCall") is not None]
    return [_call(part, number) for number, part in enumerate(called, first)]


def _call(part: Part, number: int) -> ToolCallFragment:
    call, signature = part["functionCall"], part.get("thoughtSignature")
    call_id = call.get("id") or f"call_{uuid.uuid4().hex[:24]}"
    return ToolCallFragment(
        index=number,
        # As on the full lane: so the signature comes back whoever keeps the conversation.
        id=encode_tool_call_id_with_signature(call_id, signature),
        name=call["name"],
        arguments=json.dumps(call.get("args", {}), ensure_ascii=False),
        payload={"thought_signature": signature} if signature else None,
    )


def _block(part: Part) -> dict[str, Any]:
    """A thought, as litellm writes those of all providers."""
    signature = part.get("thoughtSignature")
    signed = {} if signature is None else {"signature": signature}
    return {"type": "thinking", "thinking": part.get("text", ""), **signed}


def _extras(candidate: Mapping[str, Any], parts: Sequence[Part], text: str) -> dict[str, Any]:
    own: dict[str, Any] = {}
    if signatures := [part["thoughtSignature"] for part in parts if part.get("thoughtSignature") is not None]:
        own["thought_signatures"] = signatures
    if any(not _BY_SERVER.isdisjoint(part) for part in parts):
        own["server_side_tool_invocations"] = VertexGeminiConfig._extract_server_side_tool_invocations(parts)  # noqa: SLF001  # as the full lane does
    shown = [_inline(part) for part in parts if "inlineData" in part]
    extras = {
        "annotations": _annotations(candidate, text) if "groundingMetadata" in candidate else None,
        "provider_specific_fields": own,
        "images": [_picture(data) for data in shown if _kind(data) == "image"],
        "audio": next(({"data": data.get("data")} for data in shown if _kind(data) == "audio"), None),
    }
    return {name: found for name, found in extras.items() if found}


def _annotations(candidate: Mapping[str, Any], text: str) -> Any:
    found = candidate["groundingMetadata"]
    return VertexGeminiConfig._convert_grounding_metadata_to_annotations(  # noqa: SLF001  # as the full lane does
        grounding_metadata=found if isinstance(found, list) else [found], content_text=text
    )


def _picture(data: Mapping[str, Any]) -> dict[str, Any]:
    url = f"data:{data.get('mimeType')};base64,{data.get('data')}"
    return {"image_url": {"url": url, "detail": "auto"}, "index": 0, "type": "image_url"}


def _word(raw: Mapping[str, Any]) -> str | int | None:
    feedback = raw.get("promptFeedback")
    return raw_finish_reason(raw) or (feedback.get("blockReason") if isinstance(feedback, dict) else None)


def _finish(word: str | int | None, *, called: bool) -> tuple[str | int | None, FinishReason]:
    finish = finish_reason_of(word)
    if word in _FILTERED:
        finish = "content_filter"
    # It has one word for an answer and for a call of tools.
    return word, "tool_calls" if finish == "stop" and called else finish


def _usage(raw: Mapping[str, Any]) -> Usage | None:
    told = raw_usage(raw)
    usage = None if told is None else Usage.of(told)
    counted = usage is not None and not {usage.input_tokens, usage.output_tokens, usage.total_tokens} <= {None}
    return usage if counted else None


DIALECT = Dialect(
    checked=checked,
    answer=read_answer,
    counted=lambda answer: answer if raw_usage(answer) else None,
    reading=GeminiReading,
    cutter=lambda: Events(checked),
)
