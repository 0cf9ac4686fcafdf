"""What is sent to a provider and what comes back, as plain values: an author makes the one and reads the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidResponseError


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """What one call sends. The key, and headers that are always sent, are put in when it goes."""

    path: str
    """Below the base URL, as in `/chat`; or a whole URL."""
    json: Any = None
    """The body; None sends none."""
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    """The query of the URL."""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    """It may repeat the key, so no repr shows it."""

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        """The body, read. Raises `InvalidResponseError` where it is no JSON."""
        return read_json(self.body, "the answer")


def read_json(text: bytes | str, what: str) -> Any:
    """`text`, read. Raises `InvalidResponseError`, which says that `what` is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        shown = text.decode(errors="replace") if isinstance(text, bytes) else text
        begins = " ".join(shown[:60].split())
    raise InvalidResponseError(f"{what} is no JSON; it begins with {begins!r}" if begins else f"{what} is empty")
