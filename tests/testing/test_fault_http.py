"""The fault server's HTTP: requests in every form that a client may give them, and what is none."""

from __future__ import annotations

import socket

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import answer
from homeostasis_llm.testing.faults.http import read_body, read_head

from .asking import asked, connect, written

WHOLE = b'POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 9\r\n\r\n{"a": 12}GET / HTTP/1.1\r\n'
CHUNKED = (
    b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'4;extra=1\r\n{"a"\r\n5\r\n: 12}\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\n'
)


@given(st.integers(0, len(WHOLE)))
def test_a_request_is_read_when_all_of_it_is_there_and_not_before(place: int) -> None:
    buffer = bytearray(WHOLE[:place])
    head = read_head(buffer)
    body = None if head is None else read_body(head, buffer)

    end = WHOLE.index(b"GET")
    assert (head is not None) == (place >= WHOLE.index(b"{"))
    assert body == ((b'{"a": 12}', end) if place >= end else None)
    if head is not None:
        assert dict(head.headers) == {"host": "x", "x-a": "1, 2", "content-length": "9"}


@given(st.integers(0, len(CHUNKED)))
def test_a_body_in_chunks_is_read_when_all_of_it_is_there_and_not_before(place: int) -> None:
    buffer = bytearray(CHUNKED[:place])
    head = read_head(buffer)
    body = None if head is None else read_body(head, buffer)

    end = CHUNKED.index(b"GET")
    assert body == ((b'{"a": 12}', end) if place >= end else None)


def test_a_request_may_come_byte_by_byte(server: FaultServer) -> None:
    with connect(server) as found:
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in written():
            found.sendall(bytes([byte]))
        assert found.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")

    assert server.requests[0].json == asked()


def test_requests_that_are_sent_ahead_are_answered_in_order(server: FaultServer) -> None:
    server.always(lambda request: answer(f"to {request.json['model']}", delay=request.json["temperature"]))
    asks = b"".join(written(model=f"m{index}", temperature=0.01 * (index % 1000 == 7)) for index in range(3000))

    heard = b""
    with connect(server) as found:
        found.sendall(asks)
        while heard.count(b"HTTP/1.1 200") < 3000 or not heard.endswith(b"}"):
            heard += found.recv(1_000_000)

    places = [heard.index(b'"to m%d"' % index) for index in range(3000)]
    assert places == sorted(places)


def test_a_body_in_chunks_is_understood(server: FaultServer) -> None:
    httpx.post(f"{server.url}/chat/completions", content=iter([b'{"model"', b': "a"}']))

    assert server.requests[0].json == {"model": "a"}


def test_a_client_that_waits_to_be_told_to_continue_is_told(server: FaultServer) -> None:
    with connect(server) as found:
        for _ in range(2):
            found.sendall(b"GET /models HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            assert found.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            found.sendall(b"{")
            server.wait_until(lambda: server.open_connections == 1)
            found.sendall(b"}")
            assert found.recv(1000).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("line", "header", "keeps"),
    [
        ("1.1", "", True),
        ("1.1", "connection: close\r\n", False),
        ("1.0", "", False),
        ("1.0", "connection: keep-alive\r\n", True),
    ],
)
def test_a_connection_is_kept_as_the_client_wishes(line: str, header: str, keeps: bool, server: FaultServer) -> None:
    with connect(server) as found:
        found.sendall(f"GET /models HTTP/{line}\r\n{header}\r\n".encode())
        heard = found.recv(65536)
        assert (b"connection: close" in heard) is not keeps
        if keeps:
            found.sendall(b"GET /models HTTP/1.1\r\n\r\n")
        assert (found.recv(65536) != b"") is keeps


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["TLS", "no version", "version", "header", "length", "negative length", "chunk"],
)
def test_what_is_no_http_is_told_so_and_noted_as_no_request(sent: bytes, server: FaultServer) -> None:
    with connect(server) as found:
        found.sendall(sent)
        heard = b""
        while piece := found.recv(65536):
            heard += piece

    assert heard.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"without TLS" in heard
    assert server.count == 0


def test_headers_without_an_end_are_not_listened_to_for_ever(server: FaultServer) -> None:
    with connect(server) as found, pytest.raises((BrokenPipeError, ConnectionResetError)):
        found.sendall(b"A" * 50_000_000)

    server.wait_until(lambda: server.open_connections == 0)
    assert server.count == 0
