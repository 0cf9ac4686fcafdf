"""From what llama.cpp says to our values: pieces of an answer, and errors."""

from __future__ import annotations

from typing import Any

from homeostasis_llm import (
    ContextLengthError,
    InvalidRequestError,
    LLMChunk,
    LLMError,
    OverloadedError,
    ServerError,
    ToolCallFragment,
    Usage,
)

from .native import Chunk

# llama.cpp's own words: `format_error_response` in its tools/server/server-common.cpp.
_KINDS: dict[str, type[LLMError]] = {
    "invalid_request_error": InvalidRequestError,
    "not_supported_error": InvalidRequestError,
    "unavailable_error": OverloadedError,
}


def error_in(chunk: Chunk) -> LLMError | None:
    """The error that `chunk` is, None where it is a piece of an answer."""
    told: dict[str, Any] | None = chunk.get("error")
    if told is None:
        return None
    code, kind, text = told.get("code"), str(told.get("type")), " ".join(str(told.get("message")).split())
    if kind == "exceed_context_size_error":
        prompt, context = told["n_prompt_tokens"], told["n_ctx"]
        return ContextLengthError(
            f"the messages have {prompt} tokens, and the model's context has {context}; "
            "shorten them, or give the provider a larger context_tokens if the model was made for it",
            prompt_tokens=prompt,
            context_tokens=context,
            status_code=code,
            code=kind,
        )
    return _KINDS.get(kind, ServerError)(f"llama.cpp: {text}", status_code=code, code=kind)


def piece_of(chunk: Chunk) -> LLMChunk:
    """What `chunk` says, empty where it only says how far the prompt is read."""
    piece = LLMChunk(request_id=chunk.get("id"))
    if chunk.get("usage") is not None:
        piece.usage = Usage.of(chunk["usage"])
    for choice in chunk.get("choices", []):
        delta = choice.get("delta", {})
        piece.text = delta.get("content") or ""
        piece.reasoning = delta.get("reasoning_content") or ""
        piece.tool_calls = [_fragment(told) for told in delta.get("tool_calls") or []]
        if (word := choice.get("finish_reason")) is not None:
            piece.finish_reason = word if word in {"stop", "length", "tool_calls"} else "unknown"
            piece.metadata = {"finish_reason": word, "response_id": chunk.get("id")}
    return piece


def says_something(piece: LLMChunk) -> bool:
    return bool(piece.text or piece.reasoning or piece.tool_calls or piece.usage or piece.finish_reason)


def _fragment(told: dict[str, Any]) -> ToolCallFragment:
    function = told.get("function", {})
    return ToolCallFragment(
        index=told.get("index", 0),
        id=told.get("id"),
        name=function.get("name"),
        arguments=function.get("arguments") or "",
    )
