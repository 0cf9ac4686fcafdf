"""Say what makes a provider of one's own out of an address that speaks a known dialect: a row, and no code."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from .tables import Table, holds_key, key_inside, must

Dialect = Literal["openai", "anthropic", "gemini", "cohere", "ollama"]
"""What litellm speaks at any address; each by the name of the provider in the catalog that it is the language of."""

_AUTH = re.compile(r"bearer|none|(scheme|header|query):[\w-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _auth(given: str) -> str:
    if not _AUTH.fullmatch(given):
        raise must("be bearer, scheme:WORD, header:NAME, query:NAME or none")
    return given


def _variable(given: str) -> str:
    if holds_key(given):
        raise key_inside()
    if not _VARIABLE.fullmatch(given):
        raise must("be the name of an environment variable")
    return given


def variables(given: object) -> tuple[str, ...]:
    """The names of environment variables that somebody's code declares. Raises `ValueError`."""
    names = _listed(given)
    if not isinstance(names, tuple) or not all(isinstance(name, str) and _VARIABLE.fullmatch(name) for name in names):
        raise ValueError("env must be the name of an environment variable, or a tuple of such names")
    return names


def _no_key(given: str) -> str:
    if holds_key(given):
        raise key_inside()
    return given


def _listed(given: object) -> object:
    return (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else given


Text = Annotated[str, Field(min_length=1)]


class Row(Table):
    """What `dialect` makes of a table: without it, the table is about a provider that is there already."""

    dialect: Dialect | None = None
    """The language that the address speaks; it makes the table a provider of its own."""
    title: Text | None = None
    """For people; the name, where nothing is said."""
    env: Annotated[tuple[Annotated[str, AfterValidator(_variable)], ...], BeforeValidator(_listed)] = ()
    """The environment variables, one or several, that its key is looked for in after ours; `<NAME>_API_KEY` by
    default."""
    auth: Annotated[str, AfterValidator(_auth)] | None = None
    """How the key is shown, `bearer`, `scheme:<word>`, `header:<name>`, `query:<name>` or `none`; by default as the
    dialect has it."""
    key_prefix: Annotated[str, Field(min_length=1), AfterValidator(_no_key)] | None = None
    """What its keys begin with: a hint."""
    key_url: Text | None = None
    """Where its keys are made."""
    models_path: Text | None = None
    """Below the address, where GET lists the models; by default the dialect's."""
    models_public: bool | None = None
    """Whether that list comes without a key too, and so proves nothing about one."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        mine = [name for name in Row.model_fields if name in self.model_fields_set]
        if self.dialect is None and mine:
            raise PydanticCustomError(
                "no_dialect", "is for a provider of one's own: say which dialect it speaks", {"at": mine[0]}
            )
        if self.dialect is not None and getattr(self, "base_url", None) is None:
            raise PydanticCustomError("no_base_url", "needs base_url too", {"at": "dialect"})
        return self
