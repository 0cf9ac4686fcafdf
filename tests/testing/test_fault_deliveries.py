"""The fault server's odd ways to deliver: in pieces, slowly, compressed, mistyped, elsewhere, far too much."""

from __future__ import annotations

import gzip
import time

import httpx
import pytest

from homeostasis_llm import (
    InvalidRequestError,
    InvalidResponseError,
    LLMError,
    ServerError,
    merge_chunks,
    stream_chunks,
)
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import (
    Step,
    answer,
    drip,
    empty,
    error,
    gzipped,
    html,
    huge,
    mistyped,
    redirect,
    reset,
    split,
)

from .asking import PATHS, asked, connect, hear, post, provider, request, text_of, written

both = pytest.mark.parametrize("name", ["openai", "anthropic"])
streamed_or_not = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])

TEXT = "Grüße, 世界 🌍!"


def _pieces(server: FaultServer, name: str, *, streamed: bool) -> list[bytes]:
    with httpx.stream("POST", f"{server.url}{PATHS[name]}", json=asked(name, stream=streamed)) as found:
        return list(found.iter_raw())


@both
@pytest.mark.parametrize("size", [1, 7])
def test_every_byte_may_come_by_itself(size: int, name: str, server: FaultServer) -> None:
    server.always(answer(TEXT))
    whole = b"".join(_pieces(server, name, streamed=True))

    server.always(split(size, of=answer(TEXT)))
    pieces = _pieces(server, name, streamed=True)

    assert max(map(len, pieces)) == size
    assert len(b"".join(pieces)) == len(whole)
    assert text_of(b"".join(pieces)) == TEXT


@both
@streamed_or_not
@pytest.mark.parametrize(
    "step",
    [
        split(of=answer(TEXT)),
        drip(50_000, of=answer(TEXT)),
        mistyped(of=answer(TEXT)),
        split(3, of=drip(1e5, of=answer(TEXT))),
    ],
    ids=["split", "slow", "mistyped", "split and slow"],
)
def test_providers_of_ours_read_odd_deliveries(step: Step, streamed: bool, name: str, server: FaultServer) -> None:
    server.always(step)
    asks = provider(server, name)

    found = merge_chunks(stream_chunks(asks, request())).to_response() if streamed else asks.complete(request())

    assert found.content == TEXT


@streamed_or_not
def test_a_slow_answer_takes_its_time(streamed: bool, server: FaultServer) -> None:
    server.always(drip(5_000, of=answer("x" * 500)))
    began = time.monotonic()

    found = post(server, stream=streamed)

    # As many seconds as its bytes need, less a piece; how much longer is not ours to say.
    assert time.monotonic() - began >= len(found.content) / 5_000 - 0.02


@both
@streamed_or_not
@pytest.mark.parametrize("step", [gzipped(of=answer(TEXT)), gzipped(of=split(of=answer(TEXT)))], ids=["whole", "split"])
def test_a_body_may_be_compressed(step: Step, streamed: bool, name: str, server: FaultServer) -> None:
    server.always(step)

    found = post(server, name, stream=streamed)
    packed = b"".join(_pieces(server, name, streamed=streamed))

    assert found.headers["content-encoding"] == "gzip"
    assert TEXT.encode()[:5] in found.content
    assert TEXT.encode()[:5] in gzip.decompress(packed)


def test_a_compressed_stream_can_be_read_event_by_event(server: FaultServer) -> None:
    server.always(gzipped(of=answer(chunks=["a", "b"], between=60)))

    with httpx.stream("POST", f"{server.url}/chat/completions", json={"stream": True}) as found:
        assert b"assistant" in next(found.iter_bytes())  # would take a minute if it had to be complete


@both
@streamed_or_not
def test_a_body_may_be_called_what_it_is_not(streamed: bool, name: str, server: FaultServer) -> None:
    server.always(mistyped("image/png", of=answer(TEXT)))

    assert post(server, name, stream=streamed).headers.get_list("content-type") == ["image/png"]


@both
@pytest.mark.parametrize(("step", "kind"), [(html(), ServerError), (html(200), InvalidResponseError)])
def test_a_web_page_is_no_answer(step: Step, kind: type[LLMError], name: str, server: FaultServer) -> None:
    server.always(step)

    with pytest.raises(kind):
        provider(server, name).complete(request())

    for streamed in (True, False):
        found = post(server, name, stream=streamed)
        assert found.headers["content-type"] == "text/html"
        assert found.text.startswith("<html>")


@both
def test_nothing_is_no_answer(name: str, server: FaultServer) -> None:
    server.always(empty())

    with pytest.raises(InvalidResponseError):
        provider(server, name).complete(request())

    assert post(server, name).headers["content-type"] == "application/json"
    assert post(server, name, stream=True).headers["content-type"].startswith("text/event-stream")


@both
@streamed_or_not
def test_the_key_does_not_follow_to_another_server(streamed: bool, name: str, server: FaultServer) -> None:
    with FaultServer() as other:
        server.always(redirect(other.url))
        asks = provider(server, name)

        with pytest.raises(InvalidRequestError, match="redirect"):
            list(asks.complete_stream(request())) if streamed else asks.complete(request())

        assert other.count == 0


def test_a_client_that_follows_lands_on_the_same_path(server: FaultServer) -> None:
    with FaultServer() as other:
        server.always(redirect(f"{other.url}/", 308))

        found = httpx.post(f"{server.url}/v1/chat/completions?a=1", json=asked(), follow_redirects=True)

        assert found.status_code == 200
        assert found.history[0].status_code == 308
        assert (other.requests[0].path, other.requests[0].query) == ("/v1/chat/completions", {"a": ["1"]})


@both
@streamed_or_not
def test_an_answer_may_be_of_any_size(streamed: bool, name: str, server: FaultServer) -> None:
    server.always(huge(3_000_000))

    found = post(server, name, stream=streamed)

    assert 3_000_000 <= len(found.content) < 3_200_000
    text = text_of(found.content) if streamed else found.text
    assert text.count("flood.") >= 3_000_000 // len("flood. ")
    assert streamed or found.json()


@streamed_or_not
def test_a_huge_answer_waits_for_a_slow_reader(streamed: bool, server: FaultServer) -> None:
    server.always(huge())
    with httpx.stream("POST", f"{server.url}/chat/completions", json=asked(stream=streamed)) as found:
        pieces = found.iter_raw()
        assert len(next(pieces)) < 1_000_000
        assert not server.requests[0].finished  # the most of it is still to be made

    server.wait_until(lambda: server.requests[0].finished)
    assert server.requests[0].abandoned


@streamed_or_not
def test_no_more_of_a_huge_answer_is_made_than_is_read(streamed: bool, server: FaultServer) -> None:
    server.always(huge())

    with connect(server) as found:
        found.sendall(written(stream=streamed))
        with pytest.raises(TimeoutError):  # it is made in less, where nobody holds it up
            server.wait_until(lambda: server.count == 1 and server.requests[0].finished, timeout=1.0)


@pytest.mark.parametrize("made", [lambda: split(0), lambda: drip(0), lambda: drip(float("nan"))])
def test_deliveries_that_never_arrive_are_refused(made: object) -> None:
    assert callable(made)
    with pytest.raises(ValueError, match="give"):
        made()


@both
def test_errors_can_be_delivered_oddly_too(name: str, server: FaultServer) -> None:
    server.then(gzipped(of=error(429)), split(of=error(500)), mistyped("text/html", of=error(503)))

    assert [post(server, name).status_code for _ in range(3)] == [429, 500, 503]


def test_an_error_that_breaks_off_has_its_status(server: FaultServer) -> None:
    server.then(reset("mid_chunk", of=error(500)))

    heard = hear(server)

    assert heard.data.startswith(b"HTTP/1.1 500 Internal Server Error")
    assert heard.ended == "reset"


@both
@streamed_or_not
def test_a_connection_serves_on_after_every_complete_answer(streamed: bool, name: str, server: FaultServer) -> None:
    steps = [answer(), error(429), split(), drip(1e6), gzipped(), html(), empty(), huge(100_000), redirect("http://x")]
    server.then(*steps)

    with httpx.Client() as client:
        for _ in steps:
            client.post(f"{server.url}{PATHS[name]}", json=asked(name, stream=streamed))

    assert server.connections == 1
    assert [seen.step for seen in server.requests] == steps
    assert not any(seen.abandoned for seen in server.requests)
