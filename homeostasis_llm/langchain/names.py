"""Refuse a name that means nothing, and say which one was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ..errors import InvalidRequestError

# What other chat models call it.
_ELSEWHERE = {
    "model_kwargs": "extra",
    "extra_body": "extra",
    "request_timeout": "timeout",
    "default_request_timeout": "timeout",
    "max_output_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "openai_api_base": "base_url",
    "endpoint": "base_url",
}


def refuse_unknown(given: Iterable[str], known: Iterable[str], *, what: str, otherwise: str) -> None:
    """Raise `InvalidRequestError` if a name in `given` is not in `known`.

    `what` is said of it ("ChatHomeostasis has no option"); `otherwise` where nothing like it is known.
    """
    choices = sorted(known)
    for name in given:
        if name not in choices:
            likely = [_ELSEWHERE.get(name), *get_close_matches(name, choices, n=1)]
            near = next((found for found in likely if found in choices), None)
            raise InvalidRequestError(f"{what} {name!r}; {f'did you mean {near!r}?' if near else otherwise}")
