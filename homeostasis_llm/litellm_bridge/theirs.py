"""Translate between litellm's chat-completions form and ours, for those who ask our providers through litellm."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from ..errors import (
    APIKeyError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    LLMConnectionError,
    LLMError,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    UnsuitableRequestError,
)
from ..messages import AudioPart, ContentPart, FilePart, ImagePart, LLMMessage, TextPart
from ..request import LLMRequest, Timeout
from ..response import LLMChunk, LLMResponse, merge_chunks, parse_tool_call
from ..usage import Usage
from .runtime import load_litellm

_FIELDS = (
    "temperature",
    "top_p",
    "stop",
    "seed",
    "tools",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
)
"""Called the same there and here."""

_OF_THE_STREAM = {"stream", "stream_options"}

# The most particular first: some are subclasses of others.
_ERRORS: tuple[tuple[type[LLMError], str], ...] = (
    (APIKeyError, "AuthenticationError"),
    (PermissionDeniedError, "PermissionDeniedError"),
    (ContextLengthError, "ContextWindowExceededError"),
    (UnsuitableRequestError, "UnsupportedParamsError"),
    (ContentRefusedError, "ContentPolicyViolationError"),
    (InvalidRequestError, "BadRequestError"),
    (ModelNotFoundError, "NotFoundError"),
    (QuotaExceededError, "RateLimitError"),
    (RateLimitError, "RateLimitError"),
    (OverloadedError, "ServiceUnavailableError"),
    (LLMTimeoutError, "Timeout"),
    (LLMConnectionError, "APIConnectionError"),
    (LLMError, "InternalServerError"),
)

_WITH_RESPONSE = {"RateLimitError", "ServiceUnavailableError", "PermissionDeniedError"}


def request_from_litellm(
    model: str, messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any], timeout: object
) -> LLMRequest:
    """What litellm was asked. Parameters that are not ours go to the provider by their own names."""
    given = {name: told for name, told in params.items() if told is not None and name not in _OF_THE_STREAM}
    fields = {name: given.pop(name) for name in _FIELDS if name in given}
    longest = given.pop("max_completion_tokens", None)
    longest = given.pop("max_tokens", longest)
    choice = given.pop("tool_choice", None)
    if isinstance(choice, Mapping):
        choice = choice.get("function", {}).get("name")
    extra = {**given.pop("extra_body", {}), **given}
    return LLMRequest(
        messages=[_message(message) for message in messages],
        model=model,
        max_tokens=longest,
        tool_choice=choice,
        timeout=_timeout(timeout),
        extra=extra,
        **fields,
    )


def _timeout(given: object) -> Timeout | float | None:
    if isinstance(given, httpx.Timeout):
        return Timeout(connect=given.connect, first_byte=given.read, between_chunks=given.read)
    return float(given) if isinstance(given, (int, float, str)) else None


def _message(told: Mapping[str, Any]) -> LLMMessage:
    role = {"developer": "system", "function": "tool"}.get(told["role"], told["role"])
    content = told.get("content") or ""
    return LLMMessage(
        role=role,
        content=content if isinstance(content, str) else [_part(part) for part in content],
        tool_calls=[
            parse_tool_call(call["function"].get("name"), call["function"].get("arguments"), call.get("id"))
            for call in told.get("tool_calls") or ()
        ],
        tool_call_id=told.get("tool_call_id"),
        name=told.get("name"),
    )


def _part(told: Mapping[str, Any]) -> ContentPart:
    match told.get("type"):
        case "text":
            return TextPart(told["text"])
        case "image_url":
            image = told["image_url"]
            image = {"url": image} if isinstance(image, str) else image
            return ImagePart(url=image["url"], detail=image.get("detail"))
        case "input_audio":
            audio = told["input_audio"]
            return AudioPart(data=base64.b64decode(audio["data"]), media_type=f"audio/{audio['format']}")
        case "file":
            file = told["file"]
            return FilePart(url=file.get("file_data"), file_id=file.get("file_id"), name=file.get("filename"))
    raise InvalidRequestError(f"a part of type {told.get('type')!r} is none of text, image_url, input_audio and file")


def fill_response(model_response: Any, answer: LLMResponse) -> Any:
    """litellm's own `ModelResponse`, which it hands over empty, with what `answer` says."""
    litellm = load_litellm()
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments_text},
        }
        for call in answer.tool_calls
    ]
    message = litellm.Message(
        role="assistant",
        content=answer.content or (None if calls else ""),
        tool_calls=calls or None,
        reasoning_content=None if answer.reasoning is None else answer.reasoning.text,
    )
    model_response.choices = [litellm.Choices(index=0, finish_reason=_finish(answer.finish_reason), message=message)]
    model_response.model = answer.model
    if answer.metadata.get("response_id"):
        model_response.id = answer.metadata["response_id"]
    if (usage := _usage(answer.usage)) is not None:
        model_response.usage = litellm.Usage(**usage)
    return model_response


def generic_chunks(chunk: LLMChunk) -> Iterator[dict[str, Any]]:
    """A piece of a stream in the form that litellm wants of custom providers: one tool call's piece at a time."""
    if chunk.text:
        yield _generic(chunk.text)
    for fragment in chunk.tool_calls:
        if not fragment.server:
            yield _generic(
                "",
                tool_use={
                    "id": fragment.id,
                    "type": "function",
                    "index": fragment.index,
                    "function": {"name": fragment.name, "arguments": fragment.arguments},
                },
            )


def last_generic_chunk(chunks: Sequence[LLMChunk]) -> dict[str, Any]:
    """The piece that ends a stream, with its usage: litellm reads no further than it."""
    whole = merge_chunks(chunks)
    return {
        **_generic(""),
        "is_finished": True,
        "finish_reason": _finish(whole.finish_reason),
        "usage": _usage(whole.usage),
    }


def _generic(text: str, *, tool_use: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"text": text, "tool_use": tool_use, "is_finished": False, "finish_reason": "", "usage": None, "index": 0}


def _finish(word: str | None) -> str:
    return "stop" if word in {None, "unknown", "error"} else str(word)


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.input_tokens or 0,
        "completion_tokens": usage.output_tokens or 0,
        "total_tokens": usage.total_tokens or 0,
    }


def as_litellm_error(error: LLMError, provider: str, model: str) -> Exception:
    """litellm's exception for ours, which its Router knows how to treat. It has no context: raise it outside."""
    litellm = load_litellm()
    name = next(name for kind, name in _ERRORS if isinstance(error, kind))
    facts: dict[str, Any] = {"message": str(error), "llm_provider": provider, "model": model}
    if name in _WITH_RESPONSE:
        headers = {} if error.retry_after is None else {"retry-after": f"{error.retry_after:g}"}
        request = httpx.Request("POST", "https://homeostasis-llm.invalid")
        facts["response"] = httpx.Response(error.status_code or 503, headers=headers, request=request)
    made: Exception = getattr(litellm, name)(**facts)
    return made
