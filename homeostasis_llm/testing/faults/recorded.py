"""A request as it arrived. Shown to people, it holds no key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from .steps import Step

_SECRET = re.compile(r"auth|key|token|cookie|secret|signature|credential", re.IGNORECASE)
_MASK = "***"


class Headers(Mapping[str, str]):
    """Headers, asked for in any case; of those that came twice, both values with a comma between them."""

    __slots__ = ("_lines",)

    def __init__(self, lines: dict[str, str]) -> None:
        """`lines` has names in lower case."""
        self._lines = lines

    def __getitem__(self, name: str) -> str:
        return self._lines[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return repr({name: _MASK if _SECRET.search(name) else told for name, told in self._lines.items()})


class Request:
    """One request, and what became of it."""

    __slots__ = (
        "abandoned",
        "at",
        "body",
        "connection",
        "finished",
        "headers",
        "method",
        "path",
        "query_string",
        "step",
    )

    def __init__(self, *, method: str, target: str, headers: Headers, body: bytes, at: float, connection: int) -> None:
        self.method = method
        self.path, _, self.query_string = target.partition("?")
        """`path` is without the query."""
        self.headers = headers
        self.body = body
        self.at = at
        """Unix time."""
        self.connection = connection
        """The number of the connection that it came on, from 1; those on a kept one share it."""
        self.step: Step | None = None
        """What was done with it."""
        self.finished = False
        """Whether the server is done with it, in whatever way."""
        self.abandoned = False
        """Whether the client hung up before the server had said all that it was to say."""

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def query(self) -> dict[str, list[str]]:
        """What stood behind the question mark."""
        return parse_qs(self.query_string, keep_blank_values=True)

    def __repr__(self) -> str:
        names = "".join(f"{'&' if index else '?'}{name}={_MASK}" for index, name in enumerate(self.query))
        return (
            f"<Request {self.method} {self.path}{names} on connection {self.connection}, {len(self.body)} bytes, "
            f"headers={self.headers!r}{', abandoned' if self.abandoned else ''}>"
        )
