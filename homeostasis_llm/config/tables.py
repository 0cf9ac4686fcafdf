"""Be strict with the tables of the settings file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from ..redaction import MASK, redact

KEY_INSIDE = "key_inside"
"""The kind of pydantic's error for a key where none belongs. Its value is not to be shown."""

_SHORTEST_KEY = 20
"""Characters of what looks like a key, from which on it is taken for one."""


class Table(BaseModel):
    """A table of the file. Unknown keys are refused, and nothing is taken for what it is not: `"30"` is no number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True, validate_default=False
    )


def must(what: str) -> PydanticCustomError:
    """The error for a value that must be something else."""
    return PydanticCustomError("refused", "must {what}", {"what": what})


def key_inside() -> PydanticCustomError:
    """The error for a key where none belongs."""
    return PydanticCustomError(KEY_INSIDE, "holds a key")


def holds_key(text: str) -> bool:
    """Whether there is what looks like a key in it."""
    kept = redact(text)
    # Shorter than any provider's key, and so the name of something: a team called sk-42.
    return len(text) - len(kept.replace(MASK, "")) >= _SHORTEST_KEY
