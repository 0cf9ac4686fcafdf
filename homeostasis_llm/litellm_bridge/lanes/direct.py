"""Send litellm's translation of a request through our own clients, and read the answer as the provider wrote it.

Nothing of what litellm does beside a call is done: no callbacks, no logging, no prices. Import this only after
`runtime.load_litellm`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

import httpx
import litellm

from ...response import LLMResponse
from ..exchange import Exchange, current_exchange
from .events import Events
from .openai_dialect import DialectReading, checked, read_answer
from .requests import Ready, built, config_of, suits

__all__ = ["DirectLane", "suits"]


class DirectLane:
    """The lane of providers whose answers have OpenAI's form."""

    name = "direct"

    def complete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        response = _http(arguments).send(self._request(arguments, stream=False), stream=True)
        _check_status(response, arguments)
        return _parsed(response.read())

    async def acomplete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        response = await _http(arguments).send(self._request(arguments, stream=False), stream=True)
        _check_status(response, arguments)
        return _parsed(await response.aread())

    def stream(self, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        response = _http(arguments).send(self._request(arguments, stream=True), stream=True)
        _check_status(response, arguments)
        return _pieces(response)

    async def astream(self, arguments: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        response = await _http(arguments).send(self._request(arguments, stream=True), stream=True)
        _check_status(response, arguments)
        return _apieces(response)

    def read(self, answer: dict[str, Any], exchange: Exchange, provider: str) -> tuple[LLMResponse, Any]:
        return read_answer(answer, exchange, provider), answer.get("usage")

    def reading(self, provider: str) -> DialectReading:
        return DialectReading(provider)

    def _request(self, arguments: dict[str, Any], *, stream: bool) -> httpx.Request:
        if (exchange := current_exchange()) is not None:
            exchange.mended = False
        return _as_request(built(arguments, stream=stream))


def _as_request(ready: Ready) -> httpx.Request:
    request = httpx.Request("POST", ready.url, headers=ready.headers, content=ready.body)
    request.headers.setdefault("User-Agent", _ourselves())
    return request


@cache
def _ourselves() -> str:
    return f"homeostasis-llm/{version('homeostasis-llm')}"


def _http(arguments: dict[str, Any]) -> Any:
    """Our httpx client, inside the one that litellm would be given."""
    return arguments["client"].client


def _check_status(response: httpx.Response, arguments: dict[str, Any]) -> None:
    """Raise litellm's exception for a failed answer: it knows what some providers say instead of a code."""
    if response.status_code < 300:
        return
    # Its body was read when it arrived; see exchange.py.
    told = config_of(arguments).get_error_class(response.text, response.status_code, response.headers)
    litellm.exception_type(
        model=arguments["model"], original_exception=told, custom_llm_provider=arguments["custom_llm_provider"]
    )


def _parsed(body: bytes) -> dict[str, Any]:
    return checked(json.loads(body))


def _pieces(response: httpx.Response) -> Iterator[dict[str, Any]]:
    events = Events()
    try:
        for piece in response.iter_bytes():
            yield from events.feed(piece)
    except httpx.TransportError:
        if not events.done:
            raise
    yield from events.end()


async def _apieces(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    events = Events()
    try:
        async for piece in response.aiter_bytes():
            for event in events.feed(piece):
                yield event
    except httpx.TransportError:
        if not events.done:
            raise
    for event in events.end():
        yield event
