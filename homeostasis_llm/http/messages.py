"""What is sent to a provider and what comes back, as plain values: an author makes the one and reads the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..error_facts import error_from_answer
from ..errors import InvalidResponseError, LLMError
from ..redaction import redact

_SHOWN = 60
"""Characters of what is no JSON that its error repeats."""

_LOOKED_AT = 1000
"""Characters of it in which keys are looked for."""


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
    stream_says_its_end: bool = True
    """Whether its stream ends with a finish reason or `[DONE]`. Where it does not, a stream that was cut in good order
    passes for a whole one."""


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
        shown = text[:_LOOKED_AT].decode(errors="replace") if isinstance(text, bytes) else text[:_LOOKED_AT]
        begins = redact(" ".join(shown.split()))[:_SHOWN]  # cut after that, or half of a key might be left
    del text, shown  # it may repeat the key, and no traceback shall hold it
    raise InvalidResponseError(f"{what} is no JSON; it begins with {begins!r}" if begins else f"{what} is empty")


def in_band_error(
    body: bytes | str, headers: Mapping[str, str], *, provider: str, model: str | None, certain: bool = False
) -> LLMError | None:
    """The error that `body` tells although it came with a good status: as an object or a sentence under `error`.

    With `certain`, something else said that it is one.
    """
    if not certain:
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        if '"error"' not in text:
            return None
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return None  # whoever reads it says so
        if not isinstance(told, dict) or not isinstance(told.get("error"), (dict, str)) or not told["error"]:
            return None
    return error_from_answer(200, headers, body, provider=provider, model=model)
