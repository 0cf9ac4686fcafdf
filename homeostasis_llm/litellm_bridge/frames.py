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
from typing import Any

MEDIA_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct(">III")
_EXCEPTION = re.compile(rb"(?::exception-type|:error-code)\x07..(\w+)", re.DOTALL)


def framed_events(wire: bytes) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of all whole frames; `wire` may begin in the middle of one.

    A frame that is an exception becomes `{"error": …}`. InvokeModel's, which wrap a model's own event, are unwrapped.
    """
    at = 0
    while at + _PRELUDE.size <= len(wire):
        length, headers_length, checksum = _PRELUDE.unpack_from(wire, at)
        if zlib.crc32(wire[at : at + 8]) != checksum:
            at += 1  # no frame begins here
            continue
        if at + length > len(wire):
            return
        headers_end = at + _PRELUDE.size + headers_length
        event = _object(wire[headers_end : at + length - 4])
        if exception := _EXCEPTION.search(wire[at:headers_end]):
            event = {"error": {**event, "type": exception[1].decode()}}
        if event:
            yield event
        at += length


def _object(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload)
        if isinstance(found, dict) and isinstance(wrapped := found.get("bytes"), str):
            found = json.loads(base64.b64decode(wrapped))
    except ValueError:  # a model's own format need not be JSON
        return {}
    return found if isinstance(found, dict) else {}
