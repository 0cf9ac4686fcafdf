"""What an answer repeats of the request it is given to, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .recorded import Request

_NO_MODEL = "fault-model"


@dataclass(frozen=True, slots=True)
class About:
    """What the wires need to know of a request."""

    number: int
    """Of the request, from 1: for the answer's id."""
    now: float
    """Unix time."""
    model: str
    streamed: bool
    wants_usage: bool
    """Whether a stream shall end with the usage, which OpenAI tells on demand."""
    key: str
    """The one that came along, shortened so far that a provider might echo it."""


def about(request: Request, number: int, now: float) -> About:
    """Read it out of a request. A body that is no JSON object is one that says nothing."""
    said: dict[str, Any] = {}
    if request.body:
        try:
            parsed = json.loads(request.body)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, dict):
            said = parsed
    model = said.get("model")
    options = said.get("stream_options")
    return About(
        number=number,
        now=now,
        model=model if isinstance(model, str) and model else _NO_MODEL,
        streamed=said.get("stream") is True,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        key=_shortened(request),
    )


def _shortened(request: Request) -> str:
    key = request.headers.get("authorization", "").partition(" ")[2] or request.headers.get("x-api-key", "")
    return f"{key[:3]}{'*' * 8}{key[-4:]}" if len(key) > 16 else "*" * 8
