"""What a server says in each dialect: an answer, and what is no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .replies import ANYBODYS, Reply, Spoken
from .spoken_anthropic import ANTHROPIC
from .spoken_bedrock import BEDROCK
from .spoken_cohere import COHERE
from .spoken_ollama import OLLAMA


def spoken_by(litellm_name: str) -> Spoken:
    """What a provider's server says; `litellm_name` is litellm's for it."""
    return _OTHERS.get(litellm_name, OPENAI)


_OPENAI_BEGUN = """data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",\
"choices":[{"index":0,"delta":{"content":"He"}}]}

"""

OPENAI = Spoken(
    answer={
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "some-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    },
    failures={
        **ANYBODYS,
        "a wrong key": {"status": 401, "json": {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}},
        "a full window": {
            "status": 400,
            "json": {
                "error": {
                    "message": "This model's maximum context length is 10 tokens.",
                    "code": "context_length_exceeded",
                }
            },
        },
        "no such model": {
            "status": 404,
            "json": {"error": {"message": "The model does not exist", "code": "model_not_found"}},
        },
        "a rate limit": {"status": 429, "headers": {"retry-after": "7"}, "json": {"error": {"message": "Slow down"}}},
        "an empty account": {"status": 429, "json": {"error": {"message": "No credit", "code": "insufficient_quota"}}},
        "an error in a good answer": {"json": {"error": {"message": "Oops", "code": 502}}},
        "no choices": {"json": {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}},
        "half an answer": {"json": {"choices": [{"message": {"content": "Hello"}}]}, "cut": True},
        "half a stream": {"chunks": [_OPENAI_BEGUN], "cut": True},
        "an error in a stream": {
            "chunks": [_OPENAI_BEGUN + 'data: {"error":{"message":"Overloaded","code":503}}\n\n'],
        },
        "nonsense in a stream": {"chunks": [_OPENAI_BEGUN + 'data: {"\n\n']},
    },
)


def _google(*parts: dict[str, Any], **said: Any) -> dict[str, Any]:
    """An answer of Google's; a field that is None is left out."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0}
    answer = {
        "candidates": [{**candidate, **said.pop("candidate", {})}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7},
        "modelVersion": "some-model",
        "responseId": "1",
        **said,
    }
    return {name: told for name, told in answer.items() if told is not None}


def _google_error(status: int, word: str, message: str, *details: dict[str, Any]) -> Reply:
    return {
        "status": status,
        "json": {"error": {"code": status, "message": message, "status": word, "details": list(details)}},
    }


def _event(said: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(said)}\r\n\r\n"


_HE = _google({"text": "He"}, candidate={"finishReason": None})
_CALL = {"functionCall": {"name": "weather", "args": {"place": "Oslo"}}}

GOOGLE = Spoken(
    answer=_google({"text": "Hello"}),
    failures={
        **ANYBODYS,
        "a wrong key": _google_error(
            400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", {"reason": "API_KEY_INVALID"}
        ),
        "a full window": _google_error(
            400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."
        ),
        "no such model": _google_error(404, "NOT_FOUND", "models/m is not found for API version v1beta"),
        "a rate limit": _google_error(429, "RESOURCE_EXHAUSTED", "You exceeded your quota", {"retryDelay": "7s"}),
        "an error in a good answer": {"json": _google_error(503, "UNAVAILABLE", "Overloaded")["json"]},
        "other things counted": {
            "json": _google(
                {"text": "Hello"},
                usageMetadata={
                    "promptTokenCount": 30,
                    "cachedContentTokenCount": 20,
                    "toolUsePromptTokenCount": 5,
                    "candidatesTokenCount": 4,
                    "thoughtsTokenCount": 2,
                    "totalTokenCount": 41,
                    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
                    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 4}],
                },
            )
        },
        "no candidates": {"json": _google(candidates=[])},
        "no parts": {"json": _google(candidate={"content": {"role": "model"}})},
        "no count": {"json": _google({"text": "Hello"}, usageMetadata=None)},
        "a refused prompt": {"json": _google(candidates=None, promptFeedback={"blockReason": "SAFETY"})},
        "a filtered answer": {"json": _google({"text": "He"}, candidate={"finishReason": "SAFETY"})},
        "an answer that ended otherwise": {"json": _google({"text": "He"}, candidate={"finishReason": "OTHER"})},
        "a call without a name": {"json": _google({"functionCall": {"args": {}}})},
        "a call in pieces": {
            "json": _google({"functionCall": {"name": "weather", "partialArgs": [], "willContinue": True}})
        },
        "calls": {
            "json": _google(
                {"text": "Let me see.", "thoughtSignature": "c2ln"},
                {**_CALL, "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "clock", "id": "call-1"}},
            )
        },
        "signed thoughts": {
            "json": _google({"text": "Hm.", "thought": True, "thoughtSignature": "c2ln"}, {"text": "Hello"})
        },
        "a picture and a sound": {
            "json": _google(
                {"text": "See."},
                {"inlineData": {"mimeType": "image/png", "data": "aW1n"}},
                {"inlineData": {"mimeType": "audio/wav", "data": "d2F2"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "cGRm"}},
            )
        },
        "an answer that cites": {
            "json": _google(
                {"text": "Rain."},
                candidate={
                    "groundingMetadata": {
                        "webSearchQueries": ["weather", "Oslo"],
                        "groundingChunks": [{"web": {"uri": "https://weather.example", "title": "Weather"}}],
                        "groundingSupports": [
                            {"segment": {"startIndex": 0, "endIndex": 5}, "groundingChunkIndices": [0]}
                        ],
                    }
                },
            )
        },
        "two answers": {"json": {**_HE, "candidates": [*_google({"text": "One"})["candidates"], *_HE["candidates"]]}},
        "half an answer": {"json": _google({"text": "Hello"}), "cut": True},
        "half a stream": {"chunks": [_event(_HE)], "cut": True},
        "an error in a stream": {
            "chunks": [_event(_HE), _event(_google_error(503, "UNAVAILABLE", "Overloaded")["json"])]
        },
        "nonsense in a stream": {"chunks": [_event(_HE), 'data: {"\n\n']},
        "a stream with comments": {"chunks": [": hello\n\n", _event(_HE), ": \n\n", _event(_google({"text": "llo"}))]},
        "a stream that ends without text": {"chunks": [_event(_HE), _event(_google(candidate={"content": {}}))]},
        "a stream of thoughts and calls": {
            "chunks": [
                _event(_google({"text": "Hm", "thought": True}, candidate={"finishReason": None})),
                _event(_google({"text": "m.", "thought": True, "thoughtSignature": "c2ln"})),
                _event(_google({**_CALL, "thoughtSignature": "c2ln"}, _CALL, candidate={"finishReason": None})),
                _event(_google(_CALL, {"text": "Well."})),
            ]
        },
        "a stream of a refused prompt": {
            "chunks": [_event(_google(candidates=None, promptFeedback={"blockReason": "PROHIBITED_CONTENT"}))]
        },
    },
)

_OTHERS: Mapping[str, Spoken] = {
    "anthropic": ANTHROPIC,
    "bedrock": BEDROCK,
    "cohere_chat": COHERE,
    "gemini": GOOGLE,
    "ollama_chat": OLLAMA,
}
