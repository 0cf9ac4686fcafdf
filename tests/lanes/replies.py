"""What a server may say, whoever it is: see `spoken.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Reply = Mapping[str, Any]
"""As `Loopback` takes it."""


class Spoken(NamedTuple):
    """One dialect's."""

    answer: Any
    """To whatever is asked, also as a stream: what a lane makes of it is another question."""
    failures: Mapping[str, Reply]
    """What may come instead of an answer, or is an odd one, by a name for it; it is read as a whole and as a stream."""


ANYBODYS: Mapping[str, Reply] = {
    "a broken server": {"status": 500, "json": {"error": {"message": "Oops"}}},
    "a proxy's page": {"status": 502, "body": "<html>Bad Gateway</html>", "headers": {"content-type": "text/html"}},
    "nothing": {"status": 503, "body": ""},
    "a redirect": {"status": 302, "headers": {"location": "https://elsewhere.example"}, "body": ""},
    "a page instead of an answer": {"body": "<html>Log in</html>", "headers": {"content-type": "text/html"}},
    "an empty answer": {"body": "", "headers": {"content-type": "application/json"}},
    "another object": {"json": {"detail": "no"}},
    "no connection": {"drop": True},
}
"""Failures that look alike in all dialects."""
