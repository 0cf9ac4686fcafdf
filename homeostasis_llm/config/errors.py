"""The error of a settings file: where, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ErrorType, LLMError
from ..redaction import redact


class ConfigError(LLMError):
    """A settings file cannot be read, changed or understood. What stood in it is untouched."""

    default_type = ErrorType.CONFIG

    path: str | None
    """The file; a `str`, which can be unpickled on any system."""
    line: int | None
    """Counted from 1; None where no line is to blame."""
    key: str | None
    """What is set there, as in `providers.openai.timeout`."""
    problems: tuple[str, ...]
    """All that is wrong with the file, a line each; the message has the first of them."""

    def __init__(
        self,
        message: str = "",
        *,
        path: str | None = None,
        line: int | None = None,
        key: str | None = None,
        problems: Sequence[str] = (),
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.path, self.line = path, line
        self.key = None if key is None else redact(key)
        self.problems = tuple(map(redact, problems)) or (self.message,)
