"""Build the request that `litellm.completion` would send to Google's generateContent.

Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import httpx
from litellm.llms.vertex_ai.gemini.transformation import transform_request_body
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import VertexLLM

_ADDRESSED_TO_VERTEX = tuple(
    f"vertex_{prefix}{name}" for prefix in ("", "ai_") for name in ("project", "location", "credentials")
)

_STANDS_FOR_A_KEY = "a-key"


def must_be_fetched(message: Mapping[str, Any]) -> bool:
    """Whether litellm would fetch a picture in it, for Google takes no links."""
    parts = message.get("content")
    return isinstance(parts, list) and any(not _is_inline(part) for part in parts if part.get("type") == "image_url")


def _is_inline(part: Mapping[str, Any]) -> bool:
    picture = part["image_url"]
    return str(picture["url"] if isinstance(picture, dict) else picture).startswith("data:")


def body_for_google(model: str, messages: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """The body; `messages` and `options` are its own to change."""
    for name in ("stream", *_ADDRESSED_TO_VERTEX):
        options.pop(name, None)
    cached_content = options.pop("cached_content", None)
    body: dict[str, Any] = transform_request_body(
        messages=messages,
        model=model,
        optional_params=options,
        custom_llm_provider="gemini",
        litellm_params={},
        cached_content=cached_content,
    )
    return body


@lru_cache(maxsize=256)
def google_address(api_base: str | None, model: str, *, stream: bool) -> httpx.URL:
    """Where litellm asks for `model`."""
    _, url = VertexLLM().get_token_and_url(
        model=model,
        auth_header=None,
        gemini_api_key=_STANDS_FOR_A_KEY,  # it is no part of the address
        vertex_project=None,
        vertex_location=None,
        vertex_credentials=None,
        stream=stream,
        custom_llm_provider="gemini",
        api_base=api_base,
    )
    return httpx.URL(url)
