"""Ask the server that the fault server stands in front of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from .recorded import Request
from .reply import Lines, Reply

# They are about one connection, and not about what is sent over it.
_OF_A_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Upstream:
    """The other server, by its address."""

    def __init__(self, url: str) -> None:
        """`url` may have a path, which is put in front of a request's. Raises ValueError for anything but http."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"upstream: {url} is no address of the form http://host:port")
        self._host = parts.hostname
        self._port = parts.port or 80
        self._path = parts.path.rstrip("/")

    @asynccontextmanager
    async def asked(self, request: Request) -> AsyncIterator[Reply]:
        """What it says to `request`. A server that cannot be reached is told as status 502."""
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            said = (
                f'{{"error": {{"message": "the upstream server cannot be reached: {type(error).__name__}"}}}}'.encode()
            )
            yield Reply(502, [("content-type", "application/json")], said, len(said))
            return
        try:
            writer.write(self._written(request))
            yield await _reply(reader)
        finally:
            writer.transport.abort()

    def _written(self, request: Request) -> bytes:
        query = f"?{request.query_string}" if request.query_string else ""
        lines = [
            (name, told)
            for name, told in request.headers.items()
            if name not in _OF_A_CONNECTION and name not in {"accept-encoding", "expect"}
        ]
        lines += [
            ("host", f"{self._host}:{self._port}"),
            ("content-length", str(len(request.body))),
            ("accept-encoding", "identity"),  # so that events can be told from each other
            ("connection", "close"),
        ]
        head = "".join(f"{name}: {told}\r\n" for name, told in lines)
        return (
            f"{request.method} {self._path}{request.path}{query} HTTP/1.1\r\n{head}\r\n".encode("latin-1")
            + request.body
        )


async def _reply(reader: asyncio.StreamReader) -> Reply:
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    lines = [(name.lower(), told.strip()) for name, _, told in (line.partition(":") for line in rest)]
    headers: Lines = [line for line in lines if line[0] not in _OF_A_CONNECTION]
    if not first.startswith("HTTP/1."):
        raise ValueError("upstream: what answers there speaks no HTTP/1")
    status = int(first.split(" ")[1])
    pieces = _body(reader, dict(lines))
    if dict(lines).get("content-type", "").startswith("text/event-stream"):
        return Reply(status, headers, _events(pieces), None)
    body = b"".join([piece async for piece in pieces])
    return Reply(status, headers, body, len(body))


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).partition(b";")[0], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
    elif (length := headers.get("content-length")) is not None:
        yield await reader.readexactly(int(length))
    else:
        while piece := await reader.read(65536):
            yield piece


async def _events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole events, however they were cut for sending."""
    left = b""
    async for piece in pieces:
        left += piece
        while (end := left.find(b"\n\n")) >= 0:
            yield left[: end + 2]
            left = left[end + 2 :]
    if left:
        yield left
