"""One thin layer to every language model.

Each public name is loaded when it is first used: importing the package imports neither litellm nor langchain, opens
no socket and prints nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api_key_manager import APIKeyManager
    from .attempts import Attempt
    from .config import DEFAULT_CONFIG, ConfigError, Settings, load_settings
    from .declared import rate_limited
    from .error_facts import error_from_answer
    from .errors import (
        AllProvidersFailedError,
        APIKeyError,
        APIKeyMissingError,
        AuthenticationError,
        BrokenPluginError,
        ContentRefusedError,
        ContextLengthError,
        ErrorType,
        InvalidRequestError,
        InvalidResponseError,
        LLMConnectionError,
        LLMError,
        LLMTimeoutError,
        ModelNotFoundError,
        OverloadedError,
        PermissionDeniedError,
        QuotaExceededError,
        RateLimitError,
        ServerError,
        UnknownProviderError,
        UnsuitableRequestError,
    )
    from .http import HTTPAnswer, HTTPProvider, HTTPRequest, ServerEvent
    from .keys.check import KeyCheck, KeyOutcome
    from .keys.errors import KeyStorageError, KeyValidationError
    from .langchain import ChatHomeostasis
    from .litellm_bridge.registering import register_with_litellm
    from .manager import BreakerConfig, LLMManager, RetryConfig
    from .messages import AudioPart, FilePart, ImagePart, LLMMessage, Reasoning, TextPart, ToolCall, data_url
    from .provider import LLMProviderInterface, astream_chunks, stream_chunks
    from .registry import ProviderFactory
    from .request import JSONSchema, LLMRequest, Timeout, Tool
    from .response import (
        FinishReason,
        LLMChunk,
        LLMResponse,
        ToolCallFragment,
        finish_reason_of,
        merge_chunks,
        parse_tool_call,
    )
    from .usage import Usage

_HOMES = {
    "api_key_manager": ("APIKeyManager",),
    "attempts": ("Attempt",),
    "config": ("ConfigError", "DEFAULT_CONFIG", "Settings", "load_settings"),
    "declared": ("rate_limited",),
    "error_facts": ("error_from_answer",),
    "errors": (
        "APIKeyError",
        "APIKeyMissingError",
        "AllProvidersFailedError",
        "AuthenticationError",
        "BrokenPluginError",
        "ContentRefusedError",
        "ContextLengthError",
        "ErrorType",
        "InvalidRequestError",
        "InvalidResponseError",
        "LLMConnectionError",
        "LLMError",
        "LLMTimeoutError",
        "ModelNotFoundError",
        "OverloadedError",
        "PermissionDeniedError",
        "QuotaExceededError",
        "RateLimitError",
        "ServerError",
        "UnknownProviderError",
        "UnsuitableRequestError",
    ),
    "http": ("HTTPAnswer", "HTTPProvider", "HTTPRequest", "ServerEvent"),
    "keys.check": ("KeyCheck", "KeyOutcome"),
    "keys.errors": ("KeyStorageError", "KeyValidationError"),
    "langchain": ("ChatHomeostasis",),
    "litellm_bridge.registering": ("register_with_litellm",),
    "manager": ("BreakerConfig", "LLMManager", "RetryConfig"),
    "messages": ("AudioPart", "FilePart", "ImagePart", "LLMMessage", "Reasoning", "TextPart", "ToolCall", "data_url"),
    "provider": ("LLMProviderInterface", "astream_chunks", "stream_chunks"),
    "registry": ("ProviderFactory",),
    "request": ("JSONSchema", "LLMRequest", "Timeout", "Tool"),
    "response": (
        "FinishReason",
        "LLMChunk",
        "LLMResponse",
        "ToolCallFragment",
        "finish_reason_of",
        "merge_chunks",
        "parse_tool_call",
    ),
    "usage": ("Usage",),
}
_home_of = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DEFAULT_CONFIG",
    "APIKeyError",
    "APIKeyManager",
    "APIKeyMissingError",
    "AllProvidersFailedError",
    "Attempt",
    "AudioPart",
    "AuthenticationError",
    "BreakerConfig",
    "BrokenPluginError",
    "ChatHomeostasis",
    "ConfigError",
    "ContentRefusedError",
    "ContextLengthError",
    "ErrorType",
    "FilePart",
    "FinishReason",
    "HTTPAnswer",
    "HTTPProvider",
    "HTTPRequest",
    "ImagePart",
    "InvalidRequestError",
    "InvalidResponseError",
    "JSONSchema",
    "KeyCheck",
    "KeyOutcome",
    "KeyStorageError",
    "KeyValidationError",
    "LLMChunk",
    "LLMConnectionError",
    "LLMError",
    "LLMManager",
    "LLMMessage",
    "LLMProviderInterface",
    "LLMRequest",
    "LLMResponse",
    "LLMTimeoutError",
    "ModelNotFoundError",
    "OverloadedError",
    "PermissionDeniedError",
    "ProviderFactory",
    "QuotaExceededError",
    "RateLimitError",
    "Reasoning",
    "RetryConfig",
    "ServerError",
    "ServerEvent",
    "Settings",
    "TextPart",
    "Timeout",
    "Tool",
    "ToolCall",
    "ToolCallFragment",
    "UnknownProviderError",
    "UnsuitableRequestError",
    "Usage",
    "astream_chunks",
    "data_url",
    "error_from_answer",
    "finish_reason_of",
    "load_settings",
    "merge_chunks",
    "parse_tool_call",
    "rate_limited",
    "register_with_litellm",
    "stream_chunks",
]


def __getattr__(name: str) -> object:
    if name not in _home_of:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._importing import without_collections

    with without_collections():
        found = getattr(import_module(f".{_home_of[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]
