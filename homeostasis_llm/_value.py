"""Make a class a checked value: a pydantic dataclass whose errors are ours and fit on one line.

A plain `@dataclass` subclass of a value keeps the checks of the fields it inherits.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any, ClassVar, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from .errors import InvalidRequestError

T = TypeVar("T")

_field_names: set[str] = set()


class RefusedValueError(InvalidRequestError):
    """A value was to be made of something that makes none; whose mistake that is depends on who makes it."""


_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, validate_default=False)
# White space, control and invisible characters, curly quotes: pasted along, or the end of an HTTP header.
_UNSENDABLE = re.compile(r"[^\x21-\x7e]")
_LONGEST_INPUT = 60
"""Characters of a refused value that its error repeats."""


@dataclass_transform(field_specifiers=(dataclasses.field, Field))
def value(cls: type[T]) -> type[T]:
    """Decorate `cls` as a value. Its constructor raises `RefusedValueError`, naming the field, for bad input."""
    made: type[T] = pydantic_dataclass(config=_CONFIG)(cls)  # type: ignore[assignment]  # a proxy typed too loosely
    checked_init = made.__init__

    names = [field.name for field in dataclasses.fields(made) if field.init]  # type: ignore[arg-type]
    _field_names.update(names)

    def __init__(self: T, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it replaces the class's own
        if args and len(args) <= len(names) and not kwargs.keys() & set(names[: len(args)]):
            # pydantic would name a positional argument by its number.
            args, kwargs = (), {**dict(zip(names, args, strict=False)), **kwargs}
        try:
            checked_init(self, *args, **kwargs)
        except ValidationError as error:
            message = explain(error, made.__name__)
        else:
            return
        # Raised out here so that the error drags no pydantic traceback, and so no copy of the input, with it.
        raise RefusedValueError(message)

    __init__.__wrapped__ = checked_init  # type: ignore[attr-defined]
    # pydantic's __init__ marks itself so that validation of nested values fills fields directly; ours must too.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]
    made.__init__ = __init__  # type: ignore[assignment,method-assign]
    return made


class Value:
    """Base of the values: what keeps a plain `@dataclass` subclass checked."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __post_init__(self) -> None:
        # Only pydantic's own __init__ has checked anything; the one that `@dataclass` wrote for a subclass has not.
        if "__pydantic_validator__" not in vars(type(self)):
            base = next(cls for cls in type(self).__mro__ if "__pydantic_validator__" in vars(cls))
            names = [field.name for field in dataclasses.fields(base) if field.init]
            checked = base(**{name: getattr(self, name) for name in names})
            for name in names:
                setattr(self, name, getattr(checked, name))


def explain(error: ValidationError, owner: str) -> str:
    """One line for all that pydantic found wrong with a value of the class called `owner`."""
    found: list[dict[str, Any]] = [{**details, "path": _path(details)} for details in error.errors(include_url=False)]
    told = [
        _sentence(owner, details)
        for _, complaints in groupby(found, key=lambda details: details["loc"][:1])
        for details in _telling(list(complaints))
    ]
    return " ".join("; ".join(dict.fromkeys(told)).splitlines())


def _telling(complaints: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What helps of the complaints about one field. Each branch of a union complains, also those nobody meant."""
    # A branch that only says "this is of another type" hides the one that fits; if all do, the one that came far fits.
    telling = [details for details in complaints if not details["type"].endswith("_type")]
    deepest = max(len(details["path"]) for details in complaints)
    return telling or [details for details in complaints if len(details["path"]) == deepest]


def _sentence(owner: str, details: dict[str, Any]) -> str:
    path = "".join(details["path"])
    ours = details.get("ctx", {}).get("error")
    if isinstance(ours, InvalidRequestError):  # it names its own field already
        return f"{owner}{path}: {ours}" if path else str(ours)
    problem = details["msg"].removeprefix("Value error, ")
    problem = problem[:1].lower() + problem[1:]
    given = details["input"]
    # A missing field has no value of its own, and what a large object looks like helps nobody.
    if details["type"].startswith("missing") or not isinstance(given, (str, int, float, bool, type(None))):
        return f"{owner}{path}: {problem}"
    shown = repr(given)
    shown = shown if len(shown) <= _LONGEST_INPUT else f"{shown[:_LONGEST_INPUT]}…"
    return f"{owner}{path}: {problem}, got {shown}"


def _path(details: Mapping[str, Any]) -> list[str]:
    """The steps to what is wrong: `[".messages", "[0]", ".role"]`."""
    *way, last = details["loc"] or ("",)
    # pydantic also names the branch of a union it was in, which is no field, or as with text not the one meant.
    steps = [_step(step) for step in way if isinstance(step, int) or (step in _field_names and step != last)]
    # The name of an unexpected argument is no field either, and is the point.
    unexpected = details["type"] == "unexpected_keyword_argument"
    return [*steps, _step(last)] if unexpected or isinstance(last, int) or last in _field_names else steps


def _step(step: int | str) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"


def check_key(key: str) -> None:
    """Raise `InvalidRequestError` for a key that no HTTP header can carry."""
    unsendable = _UNSENDABLE.search(key) is not None
    del key  # no traceback shall hold it
    if unsendable:
        raise InvalidRequestError(
            "api_key: contains a line break, a space or another character that no key has; copy it again"
        )


def check_json(found: object, owner: str) -> None:
    """Raise `InvalidRequestError`, naming `owner`, if `found` cannot be sent as JSON."""
    try:
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{owner}: cannot be sent as JSON: {error}") from None
