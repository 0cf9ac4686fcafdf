"""What was recorded from a real server plays without it: for each client, whole and as a stream."""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx_aiohttp
import pytest

from homeostasis_llm.testing.cassettes import use_cassette
from tests.loopback import Loopback

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "Wie heißt die Hauptstadt? 🗼"}], "temperature": 0.0}
ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "Paris – « voilà » 🥐"}}],
    "usage": {"total_tokens": 7},
}
EVENTS = [f'data: {{"choices": [{{"delta": {{"content": "{word}"}}}}]}}\n\n' for word in ("Par", "is", " 🥐")]


def by_httpx(url: str) -> Any:
    return httpx.post(url, json=QUESTION).json()


def by_async_httpx(url: str) -> Any:
    async def ask() -> Any:
        async with httpx.AsyncClient() as client:
            return (await client.post(url, json=QUESTION)).json()

    return asyncio.run(ask())


def by_httpx_over_aiohttp(url: str) -> Any:
    async def ask() -> Any:
        async with httpx_aiohttp.HttpxAiohttpClient() as client:
            return (await client.post(url, json=QUESTION)).json()

    return asyncio.run(ask())


def by_aiohttp(url: str) -> Any:
    async def ask() -> Any:
        async with aiohttp.ClientSession() as session, session.post(url, json=QUESTION) as response:
            return await response.json()

    return asyncio.run(ask())


def by_urllib(url: str) -> Any:
    asked = urllib.request.Request(  # noqa: S310  # the loopback server
        url, data=json.dumps(QUESTION).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked) as response:  # noqa: S310
        return json.loads(response.read())


def by_http_client(url: str) -> Any:
    parts = httpx.URL(url)
    connection = http.client.HTTPConnection(parts.host, parts.port)
    connection.request("POST", parts.path, json.dumps(QUESTION), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


CLIENTS = [by_httpx, by_async_httpx, by_httpx_over_aiohttp, by_aiohttp, by_urllib, by_http_client]


@pytest.mark.parametrize("player", CLIENTS)
@pytest.mark.parametrize("recorder", CLIENTS)
def test_what_one_client_has_recorded_any_client_plays(
    recorder: Callable[[str], Any], player: Callable[[str], Any], loopback: Loopback, tmp_path: Path
) -> None:
    loopback.reply(json=ANSWER)
    file = tmp_path / "it.yaml"
    with use_cassette(file, "once"):
        assert recorder(f"{loopback.url}/v1/chat/completions") == ANSWER

    with use_cassette(file):
        assert player("http://localhost:1/v1/chat/completions") == ANSWER

    assert len(loopback.requests) == 1
