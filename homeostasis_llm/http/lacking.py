"""Refuse what a provider's API has nothing for, before it is sent: a setting without effect would be believed in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..errors import UnsuitableRequestError
from ..request import LLMRequest

PARTS = frozenset({"image", "audio", "file"})

_MEANINGLESS = {"tool_choice": ("auto", "none"), "response_format": ("text",)}
"""Values that ask for nothing where there is nothing of the kind."""


def check_suitable(request: LLMRequest, lacks: Collection[str], provider: str) -> None:
    """Raise `UnsuitableRequestError` where `request` sets a field, or has a part of the kind, that is in `lacks`."""
    for name in lacks:
        if name in PARTS:
            if any(part.type == name for message in request.messages for part in _parts(message.content)):
                raise UnsuitableRequestError(f"{provider} takes no {name} parts", provider=provider)
            continue
        told = getattr(request, name)
        if told is None or told == [] or told in _MEANINGLESS.get(name, ()):
            continue
        raise UnsuitableRequestError(f"{provider} has no {name}; leave it out", provider=provider)


def _parts(content: object) -> list[Any]:
    return content if isinstance(content, list) else []
