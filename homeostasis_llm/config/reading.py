"""Turn the bytes of a settings file into settings, or into all that is wrong with them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from ..catalog import canonical_name, facts_of
from ..redaction import remember
from .failover import Failover, Price, Spending
from .lines import line_of
from .problems import Problem
from .rows import Row
from .settings import OpenRouterUnified, ProviderPolicies, ProviderSettings, Settings, Waits
from .tables import KEY_INSIDE

_LONGEST_VALUE = 60
"""Characters of a refused value that its error repeats."""


def understand(raw: bytes) -> Settings | list[Problem]:
    """The settings in a file, or its problems, the first line first.

    A mistake in a row that makes a provider is that provider's alone: the row is left out, and what is wrong with it is
    in the settings' `broken`.
    """
    try:
        text = raw.decode("utf-8-sig")  # Windows' editors put a mark before it
    except UnicodeDecodeError as error:
        return [Problem(raw[: error.start].count(b"\n") + 1, "", "is not UTF-8; save it as UTF-8 text")]
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [_syntax(str(error), text)]
    broken: dict[str, tuple[Problem, ...]] = {}
    while True:
        try:
            settings = Settings.model_validate(document)
        except ValidationError as error:
            found = [_problem(details, document, text) for details in error.errors(include_url=False)]
        else:
            return settings.without(broken)
        found = sorted(dict.fromkeys(found), key=lambda problem: problem.line or 0)
        if any(problem.provider is None for problem in found):
            return found
        for name in {problem.provider for problem in found if problem.provider is not None}:
            broken[canonical_name(name)] = tuple(problem for problem in found if problem.provider == name)
            del document["providers"][name]


def _syntax(said: str, text: str) -> Problem:
    place = re.search(r" \(at line (\d+), column \d+\)$| \(at end of document\)$", said)
    line = int(place[1]) if place and place[1] else len(text.rstrip("\n").split("\n"))
    what = said[: place.start()] if place else said
    hint = "; a text stands in quotes" if what == "Invalid value" and place and place[1] else ""
    return Problem(line, "", f"is no TOML: {what[:1].lower()}{what[1:]}{hint}")


def _problem(details: Mapping[str, Any], document: Mapping[str, Any], text: str) -> Problem:
    # What is known of the document alone: pydantic also names the branch of a union it was in.
    path: list[str] = []
    shown = ""
    found: Any = document
    for step in _steps(details, document):
        if isinstance(found, Mapping) and step in found:
            path.append(step)
            shown += f"{'.' if shown else ''}{_key(step)}"
            found = found[step]
        elif isinstance(found, list) and isinstance(step, int):
            shown += f"[{step}]"
            found = found[step]
    return Problem(line_of(text, path), shown, _complaint(details, path, found), _own_provider(path, document))


def _steps(details: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Any]:
    yield from details["loc"]
    if (at := details.get("ctx", {}).get("at")) is not None:
        # What is told of providers after they were read has their canonical names.
        spelled = document.get("providers", {}) if details["loc"] == ("providers",) else {}
        yield at if at in spelled else next((name for name in spelled if canonical_name(name) == at), at)


def explained(error: ValidationError, place: Sequence[str], table: Mapping[str, Any]) -> list[str]:
    """What is wrong with a table that is in no file but would stand at `place` in one, a line each."""
    document: dict[str, Any] = {}
    inner = document
    for step in place[:-1]:
        inner = inner.setdefault(step, {})
    inner[place[-1]] = dict(table)
    found = [
        _problem({**details, "loc": (*place, *details["loc"])}, document, "")
        for details in error.errors(include_url=False)
    ]
    return [f"{one.key.removeprefix('.'.join(place)).lstrip('.')} {one.text}".strip() for one in dict.fromkeys(found)]


def _own_provider(path: Sequence[str], document: Mapping[str, Any]) -> str | None:
    """The name, as it is spelled, of the provider that a row makes where the mistake at `path` is in that row."""
    if len(path) < 2 or path[0] != "providers":
        return None
    table = document["providers"][path[1]]
    is_row = isinstance(table, Mapping) and any(
        key in Row.model_fields or get_close_matches(key, ["dialect"]) for key in table
    )
    return path[1] if is_row else None


def _key(step: str) -> str:
    return step if re.fullmatch(r"[\w-]+", step, re.ASCII) else json.dumps(step, ensure_ascii=False)


_KINDS = {
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "finite_number": "must be a finite number",
    "tuple_type": "must be an array",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "model_type": "must be a table",
    "is_instance_of": "must be a string",
    "string_too_short": "must not be empty",
}
"""What pydantic's kinds of error mean for somebody who writes TOML."""


def _complaint(details: Mapping[str, Any], path: Sequence[str], found: object) -> str:
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown(path, found)
    if kind == KEY_INSIDE:
        return _no_key(path)
    if kind == "missing":
        return f"needs {details['loc'][-1]} too"
    if kind in {"twice", "taken", "no_dialect", "no_base_url"}:
        return str(details["msg"])
    allowed = _KINDS.get(kind)
    if kind == "float_type" and path[-1] == "timeout":
        allowed = f"must be a number of seconds, or a table of {', '.join(Waits.model_fields)}"
    elif kind == "float_type" and path[-1] in Waits.model_fields:
        allowed = "must be a number of seconds"
    elif kind in {"greater_than_equal", "less_than_equal"}:
        most, bound = ("most", "le") if kind == "less_than_equal" else ("least", "ge")
        allowed = f"must be at {most} {details['ctx'][bound]:g}"
    elif kind == "greater_than":
        allowed = f"must be more than {details['ctx']['gt']:g}"
    elif kind == "literal_error":
        allowed = f"must be {details['ctx']['expected'].replace(chr(39), chr(34))}"
    elif allowed is None:
        allowed = str(details["msg"])
    # What somebody took for the name of a file or a command may be the key itself.
    hidden = any(step == "headers" or step.startswith("api_key") for step in path)
    return allowed if hidden else f"{allowed}, found {_shown(found)}"


def _shown(found: object) -> str:
    match found:
        case Mapping():
            return "a table"
        case list():
            return "an array"
        case str() | bool():
            shown = json.dumps(found, ensure_ascii=False)
            return shown if len(shown) <= _LONGEST_VALUE else f'{shown[:_LONGEST_VALUE]}…"'
    return str(found)


_FORMER_NAMES = {
    "cost_preference": "cost",
    "latency_preference": "latency",
    "reliability_preference": "reliability",
    "openrouter_unified_config": "openrouter_unified",
    "proxy_to_anthropic": "providers",
    "proxy_to_openai": "providers",
    "fallback_model_mapping": "model_map",
}
"""What settings were called in the former package's file."""

_KEY_WORDS = re.compile(r"(.*_)?(api_?keys?|keys?|tokens?|secrets?|passwords?|credentials?)")


def _unknown(path: Sequence[str], found: object) -> str:
    *tables, key = path
    plain = key.lower().replace("-", "_")
    if _KEY_WORDS.fullmatch(plain):
        if isinstance(found, str):
            remember(found)
        return _no_key(path)
    taken = sorted(_table(tables).model_fields)
    former = _FORMER_NAMES.get(plain)
    close = [former] if former in taken else get_close_matches(plain, taken, n=1)
    if close:
        hint = f"did you mean {close[0]}?"
    elif not tables and facts_of(key) is not None:
        hint = f"did you mean [providers.{_key(key)}]?"
    else:
        hint = f"there may be {', '.join(taken)}"
    return f"is unknown; {hint}"


def _no_key(path: Sequence[str]) -> str:
    whose = _key(path[1]) if len(path) > 2 and path[0] == "providers" else "PROVIDER"
    return f"no key belongs in this file; store it with `homeostasis llm set-key {whose}` and delete it here"


def _table(tables: Sequence[str]) -> type[BaseModel]:
    """The model of a table, by its place in the file."""
    match tables:
        case ["providers", _, "prices", _]:
            return Price
        case ["providers", _, *rest]:
            return Waits if rest else ProviderSettings
    return _TABLES["".join(tables)]


_TABLES: dict[str, type[BaseModel]] = {
    "": Settings,
    "provider_policies": ProviderPolicies,
    "openrouter_unified": OpenRouterUnified,
    "failover": Failover,
    "spending": Spending,
}
