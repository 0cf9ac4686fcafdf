"""Find a key in what is to be saved, in whatever spelling: nothing that holds one is written.

By value, every key that the process holds: those that providers were made with, those in its environment, and those
that were sent, by whatever client. By shape, the keys of well-known providers, also somebody else's.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ...catalog import all_facts
from ...redaction import MASK, redact, remember
from .errors import SecretFoundError

_SHORTEST = 8
"""Characters of a variable's or a cookie's value that is taken for a secret; what is shorter is a switch, a number."""

_VARIABLE = re.compile(r".*_(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?|JWT)", re.IGNORECASE)
_HEADER = re.compile(
    r"(proxy-)?authorization|cookie|.*(api|auth|access|secret|subscription)?-?(key|token)|x-amz-.*token"
)
_PARAMETER = re.compile(r"(api|access|auth|client)?[_-]?(key|token|secret)|sig", re.IGNORECASE)


def remember_environment() -> None:
    """Know every key in the environment: of the catalog's variables, and of those that are called like one."""
    named = {variable for facts in all_facts().values() for variable in facts.env}
    for variable, found in os.environ.items():
        if (variable in named or _VARIABLE.fullmatch(variable)) and len(found) >= _SHORTEST:
            remember(found)


def remember_sent(url: str, headers: Mapping[str, Any]) -> None:
    """Know the key that a request carries, so that it is found where its answer repeats it."""
    for name, told in headers.items():
        if not _HEADER.fullmatch(str(name).lower()):
            continue
        for value in [told] if isinstance(told, (str, bytes)) else told:
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for secret in _shown_in(text):
                remember(secret)
    parts = urlsplit(url)
    for name, told in parse_qsl(parts.query):
        if _PARAMETER.fullmatch(name) and told != MASK:
            remember(told)
    if parts.password:
        remember(parts.password)


def refuse_secrets(document: Mapping[str, Any], where: str) -> None:
    """Raise `SecretFoundError`, naming each place, where a key stands in `document`, to be saved as `where`."""
    places = list(dict.fromkeys(secret_places(document)))
    if places:
        raise SecretFoundError(
            f"{where}: not saved, for a key stands in {' and in '.join(places)}. "
            "Keep it out of what is sent, or have it removed: `scrub=[...]` takes regular expressions."
        )


def secret_places(document: Mapping[str, Any]) -> Iterator[str]:
    """Where in `document` a key stands, as in `exchanges[0].response.json`."""
    for path, text in _texts(document, ""):
        if redact(text) != text:
            yield path + _line(text)
        elif path.endswith((".sse", ".lines")) and any(redact(joined) != joined for joined in _joined(text)):
            # In a stream a key may come in pieces.
            yield f"{path}, spread over several events"


def _line(text: str) -> str:
    """In which line of a text of several."""
    lines = text.splitlines()
    if len(lines) < 2:
        return ""
    number = next((number for number, line in enumerate(lines, 1) if redact(line) != line), None)
    return "" if number is None else f", line {number}"


def _texts(found: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in `found`, names too, with its place."""
    if isinstance(found, Mapping):
        for name, told in found.items():
            step = f"{path}.{name}" if path else str(name)
            if redact(str(name)) != str(name):
                yield f"a name in {path or 'it'}", str(name)
            yield from _texts(told, step)
    elif isinstance(found, list):
        for index, item in enumerate(found):
            yield from _texts(item, f"{path}[{index}]")
    elif isinstance(found, str):
        yield path, found
        if path.endswith(".url"):
            # What stands in a parameter may have been an address itself.
            yield path, unquote(unquote(found))
        if path.endswith(".base64"):
            yield path, base64.b64decode(found).decode("latin-1")


def _joined(stream: str) -> Iterable[str]:
    """For each place in the events of a stream, all texts that came there, one after another."""
    joined: dict[str, list[str]] = {}
    for line in stream.splitlines():
        try:
            event = json.loads(line.removeprefix("data:").strip())
        except (ValueError, RecursionError):
            continue
        for path, text in _texts(event, ""):
            joined.setdefault(path, []).append(text)
    return ["".join(texts) for texts in joined.values()]


def _shown_in(header: str) -> Iterator[str]:
    """The secrets of a header's value, without the words around them."""
    if header.lower().startswith("basic "):
        try:
            user, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return
        yield from filter(None, (password or user,))
    elif header.startswith("AWS4-"):
        # Signed: the secret itself is not in it, and the id of the key is known by its shape.
        return
    elif "=" in header and ";" in header:  # cookies
        values = (piece.partition("=")[2].strip() for piece in header.split(";"))
        yield from (value for value in values if len(value) >= _SHORTEST)
    else:
        yield header.rpartition(" ")[2]
