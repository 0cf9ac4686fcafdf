"""A fault server in front of another server: of its own kind, and of the embedded model's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from homeostasis_llm_llama_cpp import serve

from homeostasis_llm import LLMConnectionError, ProviderFactory, RateLimitError, stream_chunks
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import Step, answer, error, forward, gzipped, mistyped, reset, silence

from .asking import KEY, asked, connect, hear, post, provider, request, text_of, written

both = pytest.mark.parametrize("name", ["openai", "anthropic"])
streamed_or_not = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])


@pytest.fixture
def front(server: FaultServer) -> Iterator[FaultServer]:
    """Stands in front of `server`."""
    with FaultServer(upstream=server.url) as found:
        yield found


@both
@streamed_or_not
def test_good_requests_are_passed_through(streamed: bool, name: str, server: FaultServer, front: FaultServer) -> None:
    server.always(answer("from behind"))

    before, behind = post(front, name, stream=streamed), post(server, name, stream=streamed)

    assert before.status_code == 200
    assert len(before.content) == len(behind.content)
    assert "behind" in before.text
    assert before.headers["content-type"] == behind.headers["content-type"]


def test_a_request_arrives_behind_as_it_came(server: FaultServer, front: FaultServer) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-thing": "1"}
    httpx.post(f"{front.url}/v1/chat/completions?a=1&a=2", json=asked(), headers=headers)

    (request,) = server.requests
    assert (request.path, request.query) == ("/v1/chat/completions", {"a": ["1", "2"]})
    assert request.json == asked()
    assert (request.headers["authorization"], request.headers["x-thing"]) == (f"Bearer {KEY}", "1")
    assert request.headers["host"] in server.url
    assert request.headers["accept-encoding"] == "identity"


def test_the_address_behind_may_have_a_path(server: FaultServer) -> None:
    with FaultServer(upstream=f"{server.url}/deep/v1/") as front:
        assert post(front).status_code == 200

    assert server.requests[0].path == "/deep/v1/chat/completions"


def test_errors_from_behind_are_passed_through(server: FaultServer, front: FaultServer) -> None:
    server.always(error(429, retry_after=7))

    with pytest.raises(RateLimitError) as caught:
        provider(front).complete(request())

    assert caught.value.retry_after == 7.0


def test_faults_are_put_in_front_of_what_is_behind(server: FaultServer, front: FaultServer) -> None:
    server.always(answer(chunks=["a", "b", "c"]))
    front.then(error(500), reset(after_chunks=2, of=forward()), gzipped(of=forward()), mistyped(of=forward()))

    assert post(front).status_code == 500
    assert server.count == 0
    broken = hear(front, stream=True)
    assert broken.ended == "reset"
    assert b'"b"' in broken.data
    assert b'"c"' not in broken.data
    packed = post(front, stream=True)
    assert (packed.headers["content-encoding"], text_of(packed.content)) == ("gzip", "abc")
    assert post(front).headers["content-type"] == "text/plain"


def test_a_server_that_is_not_there_is_a_bad_gateway(server: FaultServer, front: FaultServer) -> None:
    server.stop_listening()

    found = post(front)

    assert found.status_code == 502
    assert "cannot be reached" in found.json()["error"]["message"]


@streamed_or_not
@pytest.mark.parametrize("step", [reset(), reset("after_headers"), reset("mid_chunk")])
def test_what_breaks_behind_breaks_in_front(
    step: Step, streamed: bool, server: FaultServer, front: FaultServer
) -> None:
    server.always(step)

    assert hear(front, stream=streamed).ended == "reset"


def test_a_client_that_hangs_up_is_gone_behind_too(server: FaultServer, front: FaultServer) -> None:
    server.always(silence(after_chunks=1))
    found = connect(front)
    found.sendall(written(stream=True))
    server.wait_until(lambda: server.count == 1)

    found.close()

    server.wait_until(lambda: server.requests[0].finished)
    assert server.requests[0].abandoned
    assert front.requests[0].abandoned


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:80", "http://"])
def test_an_address_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://host:port"):
        FaultServer(upstream=url)


@contextmanager
def speaking(said: bytes) -> Iterator[str]:
    """The address of a server that says the same to whoever comes first, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            found, _ = listener.accept()
            with found:
                found.recv(65536)
                found.sendall(said)

        speaker = threading.Thread(target=speak)
        speaker.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        speaker.join()


def test_a_body_without_a_length_is_passed_through_to_its_end() -> None:
    said = b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nuntil the end"
    with speaking(said) as url, FaultServer(upstream=url) as front:
        found = post(front)

    assert (found.text, found.headers["content-length"]) == ("until the end", "13")


def test_a_stream_with_other_line_ends_or_none_is_passed_through() -> None:
    stream = b"data: 1\r\n\r\ndata: 2\n\ndata: 3"
    said = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%b" % (len(stream), stream)
    with speaking(said) as url, FaultServer(upstream=url) as front:
        assert post(front, stream=True).content == stream


def test_what_speaks_no_http_behind_is_a_mistake_of_the_test() -> None:
    def ask() -> None:
        with speaking(b"220 mail.example ESMTP\r\n\r\n") as url, FaultServer(upstream=url) as front:
            assert hear(front).ended == "reset"

    with pytest.raises(ValueError, match="speaks no HTTP/1"):
        ask()


def test_the_embedded_models_server_can_stand_behind() -> None:
    with serve(api_key=KEY) as url, FaultServer(upstream=url) as front:
        asks = ProviderFactory.create_provider("openai", KEY, base_url=f"{front.url}/v1")
        brief = request(max_tokens=8, temperature=0.0)

        whole = asks.complete(brief)
        streamed = "".join(chunk.text for chunk in stream_chunks(asks, brief))
        front.then(reset(after_chunks=2, of=forward()))
        with pytest.raises(LLMConnectionError) as caught:
            list(stream_chunks(asks, brief))

    assert whole.content == streamed != ""
    assert caught.value.partial is not None
    assert caught.value.partial.content != ""
    assert streamed.startswith(caught.value.partial.content)
    assert front.count == 3
