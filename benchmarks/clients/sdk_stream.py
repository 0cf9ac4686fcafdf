"""Read streams of the OpenAI SDK's chunks, which litellm and any-llm have as well."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any


def texts(stream: Any) -> Iterator[str]:
    """The text of each chunk that has some."""
    try:
        for chunk in stream:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text
    finally:
        if hasattr(stream, "close"):  # or else, left early, httpcore may wait for itself when it is collected
            stream.close()


async def atexts(stream: Any) -> AsyncIterator[str]:
    """`texts` of an async stream."""
    async for chunk in stream:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            yield text


def arguments(stream: Any) -> dict[str, Any]:
    """The arguments of the only tool call."""
    fragments = [
        call.function.arguments or ""
        for chunk in stream
        if chunk.choices
        for call in chunk.choices[0].delta.tool_calls or ()
    ]
    return dict(json.loads("".join(fragments)))
