"""HTTP/1.1 as a server reads and writes it: plain functions from bytes and to bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from .recorded import Headers

_LONGEST_HEAD = 256 * 1024
"""Bytes."""

_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class NotHTTPError(ValueError):
    """What arrived is no HTTP request."""


@dataclass(frozen=True, slots=True)
class Head:
    """The part of a request before its body."""

    method: str
    target: str
    headers: Headers
    size: int
    """Bytes."""
    keeps: bool
    """Whether the client wants to go on with the connection."""


def read_head(buffer: bytearray) -> Head | None:
    """The head at the start of `buffer`; None while it is not all there. Raises `NotHTTPError`."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > _LONGEST_HEAD or (buffer and not buffer[:1].isalpha()):
            raise NotHTTPError
        return None
    first, *lines = buffer[:end].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise NotHTTPError
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, told = line.partition(":")
        if not colon:
            raise NotHTTPError
        name, told = name.lower(), told.strip()
        headers[name] = f"{headers[name]}, {told}" if name in headers else told
    wish = headers.get("connection", "").lower()
    keeps = "close" not in wish if words[2] == "HTTP/1.1" else "keep-alive" in wish
    return Head(words[0], words[1], Headers(headers), end + 4, keeps)


def read_body(head: Head, buffer: bytearray) -> tuple[bytes, int] | None:
    """The body behind `head`, and where in `buffer` it ends; None while it is not all there. Raises `NotHTTPError`."""
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(buffer, head.size)
    length = head.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise NotHTTPError
    end = head.size + int(length)
    return (bytes(buffer[head.size : end]), end) if len(buffer) >= end else None


def _read_chunks(buffer: bytearray, place: int) -> tuple[bytes, int] | None:
    body = b""
    while (line := buffer.find(b"\r\n", place)) >= 0:
        try:
            size = int(buffer[place:line].partition(b";")[0], 16)
        except ValueError:
            raise NotHTTPError from None
        if size == 0:
            end = buffer.find(b"\r\n\r\n", line)
            return None if end < 0 else (body, end + 4)
        place = line + 2 + size + 2
        if len(buffer) < place:
            return None
        body += buffer[line + 2 : place - 2]
    return None


def head_of_answer(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The status line and the headers of an answer."""
    lines = "".join(f"{name}: {told}\r\n" for name, told in headers)
    return f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}\r\n{lines}\r\n".encode("latin-1")


def chunk(data: bytes, missing: int = 0) -> bytes:
    """`data` as a chunk, or as the beginning of one of which so many bytes are missing."""
    if missing:
        return b"%x\r\n%b" % (len(data) + missing, data)
    return b"%x\r\n%b\r\n" % (len(data), data)
