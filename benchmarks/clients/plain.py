"""Bare HTTP: what nobody can be faster than who uses the same library."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import aiohttp
import httpx

from .base import KEY, MODEL, TOOLS, Client, Message

_HEADERS = {"Authorization": f"Bearer {KEY}"}


def _body(messages: Sequence[Message], **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": list(messages), **more}


def _text(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


def _delta(line: str) -> dict[str, Any]:
    """What one line of the stream adds; nothing for those between events and after the end."""
    if not line.startswith("data: {"):
        return {}
    choices = json.loads(line[6:])["choices"]
    return dict(choices[0]["delta"]) if choices else {}


class Httpx(Client):
    """httpx alone."""

    def __init__(self, url: str, *, providers: int = 1) -> None:  # noqa: ARG002  # there is one server
        self._url = f"{url}/chat/completions"
        self._client = httpx.Client(headers=_HEADERS, trust_env=False)
        self._async = httpx.AsyncClient(headers=_HEADERS, trust_env=False)

    def call(self, messages: Sequence[Message]) -> str:
        return _text(self._client.post(self._url, json=_body(messages)).json())

    async def acall(self, messages: Sequence[Message]) -> str:
        return _text((await self._async.post(self._url, json=_body(messages))).json())

    def _deltas(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        with self._client.stream("POST", self._url, json=body) as answer:
            for line in answer.iter_lines():
                yield _delta(line)

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        for delta in self._deltas(_body(messages, stream=True)):
            if text := delta.get("content"):
                yield text

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        async with self._async.stream("POST", self._url, json=_body(messages, stream=True)) as answer:
            async for line in answer.aiter_lines():
                if text := _delta(line).get("content"):
                    yield text

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        deltas = self._deltas(_body(messages, stream=True, tools=TOOLS))
        fragments = [call["function"]["arguments"] for delta in deltas for call in delta.get("tool_calls", ())]
        return dict(json.loads("".join(fragments)))


class HttpxOverAiohttp(Httpx):
    """httpx with aiohttp's connections, which is async only."""

    lacks = frozenset({"call", "stream", "tool_call"})

    def __init__(self, url: str, *, providers: int = 1) -> None:
        from httpx_aiohttp import AiohttpTransport

        super().__init__(url, providers=providers)
        self._async = httpx.AsyncClient(headers=_HEADERS, transport=AiohttpTransport())


class Aiohttp(Client):
    """aiohttp alone, which is async only."""

    lacks = frozenset({"call", "stream", "tool_call"})

    def __init__(self, url: str, *, providers: int = 1) -> None:  # noqa: ARG002  # there is one server
        self._url = f"{url}/chat/completions"
        self._made: aiohttp.ClientSession | None = None

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._made is None:  # it wants to be made in the loop that uses it
            self._made = aiohttp.ClientSession(headers=_HEADERS)
        return self._made

    async def acall(self, messages: Sequence[Message]) -> str:
        async with self._session.post(self._url, json=_body(messages)) as answer:
            return _text(await answer.json())

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        async with self._session.post(self._url, json=_body(messages, stream=True)) as answer:
            async for line in answer.content:
                if text := _delta(line.decode()).get("content"):
                    yield text
