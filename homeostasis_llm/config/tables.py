"""Be strict with the tables of the settings file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Table(BaseModel):
    """A table of the file. Unknown keys are refused, and nothing is taken for what it is not: `"30"` is no number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True, validate_default=False
    )


def must(what: str) -> PydanticCustomError:
    """The error for a value that must be something else."""
    return PydanticCustomError("refused", "must {what}", {"what": what})
