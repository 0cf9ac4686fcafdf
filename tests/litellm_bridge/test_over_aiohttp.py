"""Async calls go over aiohttp, and nothing but their speed tells it from httpx's own transport."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from langchain_core.runnables import RunnableConfig

from homeostasis_llm import ChatHomeostasis
from homeostasis_llm.litellm_bridge.over_aiohttp import AiohttpTransport
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider

from ..loopback import Loopback
from .wires import KEY, ask, openai_answer, openai_event


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=AiohttpTransport(verify=ssl.create_default_context())) as client:
        yield client


def asked_of(loopback: Loopback) -> LiteLLMProvider:
    return LiteLLMProvider("openai", KEY, base_url=f"{loopback.url}/v1")


# ------------------------------------------------------------------------------------------------------- connections


async def test_a_thousand_calls_a_hundred_at_once_open_no_more_connections_than_that(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEOSTASIS_LITELLM_LANE", "direct")  # the lane that costs least
    loopback.always(json=openai_answer())
    model = ChatHomeostasis(provider=asked_of(loopback), model="m")

    answers = await model.abatch(["Hi"] * 1_000, RunnableConfig(max_concurrency=100))

    assert len(answers) == len(loopback.requests) == 1_000
    assert loopback.connections <= 100


async def test_one_call_after_another_uses_one_connection(loopback: Loopback) -> None:
    loopback.always(json=openai_answer())
    provider = asked_of(loopback)

    for _ in range(3):
        await provider.acomplete(ask("Hi"))

    assert loopback.connections == 1


async def test_the_first_calls_of_a_provider_may_come_all_at_once(loopback: Loopback) -> None:
    loopback.always(json=openai_answer())
    provider = asked_of(loopback)

    await asyncio.gather(*[provider.acomplete(ask("Hi")) for _ in range(30)])

    assert len(loopback.requests) == 30


async def test_a_call_that_is_cancelled_closes_its_connection(closings: Closings) -> None:
    provider = LiteLLMProvider("openai", KEY, base_url=closings.url)
    call = asyncio.create_task(provider.acomplete(ask("Hi")))
    await closings.asked.wait()

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    await closings.closed.wait()


async def test_a_stream_that_is_left_closes_its_connection(closings: Closings) -> None:
    closings.answer = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + openai_event({"content": "a"}).encode()
    )
    stream = LiteLLMProvider("openai", KEY, base_url=closings.url).acomplete_stream(ask("Hi"))

    first = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator

    assert first is not None
    await closings.closed.wait()


@pytest.mark.parametrize("end", ["loop.close()", "del client, loop", "pass"])
def test_an_event_loop_that_ends_without_closing_anything_says_nothing(end: str, loopback: Loopback) -> None:
    loopback.always(body="Hello")
    program = f"""
import asyncio, ssl, httpx
from homeostasis_llm.litellm_bridge.over_aiohttp import AiohttpTransport
client = httpx.AsyncClient(transport=AiohttpTransport(verify=ssl.create_default_context()))
loop = asyncio.new_event_loop()
print(loop.run_until_complete(client.get({loopback.url!r})).text)
{end}
"""

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (run.stderr, run.stdout, run.returncode) == ("", "Hello\n", 0)


class Closings:
    """A server that answers with the beginning of an answer, or with nothing, and tells when a client has gone."""

    def __init__(self) -> None:
        self.answer = b""
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.partition(b":")[2]))
        self.asked.set()
        writer.write(self.answer)
        await reader.read()
        self.closed.set()
        writer.close()


@pytest_asyncio.fixture
async def closings() -> AsyncIterator[Closings]:
    told = Closings()
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield told


# ------------------------------------------------------------------------------------------------------ what is sent


async def test_a_request_is_sent_as_httpx_has_it_and_nothing_is_added(
    loopback: Loopback, client: httpx.AsyncClient
) -> None:
    loopback.always(status=204)
    headers = [(b"X-Twice", b"one"), (b"X-Twice", b"two"), (b"X-Umlaut", "ü".encode())]
    bare = httpx.Request("POST", f"{loopback.url}/v1/a%2Fb?q=%20&q=2", headers=headers, content=b"{}")

    await client.send(bare)

    (sent,) = loopback.requests
    assert (sent.path, sent.query, sent.body) == ("/v1/a%2Fb", {"q": [" ", "2"]}, b"{}")
    assert sent.headers.get_all("X-Twice") == ["one", "two"]
    assert {name.lower() for name in sent.headers} == {"host", "content-length", "x-twice", "x-umlaut"}


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 3 << 20])
async def test_a_body_of_any_size_arrives_whole(size: int, loopback: Loopback, client: httpx.AsyncClient) -> None:
    loopback.always(body=b"y" * size)

    answer = await client.post(loopback.url, content=b"x" * size)

    assert loopback.requests[0].body == b"x" * size
    assert answer.content == b"y" * size


async def test_redirects_and_cookies_are_left_to_httpx(loopback: Loopback) -> None:
    transport = AiohttpTransport(verify=ssl.create_default_context())
    loopback.always(status=307, headers={"location": "/elsewhere", "set-cookie": "a=b"})
    named = loopback.url.replace("127.0.0.1", "localhost")  # a number's cookies aiohttp would not keep anyway

    for _ in range(2):
        answer = await transport.handle_async_request(httpx.Request("GET", named))
        await answer.aread()
    await transport.aclose()

    assert answer.status_code == 307
    assert [(sent.path, sent.headers["cookie"]) for sent in loopback.requests] == [("/", None), ("/", None)]


async def test_a_proxy_of_the_environment_is_asked(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", loopback.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    loopback.always(json=openai_answer())

    await LiteLLMProvider("openai", KEY, base_url="http://models.example/v1").acomplete(ask("Hi"))

    assert [sent.headers["host"] for sent in loopback.requests] == ["models.example"]


# ---------------------------------------------------------------------------------------------------- what goes wrong


async def test_a_server_that_is_not_there_is_a_connect_error_with_the_systems_reason(client: httpx.AsyncClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"

    with pytest.raises(httpx.ConnectError) as caught:
        await client.get(url)

    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"drop": True}, id="no answer"),
        pytest.param({"body": b"half of it", "cut": True}, id="half an answer"),
        pytest.param({"chunks": ["a"], "cut": True}, id="half a stream"),
    ],
)
async def test_a_connection_that_ends_too_soon_is_a_protocol_error(
    answer: dict[str, object], loopback: Loopback, client: httpx.AsyncClient
) -> None:
    loopback.always(**answer)  # type: ignore[arg-type]  # of a parametrized test

    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(loopback.url, content=b"{}")


async def test_an_answer_that_is_no_http_is_a_protocol_error(closings: Closings, client: httpx.AsyncClient) -> None:
    closings.answer = b"220 mail.example ESMTP\r\n\r\n"

    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(closings.url, content=b"{}")


async def test_a_server_that_keeps_silent_is_a_read_timeout(closings: Closings, client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await client.post(closings.url, content=b"{}", timeout=httpx.Timeout(None, read=0.01))


async def test_the_time_to_wait_may_change_between_head_and_body(closings: Closings, client: httpx.AsyncClient) -> None:
    closings.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"
    asked = client.build_request("POST", closings.url, content=b"{}", timeout=None)
    answer = await client.send(asked, stream=True)

    asked.extensions["timeout"]["read"] = 0.01

    with pytest.raises(httpx.ReadTimeout):
        await answer.aread()
    await answer.aclose()


async def test_a_server_that_speaks_no_tls_is_a_connect_error_with_the_systems_reason(
    client: httpx.AsyncClient,
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    assert isinstance(caught.value.__cause__, ssl.SSLError)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http+unix://x/"])
async def test_what_is_no_web_address_is_refused(url: str, client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        await client.get(url)
