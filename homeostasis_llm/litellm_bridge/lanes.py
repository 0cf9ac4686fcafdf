"""Call litellm. One lane for now, `litellm.completion`; `lane_for` is where a faster one is chosen, per provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

from .runtime import load_litellm


class Lane(Protocol):
    """A way from the arguments of `litellm.completion` to its results. Exceptions are litellm's own."""

    def complete(self, arguments: dict[str, Any]) -> Any:
        """A `ModelResponse`."""

    def stream(self, arguments: dict[str, Any]) -> Iterator[Any]:
        """`ModelResponseStream`s."""

    async def acomplete(self, arguments: dict[str, Any]) -> Any:
        """`complete` for async callers."""

    async def astream(self, arguments: dict[str, Any]) -> AsyncIterator[Any]:
        """`stream` for async callers."""


class FullLane:
    """`litellm.completion` and `litellm.acompletion`, with all that they do around a call."""

    def complete(self, arguments: dict[str, Any]) -> Any:
        return load_litellm().completion(**arguments)

    def stream(self, arguments: dict[str, Any]) -> Iterator[Any]:
        return iter(load_litellm().completion(**arguments, **_STREAMED))

    async def acomplete(self, arguments: dict[str, Any]) -> Any:
        return await load_litellm().acompletion(**arguments)

    async def astream(self, arguments: dict[str, Any]) -> AsyncIterator[Any]:
        return aiter(await load_litellm().acompletion(**arguments, **_STREAMED))


# Without being asked, most providers send no usage in a stream.
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


def lane_for(litellm_name: str) -> Lane:  # noqa: ARG001  # the seam: every provider takes the full lane so far
    """The lane that calls to this provider take."""
    return FullLane()
