"""A real HTTP server on a free local port: a test scripts its answers and reads what it was sent."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import parse_qs, urlsplit

NOTHING_SCRIPTED = 599
"""The status of an answer that no test has asked for."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A request as it arrived."""

    method: str
    path: str
    """Without the query."""
    query: dict[str, list[str]]
    headers: Message
    """Asked for in any case; an absent one is None."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Scripted(TypedDict, total=False):
    """What an answer may be made of; `json`, `body` and `chunks` exclude each other."""

    json: object
    body: bytes | str
    chunks: Sequence[bytes | str | float]
    """Sent one by one, chunked; a number is a pause in seconds."""
    status: int
    headers: dict[str, str]
    delay: float
    """Seconds before the answer begins."""
    drop: bool
    """Close the connection without an answer."""
    cut: bool
    """Close the connection amid the body."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    json: object = None
    body: bytes | str = b""
    chunks: Sequence[bytes | str | float] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False
    cut: bool = False

    def content(self) -> tuple[str, bytes]:
        """The media type and the bytes."""
        if self.json is not None:
            return "application/json", json.dumps(self.json).encode()
        if self.chunks is not None:
            return "text/event-stream", b""
        return "text/plain; charset=utf-8", _bytes(self.body)


class Loopback:
    """The server. Use it as a context manager; it is listening at `url` inside."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        """How many connections were opened; requests on a kept one do not count again."""
        self._queue: deque[_Answer] = deque()
        self._default: _Answer | None = None
        self._lock = Lock()
        self._closing = Event()
        self._failures: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._server = _server(self)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="loopback")

    @property
    def url(self) -> str:
        """`http://127.0.0.1:…`, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def reply(self, **answer: Unpack[Scripted]) -> None:
        """Give one answer, after those already queued."""
        with self._lock:
            self._queue.append(_Answer(**answer))

    def always(self, **answer: Unpack[Scripted]) -> None:
        """Give this answer whenever nothing is queued."""
        with self._lock:
            self._default = _Answer(**answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._open:  # a kept connection would keep its thread waiting for the next request
                with contextlib.suppress(OSError):  # the client was first
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        if self._failures:
            raise self._failures[0]

    # What follows is called by the server's threads.

    def _opened(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self._open.add(connection)

    def _closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def _next(self, request: Recorded) -> _Answer:
        with self._lock:
            self.requests.append(request)
            scripted = self._queue.popleft() if self._queue else self._default
        return scripted or _Answer(
            status=NOTHING_SCRIPTED,
            json={"error": {"message": f"loopback: nothing is scripted for {request.method} {request.path}"}},
        )

    def _wait(self, seconds: float) -> None:
        if seconds:
            self._closing.wait(seconds)


def _server(owner: Loopback) -> ThreadingHTTPServer:
    """The HTTP server whose handlers report to `owner`."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # joined when the server closes
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            error = sys.exception()
            if error is not None and not isinstance(error, ConnectionError):  # a client may hang up whenever it likes
                owner._failures.append(error)

        def process_request(self, request: Any, client_address: Any) -> None:
            owner._opened(request)
            super().process_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            owner._closed(request)
            super().shutdown_request(request)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # each piece leaves when it is written

        def do_POST(self) -> None:
            target = urlsplit(self.path)
            answer = owner._next(
                Recorded(
                    method=self.command,
                    path=target.path,
                    query=parse_qs(target.query, keep_blank_values=True),
                    headers=self.headers,
                    body=self._body(),
                )
            )
            owner._wait(answer.delay)
            if answer.drop:
                self.close_connection = True
                return
            self._send(answer)

        do_GET = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_POST  # noqa: N815  # the names that http.server calls

        def _send(self, answer: _Answer) -> None:
            media_type, content = answer.content()
            headers = {"content-type": media_type, **{name.lower(): told for name, told in answer.headers.items()}}
            framing = (
                ("content-length", str(len(content))) if answer.chunks is None else ("transfer-encoding", "chunked")
            )
            headers.setdefault(*framing)
            self.send_response(answer.status)
            for name, told in headers.items():
                self.send_header(name, told)
            self.end_headers()
            if self.command == "HEAD":
                return
            if answer.chunks is None:
                self.wfile.write(content[: len(content) // 2] if answer.cut else content)
            for chunk in answer.chunks or ():
                if isinstance(chunk, (int, float)):
                    owner._wait(chunk)
                else:
                    self._send_chunk(_bytes(chunk))
            if answer.chunks is not None and not answer.cut:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = self.close_connection or answer.cut

        def _send_chunk(self, chunk: bytes) -> None:
            if chunk:  # an empty one would end the body
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what a test wants seen."""

    return Server(("127.0.0.1", 0), Handler)


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
