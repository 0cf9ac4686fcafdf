"""Keep bodies so that people can read them, and give back what was kept.

JSON is indented, an event stream stands as its lines, other text as it is, and the rest in base64. What would not come
back as the same values (a number with too many digits, a name twice in one object) is kept as the text it was.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections.abc import Mapping
from typing import Any

from .errors import UnreadableCassetteError

Kept = dict[str, Any]
"""A body as it stands in the file: one of `json`, `sse`, `lines`, `text` or `base64`; nothing for an empty one."""

KINDS = ("json", "sse", "lines", "text", "base64")

_LARGEST = 1 << 28
"""Bytes that a compressed body may unpack to."""

_EVENT = re.compile(r".*?(?:\r\n\r\n|\n\n|\r\r)|.+", re.DOTALL)
_LINE = re.compile(r".*?\n|.+", re.DOTALL)


class _NotTheSameError(ValueError):
    """It would come back as something else."""


def keep(body: bytes, content_type: str = "") -> Kept:
    """`body` as it is to stand in the file."""
    if not body:
        return {}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
    if "event-stream" in content_type:
        if "\r\n" in text and text == text.replace("\r\n", "\n").replace("\n", "\r\n"):
            return {"sse": text.replace("\r\n", "\n"), "line_ends": "CRLF"}
        return {"sse": text}
    pretty = _pretty(text)
    if pretty is not None:
        return {"json": pretty}
    # Ollama's and others' streams: an object in each line.
    return {"lines" if "ndjson" in content_type or "jsonl" in content_type else "text": text}


def give_back(kept: Mapping[str, Any], place: str) -> bytes:
    """The body that was kept. Raises `UnreadableCassetteError`, naming `place`, for what `keep` did not write."""
    found = [kind for kind in KINDS if kind in kept]
    if not found:
        return b""
    if len(found) > 1:
        raise UnreadableCassetteError(f"{place}: has both {' and '.join(found)}; a body is one of them")
    text = kept[found[0]]
    if not isinstance(text, str):
        raise UnreadableCassetteError(f"{place}.{found[0]}: must be text, not {type(text).__name__}")
    if found[0] == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise UnreadableCassetteError(f"{place}.base64: {error}") from None
    if found[0] == "json":
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UnreadableCassetteError(f"{place}.json: is no JSON: {error}; put other text under `text`") from None
    if kept.get("line_ends") == "CRLF":
        text = text.replace("\n", "\r\n")
    return text.encode("utf-8", "surrogatepass")


def pieces(body: bytes, content_type: str) -> list[bytes]:
    """`body` in the pieces that a reader sees as one: the events of an event stream, lines of JSON, or all at once."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return [body]
    if "event-stream" in content_type:
        return [event.encode() for event in _EVENT.findall(text)]
    if "ndjson" in content_type or "jsonl" in content_type:
        return [line.encode() for line in _LINE.findall(text)]
    return [body]


def is_stream(content_type: str) -> bool:
    """Whether answers of that type come piece by piece."""
    return any(word in content_type for word in ("event-stream", "ndjson", "jsonl", "eventstream"))


def unpacked(body: bytes, encoding: str) -> bytes:
    """`body` without its compression. What cannot be unpacked here is returned as it is."""
    for word in reversed(encoding.lower().replace(" ", "").split(",")):
        if word not in {"gzip", "x-gzip", "deflate"}:
            continue
        for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
            try:
                body = _unpacked(body, window)
            except zlib.error:
                continue
            break
    return body


def _unpacked(body: bytes, window: int) -> bytes:
    unpacker = zlib.decompressobj(window)
    found = unpacker.decompress(body, _LARGEST)
    if unpacker.unconsumed_tail:
        raise UnreadableCassetteError(f"a compressed body unpacks to more than {_LARGEST >> 20} MB")
    return found


def _pretty(text: str) -> str | None:
    """`text` indented, None where it is no JSON or would become another."""
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)
        pretty = json.dumps(found, indent=2, ensure_ascii=False)
        pretty.encode()
    except (ValueError, RecursionError):
        return None
    return pretty if isinstance(found, (dict, list)) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotTheSameError
    return found


def _float(digits: str) -> float:
    found = float(digits)
    significant = re.sub(r"[eE].*|[-.]", "", digits).strip("0")
    if not math.isfinite(found) or (len(significant) > 15 and repr(found) != digits):
        raise _NotTheSameError
    return found


def _constant(name: str) -> Any:
    raise _NotTheSameError(name)
