"""Read AWS's binary event streams: the JSON in each frame.

Source: AWS's description of `application/vnd.amazon.eventstream`. A frame is two lengths of four bytes, their checksum,
headers, the payload and a checksum of it all.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MEDIA_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_EXCEPTION = re.compile(rb"(?::exception-type|:error-code)\x07..(\w+)", re.DOTALL)


class Frame(NamedTuple):
    """One whole frame."""

    exception: str | None
    """What it is, where it tells of a failure."""
    payload: bytes
    end: int
    """Where the next one begins."""
    intact: bool
    """Whether its checksum is right."""


def frame_at(wire: bytes, at: int) -> Frame | None:
    """The frame that begins there; None while it is not all there. Raises `ValueError` where none begins."""
    if at + _PRELUDE.size > len(wire):
        return None
    length, headers_length, checksum = _PRELUDE.unpack_from(wire, at)
    if zlib.crc32(wire[at : at + 8]) != checksum or length < _PRELUDE.size + headers_length + _CHECKSUM.size:
        raise ValueError("no frame of an event stream begins here")
    end = at + length
    if end > len(wire):
        return None
    headers_end, payload_end = at + _PRELUDE.size + headers_length, end - _CHECKSUM.size
    found = _EXCEPTION.search(wire, at, headers_end)
    return Frame(
        exception=None if found is None else found[1].decode(),
        payload=wire[headers_end:payload_end],
        end=end,
        intact=_CHECKSUM.unpack_from(wire, payload_end) == (zlib.crc32(wire[at:payload_end]),),
    )


def framed_events(wire: bytes) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of all whole frames; `wire` may begin in the middle of one.

    A frame that is an exception becomes `{"error": …}`. InvokeModel's, which wrap a model's own event, are unwrapped.
    """
    at = 0
    while at < len(wire):
        try:
            frame = frame_at(wire, at)
        except ValueError:
            at += 1
            continue
        if frame is None:
            return
        event = _object(frame.payload)
        if frame.exception is not None:
            event = {"error": {**event, "type": frame.exception}}
        if event:
            yield event
        at = frame.end


def _object(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload)
        if isinstance(found, dict) and isinstance(wrapped := found.get("bytes"), str):
            found = json.loads(base64.b64decode(wrapped))
    except ValueError:  # a model's own format need not be JSON
        return {}
    return found if isinstance(found, dict) else {}
