"""Find the facts that litellm drops or guesses at where the providers' wire formats have them.

Each function takes one JSON object: a whole answer, or one event of a stream. Sources: the API references of OpenAI
(chat completions, responses), Anthropic, Google, AWS, Cohere (v1, v2), Groq and Ollama.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OLLAMA_COUNTS = ("prompt_eval_count", "eval_count")
_TITAN_COUNTS = {"inputTextTokenCount": "inputTokens", "totalOutputTextTokenCount": "outputTokens"}
_HEADER_COUNTS = {
    "x-amzn-bedrock-input-token-count": "inputTokens",
    "x-amzn-bedrock-output-token-count": "outputTokens",
}


def raw_finish_reason(raw: Mapping[str, Any]) -> str | int | None:
    """Why the answer ended, in the provider's own word or number."""
    choice, candidate, delta = _first(raw.get("choices")), _first(raw.get("candidates")), _first(raw.get("delta"))
    response = _response(raw)
    return _word(
        choice.get("finish_reason"),
        candidate.get("finishReason"),
        delta.get("stop_reason"),
        delta.get("finish_reason"),
        raw.get("stop_reason"),
        _first(raw.get("message")).get("stop_reason"),  # Anthropic: message_start of a message that is all there
        raw.get("stopReason"),
        raw.get("done_reason"),
        raw.get("finish_reason"),
        # Amazon's, AI21's and Cohere's older models at Bedrock.
        _first(raw.get("messageStop")).get("stopReason"),
        raw.get("completionReason"),
        _first(raw.get("results")).get("completionReason"),
        _first(_first(raw.get("completions")).get("finishReason")).get("reason"),
        _first(raw.get("generations")).get("finish_reason"),
        _first(response.get("incomplete_details")).get("reason"),
        response.get("status"),
    )


def raw_model(raw: Mapping[str, Any]) -> str | None:
    """The model that answered."""
    return _text(
        raw.get("model"), raw.get("modelVersion"), _first(raw.get("message")).get("model"), _response(raw).get("model")
    )


def raw_id(raw: Mapping[str, Any]) -> str | None:
    """The provider's id of the answer."""
    return _text(
        raw.get("id"),
        raw.get("responseId"),
        _first(raw.get("message")).get("id"),
        raw.get("generation_id"),
        _response(raw).get("id"),
    )


def raw_reasoning(raw: Mapping[str, Any]) -> str:
    """A whole answer's thoughts, where litellm reads none of them or but the first: in parts, among others.

    OpenAI's Responses API has them in items of their own, Cohere v2 in the message's content.
    """
    items = raw.get("output") if raw.get("object") == "response" else None
    thoughts = [item for item in _dicts(items) if item.get("type") == "reasoning"]
    parts = [part for item in thoughts for part in (*_dicts(item.get("summary")), *_dicts(item.get("content")))]
    cohere = _dicts(_first(raw.get("message")).get("content"))
    told = (*(part.get("text") for part in parts), *(part.get("thinking") for part in cohere))
    return "".join(text for text in told if isinstance(text, str))


def raw_annotations(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a whole answer of OpenAI's Responses API cites; litellm knows web pages alone."""
    items = _dicts(raw.get("output")) if raw.get("object") == "response" else []
    return [note for item in items for part in _dicts(item.get("content")) for note in _dicts(part.get("annotations"))]


def raw_usage(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The provider's count of tokens, in its own dialect."""
    response = _first(raw.get("response"))
    places = (
        raw.get("usage"),
        raw.get("usageMetadata"),
        _first(raw.get("metadata")).get("usage"),  # Amazon Nova, invoked at Bedrock
        _first(raw.get("x_groq")).get("usage"),
        _first(raw.get("message")).get("usage"),  # Anthropic: message_start
        _first(raw.get("delta")).get("usage"),  # Cohere v2: message-end
        response.get("usage"),  # OpenAI responses: response.completed
        raw.get("meta"),  # Cohere v1
        response.get("meta"),  # Cohere v1: stream-end
        {name: raw[name] for name in _OLLAMA_COUNTS if name in raw},
        {ours: raw[name] for name, ours in _TITAN_COUNTS.items() if name in raw},
    )
    return next((place for place in places if isinstance(place, dict) and place), None)


def header_usage(headers: Mapping[str, str]) -> Mapping[str, Any]:
    """The count of tokens that Bedrock's InvokeModel tells beside an answer, whatever the model."""
    counts = {ours: headers[name] for name, ours in _HEADER_COUNTS.items() if headers.get(name, "").isdecimal()}
    return {name: int(count) for name, count in counts.items()}


def _response(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What OpenAI's Responses API answers: by itself, or in the events that begin and end a stream."""
    return raw if raw.get("object") == "response" else _first(raw.get("response"))


def _first(found: object) -> Mapping[str, Any]:
    inner = found[0] if isinstance(found, list) and found else found
    return inner if isinstance(inner, dict) else {}


def _dicts(found: object) -> list[Mapping[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _text(*places: object) -> str | None:
    return next((found for found in places if isinstance(found, str) and found), None)


def _word(*places: object) -> str | int | None:
    """As `_text`; Google numbers its reasons where it was asked for numbers."""
    return next((found for found in places if found and isinstance(found, (str, int))), None)
