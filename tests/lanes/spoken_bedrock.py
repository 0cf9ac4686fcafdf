"""What Bedrock's server says to Converse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeostasis_llm.litellm_bridge.frames import MEDIA_TYPE
from homeostasis_llm.testing.conformance.wires.bedrock import _frame

from .replies import ANYBODYS, Reply, Spoken

_USAGE = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
_METADATA = _frame("metadata", {"usage": _USAGE, "metrics": {"latencyMs": 1}})
_TRACE = {"guardrail": {"inputAssessment": {"g1": {"topicPolicy": {"topics": [{"name": "Weather", "type": "DENY"}]}}}}}
_USE = {"toolUseId": "tooluse_1", "name": "weather"}


def _answer(*content: Mapping[str, Any], **said: Any) -> dict[str, Any]:
    """An answer; a field that is None is left out."""
    answer = {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": "end_turn",
        "usage": _USAGE,
        "metrics": {"latencyMs": 1},
        **said,
    }
    return {name: told for name, told in answer.items() if told is not None}


def _error(status: int, kind: str, message: str) -> Reply:
    return {"status": status, "json": {"message": message}, "headers": {"x-amzn-errortype": f"{kind}:http://aws"}}


def _begun(index: int, **start: Any) -> bytes:
    return _frame("contentBlockStart", {"contentBlockIndex": index, "start": start})


def _more(index: int, **delta: Any) -> bytes:
    return _frame("contentBlockDelta", {"contentBlockIndex": index, "delta": delta, "p": "abc"})


def _ended(index: int) -> bytes:
    return _frame("contentBlockStop", {"contentBlockIndex": index})


def _stopped(reason: str = "end_turn") -> bytes:
    return _frame("messageStop", {"stopReason": reason})


def _stream(*frames: bytes, **more: Any) -> Reply:
    return {"headers": {"content-type": MEDIA_TYPE}, "chunks": [_START, *frames], **more}


_START = _frame("messageStart", {"role": "assistant"})
_HE = _more(0, text="He")
_END = _stopped() + _METADATA

BEDROCK = Spoken(
    answer=_answer({"text": "Hello"}),
    failures={
        **ANYBODYS,
        "a wrong key": _error(
            403, "UnrecognizedClientException", "The security token included in the request is invalid"
        ),
        "a full window": _error(400, "ValidationException", "Input is too long for requested model."),
        "no such model": _error(404, "ResourceNotFoundException", "Could not resolve the foundation model"),
        "an odd request": _error(400, "ValidationException", "temperature must be below 1"),
        "a rate limit": {
            **_error(429, "ThrottlingException", "Too many requests"),
            "headers": {"retry-after": "7", "x-amzn-errortype": "ThrottlingException"},
        },
        "an error in a good answer": {"json": {"message": "Oops"}},
        "no content": {"json": _answer()},
        "a count that is not there": {"json": _answer({"text": "Hello"}, usage=None)},
        "no reason for the end": {"json": _answer({"text": "Hello"}, stopReason=None)},
        "no message": {"json": _answer(output={})},
        "a call without a name": {"json": _answer({"toolUse": {"input": {}}})},
        "cached tokens": {
            "json": _answer(
                {"text": "Hello"}, usage={**_USAGE, "cacheReadInputTokens": 20, "cacheWriteInputTokens": 30}
            )
        },
        "calls": {
            "json": _answer(
                {"text": "Let me see."},
                {"toolUse": {**_USE, "input": {"place": "Oslo"}}},
                {"toolUse": {"toolUseId": "tooluse_2", "name": "clock", "input": {}}},
                stopReason="tool_use",
            )
        },
        "thoughts in an answer": {
            "json": _answer(
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
                {"text": "Hello"},
            )
        },
        "thoughts between tags": {"json": _answer({"text": "<think>Hm.</think>Hello"})},
        "an answer of Converse that cites": {
            "json": _answer(
                {
                    "citationsContent": {
                        "content": [{"text": "Rain."}],
                        "citations": [
                            {
                                "title": "Weather",
                                "source": "https://weather.example",
                                "location": {"searchResultLocation": {"start": 0, "end": 5, "searchResultIndex": 0}},
                            }
                        ],
                    }
                }
            )
        },
        "a guardrail's answer": {"json": _answer({"text": "No."}, stopReason="guardrail_intervened", trace=_TRACE)},
        "half an answer": {"json": _answer({"text": "Hello"}), "cut": True},
        "a whole stream": _stream(_HE, _more(0, text="llo"), _ended(0), _END),
        "a stream in odd pieces": _stream(*(bytes([byte]) for byte in _HE + _END)),
        "half a stream": _stream(_HE, cut=True),
        "a stream without an end": _stream(_HE),
        "half a frame": _stream(_HE, _END[:-5]),
        "a damaged frame": _stream(_HE, _END[:-1] + bytes([_END[-1] ^ 1])),
        "a stream that is none": {"headers": {"content-type": MEDIA_TYPE}, "body": b"x" * 40},
        "an error in a stream": _stream(
            _HE, _frame("throttlingException", {"message": "Too many requests"}, kind="exception")
        ),
        "an error before a stream": _stream(_frame("modelStreamErrorException", {"message": "Oops"}, kind="exception")),
        "an event without its delta": _stream(_HE, _frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": 1})),
        "an unknown event": _stream(_HE, _frame("weather", {"rain": True}), _END),
        "a stream of Converse's calls": _stream(
            _more(0, text="Let me see."),
            _ended(0),
            _begun(1, toolUse=_USE),
            _more(1, toolUse={"input": '{"place": '}),
            _more(1, toolUse={"input": '"Oslo"}'}),
            _ended(1),
            _begun(2, toolUse={"toolUseId": "tooluse_2", "name": "clock"}),
            _more(2, toolUse={"input": ""}),
            _ended(2),
            _stopped("tool_use"),
            _METADATA,
        ),
        "a stream of Converse's thoughts": _stream(
            _more(0, reasoningContent={"text": "Hm"}),
            _more(0, reasoningContent={"text": "m."}),
            _more(0, reasoningContent={"signature": "c2ln"}),
            _ended(0),
            _more(1, reasoningContent={"redactedContent": "c2VjcmV0"}),
            _ended(1),
            _more(2, text="Hello"),
            _ended(2),
            _END,
        ),
        "a stream that cites": _stream(
            _HE, _more(0, citationsContent={"citations": [{"title": "Weather"}]}), _ended(0), _END
        ),
        "a stream that a guardrail stopped": _stream(
            _HE,
            _stopped("guardrail_intervened"),
            _frame("metadata", {"usage": _USAGE, "metrics": {"latencyMs": 1}, "trace": _TRACE}),
        ),
    },
)
