"""What was recorded from a real server plays without it: for each client, whole and as a stream."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx_aiohttp
import pytest

from homeostasis_llm.testing.cassettes import Options, use_cassette
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


def record_stream(loopback: Loopback, file: Path, **answer: Any) -> None:
    loopback.reply(**answer)
    with use_cassette(file, "once"), httpx.Client() as client:
        client.post(f"{loopback.url}/v1/stream", json=QUESTION)


def play_pieces(file: Path, timing: Any = "at once") -> list[str]:
    with (
        use_cassette(file, options=Options(timing=timing)),
        httpx.stream("POST", "http://localhost/v1/stream", json=QUESTION) as response,
    ):
        return [piece.decode() for piece in response.iter_raw()]


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_a_stream_plays_event_by_event_however_the_network_had_cut_it(
    size: int, loopback: Loopback, tmp_path: Path
) -> None:
    body = "".join(EVENTS).encode()
    loopback_pieces = [body[start : start + size] for start in range(0, len(body), size)]

    record_stream(loopback, tmp_path / "it.yaml", chunks=loopback_pieces)

    assert play_pieces(tmp_path / "it.yaml") == EVENTS


async def test_a_stream_plays_event_by_event_to_async_clients(loopback: Loopback, tmp_path: Path) -> None:
    record_stream(loopback, tmp_path / "it.yaml", chunks=EVENTS)

    for kind in (httpx.AsyncClient, httpx_aiohttp.HttpxAiohttpClient):
        with use_cassette(tmp_path / "it.yaml"):
            async with kind() as client, client.stream("POST", "http://localhost/v1/stream", json=QUESTION) as response:
                assert [piece.decode() async for piece in response.aiter_raw()] == EVENTS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_ends_of_lines_and_comments_of_a_stream_are_kept(end: str, loopback: Loopback, tmp_path: Path) -> None:
    events = [f"event: ping{end}: wait{end}{end}", f"data: {{}}{end}{end}", f"data: [DONE]{end}{end}", "data: cut"]

    record_stream(loopback, tmp_path / "it.yaml", chunks=["".join(events)])

    assert play_pieces(tmp_path / "it.yaml") == events


def test_lines_of_json_are_pieces_too(loopback: Loopback, tmp_path: Path) -> None:
    lines = ['{"message": {"content": "Par"}}\n', '{"message": {"content": "is"}, "done": true}\n']
    record_stream(loopback, tmp_path / "it.yaml", chunks=lines, headers={"content-type": "application/x-ndjson"})

    assert play_pieces(tmp_path / "it.yaml") == lines


def test_a_stream_plays_in_its_own_time_if_it_is_asked_to(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    record_stream(loopback, tmp_path / "it.yaml", chunks=[EVENTS[0], 0.2, EVENTS[1], 0.1, EVENTS[2]])
    # Time stands still: what is slept for each piece is what had passed before it.
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(time, "sleep", slept.append)

    assert play_pieces(tmp_path / "it.yaml") == EVENTS
    assert slept == []
    assert play_pieces(tmp_path / "it.yaml", timing="recorded") == EVENTS
    # How long the server really took for each piece was up to the machine; together they took no less than this.
    assert slept == sorted(slept)
    assert slept[-1] >= 0.29


def test_a_stream_that_broke_breaks_again(loopback: Loopback, tmp_path: Path) -> None:
    loopback.reply(chunks=EVENTS[:2], cut=True)
    with use_cassette(tmp_path / "it.yaml", "once"), pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{loopback.url}/v1/stream", json=QUESTION)
    seen: list[str] = []

    with (
        use_cassette(tmp_path / "it.yaml"),
        httpx.stream("POST", "http://localhost/v1/stream", json=QUESTION) as response,
        pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
    ):
        seen.extend(piece.decode() for piece in response.iter_raw())

    assert seen == EVENTS[:2]


def test_a_request_that_nobody_answered_fails_again_in_the_same_way(loopback: Loopback, tmp_path: Path) -> None:
    refused, dropped = tmp_path / "refused.yaml", tmp_path / "dropped.yaml"
    with use_cassette(refused, "once"), pytest.raises(httpx.ConnectError):
        httpx.post("http://127.0.0.1:1/v1", json=QUESTION)
    loopback.reply(drop=True)
    with use_cassette(dropped, "once"), pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{loopback.url}/v1", json=QUESTION)

    with use_cassette(refused), pytest.raises(httpx.ConnectError, match="refused"):
        httpx.post("http://localhost/v1", json=QUESTION)
    with use_cassette(dropped), pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        by_async_httpx("http://localhost/v1")
    with use_cassette(dropped), pytest.raises(ConnectionError, match="disconnected"):
        by_urllib("http://localhost/v1")


def test_the_same_question_asked_again_gets_the_next_answer_and_several_threads_each_one(
    loopback: Loopback, tmp_path: Path
) -> None:
    with use_cassette(tmp_path / "it.yaml", "once"):
        for number in range(8):
            loopback.reply(json={"number": number})
            httpx.post(loopback.url, json=QUESTION)

    def ask(_: object) -> Any:
        return httpx.post("http://localhost", json=QUESTION).json()["number"]

    with use_cassette(tmp_path / "it.yaml"):
        assert [ask(None) for _ in range(8)] == list(range(8))
    with use_cassette(tmp_path / "it.yaml"), ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(ask, range(8))) == list(range(8))


def test_what_was_compressed_is_kept_readable_and_plays_unpacked(loopback: Loopback, tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(ANSWER).encode())
    loopback.reply(body=packed, headers={"content-type": "application/json", "content-encoding": "gzip"})
    with use_cassette(tmp_path / "it.yaml", "once"):
        assert by_httpx(loopback.url) == ANSWER

    assert '"content": "Paris – « voilà » 🥐"' in (tmp_path / "it.yaml").read_text(encoding="utf-8")
    with use_cassette(tmp_path / "it.yaml"):
        assert by_httpx("http://localhost") == ANSWER


def test_what_is_recorded_anew_replaces_what_was_there(loopback: Loopback, tmp_path: Path) -> None:
    for mode, number in (("once", 1), ("once", 1), ("rewrite", 2), ("all", 3)):
        loopback.always(json={"number": number})
        with use_cassette(tmp_path / "it.yaml", mode):  # type: ignore[arg-type]  # they are modes
            assert by_httpx(loopback.url) == {"number": number}

    assert len(loopback.requests) == 3
    assert (tmp_path / "it.yaml").read_text(encoding="utf-8").count("- request:") == 1


def test_new_questions_are_added(loopback: Loopback, tmp_path: Path) -> None:
    loopback.always(json=ANSWER)
    for path in ("/one", "/two"):
        with use_cassette(tmp_path / "it.yaml", "new_episodes"):
            httpx.get(loopback.url + "/one")
            httpx.get(loopback.url + path)

    assert [request.path for request in loopback.requests] == ["/one", "/one", "/two"]


def test_a_block_that_failed_has_saved_nothing(loopback: Loopback, tmp_path: Path) -> None:
    loopback.always(json=ANSWER)

    def fail() -> None:
        with use_cassette(tmp_path / "it.yaml", "once"):
            by_httpx(loopback.url)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert list(tmp_path.iterdir()) == []
