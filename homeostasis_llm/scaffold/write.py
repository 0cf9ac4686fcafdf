"""Fill in the templates of a kind of package, and write them into a new folder."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import get_args

from ..catalog import plain_name
from ..config.rows import Dialect
from ..errors import InvalidRequestError, UnknownProviderError
from ..registry import ProviderFactory

KINDS = ("dialect", "http", "minimal")
"""A row for a known dialect; a class over HTTP; a class with the five members and nothing else."""
DIALECTS: tuple[str, ...] = get_args(Dialect)

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_WIRES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini", "cohere": "Cohere", "ollama": "Ollama"}
_ENDING = ".tmpl"


def new_provider(name: str, kind: str, *, dialect: str = "openai", into: Path | None = None) -> Path:
    """Write a package for the provider of that name into a folder of its own below `into`, by default here.

    Returns the folder. Raises `InvalidRequestError` for a name that is none or is taken, and for a folder that is
    there.
    """
    name = _checked(name)
    folder = (Path() if into is None else into) / f"homeostasis-llm-{name.replace('_', '-')}"
    module = f"homeostasis_llm_{name}"
    made_of = "".join(part.capitalize() for part in name.split("_"))
    words = {
        "name": name,
        "NAME": name.upper(),
        "Class": made_of,
        "distribution": folder.name,
        "module": module,
        "object": name.upper() if kind == "dialect" else f"{made_of}Provider",
        "dialect": dialect,
        "Wire": _WIRES[dialect],
    }
    templates = files(__package__) / "templates"
    written = {
        path.replace("MODULE", module): Template(found.read_text(encoding="utf-8")).substitute(words)
        for place in _places(kind, dialect)
        for path, found in _below(templates / place, "")
    }
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InvalidRequestError(
            f"{folder} is there already, and nothing is overwritten; say with --into DIR where else"
        ) from None
    except OSError as error:
        raise InvalidRequestError(f"{folder} cannot be made: {error.strerror}") from None
    for path, text in written.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return folder


def _places(kind: str, dialect: str) -> tuple[str, ...]:
    """The folders of templates. Of litellm's dialects, only OpenAI's keeps all that the conformance suite asks for."""
    if kind != "dialect":
        return "common", kind
    return "common", kind, "openai" if dialect == "openai" else "other"


def _checked(given: str) -> str:
    name = plain_name(given.strip())
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InvalidRequestError(
            f"{given!r} cannot be a provider's name: one begins with a letter, and has letters and digits, with - or _ "
            "between words"
        )
    try:
        entry = ProviderFactory.describe(name)
    except UnknownProviderError:
        return name
    raise InvalidRequestError(f"the name {name!r} is taken ({entry.source}); choose another")


def _below(folder: Traversable, before: str) -> Iterator[tuple[str, Traversable]]:
    for found in folder.iterdir():
        if found.is_dir():
            yield from _below(found, f"{before}{found.name}/")
        elif found.name.endswith(_ENDING):
            # A dot at the beginning would hide a template from its readers.
            yield f"{before}{found.name.removesuffix(_ENDING)}".replace("DOT", "."), found
