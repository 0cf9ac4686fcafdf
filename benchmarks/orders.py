"""What a client's process is told to do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Doing = Literal[
    "calls",
    "acalls",
    "streams",
    "astreams",
    "tool_calls",
    "grow_by_calls",
    "grow_by_abandoned",
    "profile_calls",
    "profile_streams",
]

METHODS: dict[Doing, str] = {
    "calls": "call",
    "acalls": "acall",
    "streams": "stream",
    "astreams": "astream",
    "tool_calls": "tool_call",
    "grow_by_calls": "call",
    "grow_by_abandoned": "stream",
    "profile_calls": "call",
    "profile_streams": "stream",
}
"""The client's method behind each; a client may lack it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One round of one client."""

    doing: Doing
    times: int = 1
    script: str = "answer"
    """What the server does: see `wire`."""
    at_once: int = 1
    messages: int = 1
    characters: int = 20
    """Of all messages together."""
    providers: int = 1
    seconds: float = 60
    """After which a growing process is to come to its end."""

    def line(self) -> str:
        """As it is sent."""
        return json.dumps(asdict(self)) + "\n"
