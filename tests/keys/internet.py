"""What lies between a key check and a provider, on loopback: proxies that speak CONNECT, and servers that misbehave."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from threading import Event, Thread
from urllib.parse import urlsplit

Talk = Callable[[socket.socket], None]
"""What a server does with one connection."""


@contextlib.contextmanager
def server(talk: Talk) -> Iterator[str]:
    """A TCP server on a free port of 127.0.0.1, at `127.0.0.1:…`. Each connection is talked to in a thread."""
    closing = Event()
    talks: list[Thread] = []
    open_ones: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        # A client may hang up, or refuse a certificate, whenever it likes.
        with connection, contextlib.suppress(OSError):
            talk(connection)

    def listen() -> None:
        while not closing.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.setblocking(True)
            open_ones.append(connection)
            talks.append(Thread(target=one, args=(connection,)))
            talks[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)  # closing a socket does not wake who waits for it, on every system
        thread = Thread(target=listen)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            closing.set()
            thread.join()
            for connection in open_ones:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for talking in talks:
                talking.join()


def says_nothing(connection: socket.socket) -> None:
    """Read, and never answer, until the client hangs up."""
    while connection.recv(65536):
        pass


def resets(connection: socket.socket) -> None:
    """Break the connection off, once something came."""
    connection.recv(65536)
    # Closed so, the system sends a reset and not an orderly end.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hangs_up(connection: socket.socket) -> None:
    """Close the connection in an orderly way, once something came."""
    connection.recv(65536)


def says(answer: bytes) -> Talk:
    """Give that answer, whatever was asked."""

    def talk(connection: socket.socket) -> None:
        _head(connection)
        connection.sendall(answer)

    return talk


def page(status: str, title: str) -> bytes:
    """A whole HTTP answer, with a web page in it."""
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


def proxy(reach: Callable[[socket.socket, str], None]) -> Talk:
    """A proxy that lets every CONNECT through: `reach` gets the connection and the host that was asked for."""

    def talk(connection: socket.socket) -> None:
        _, target, _ = _head(connection).split(b"\r\n")[0].split(b" ")
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        reach(connection, target.decode().rpartition(":")[0])

    return talk


def joined_to(url: str) -> Talk:
    """Pass everything on to the server at `url`, and back."""
    there = urlsplit(url)

    def talk(connection: socket.socket) -> None:
        with socket.create_connection((str(there.hostname), there.port or 80)) as onward:
            back = Thread(target=_pump, args=(onward, connection))
            back.start()
            _pump(connection, onward)
            back.join()

    return talk


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _head(connection: socket.socket) -> bytes:
    """A request up to the end of its headers."""
    read = b""
    while b"\r\n\r\n" not in read and (piece := connection.recv(65536)):
        read += piece
    return read
