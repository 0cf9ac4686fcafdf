"""From the name of a model to its file: the packaged one, a path, or a repository of Hugging Face."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from homeostasis_llm import ModelNotFoundError

from . import hub, smollm2
from .tuning import PLAIN, Tuning

_REPOSITORY = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?::(?P<wanted>.+))?")
_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is here."""

    name: str
    path: Path
    tuning: Tuning


def find(name: str) -> Model:
    """The model called `name`, downloaded if need be. Raises `ModelNotFoundError`, and as `hub.find` does."""
    if name.lower() == smollm2.NAME:
        return Model(smollm2.NAME, smollm2.find(), smollm2.TUNING)
    path = Path(name).expanduser()
    if path.exists() or (path.suffix.lower() == ".gguf" and ":" not in path.name):
        return Model(name, _checked(path, name), PLAIN)
    if found := _REPOSITORY.fullmatch(name):
        return Model(name, _checked(hub.find(found["repository"], found["wanted"]), name), PLAIN)
    raise ModelNotFoundError(
        f"there is no model {name!r}: give {smollm2.NAME}, the path of a .gguf file, or a repository of Hugging Face "
        "(owner/repository, or owner/repository:file)",
        model=name,
    )


def available() -> list[str]:
    """The names that `find` knows without being told a path or a repository."""
    return [smollm2.NAME] if smollm2.installed() else []


def _checked(path: Path, name: str) -> Path:
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_MAGIC))
    except OSError as error:
        raise ModelNotFoundError(f"cannot read the model {path}: {error.strerror}", model=name) from None
    if beginning != _MAGIC:
        raise ModelNotFoundError(f"{path} is no GGUF model: it begins with {beginning!r}", model=name)
    # Links, of which Hugging Face's cache is made, are kept: llama.cpp finds a model's parts by the first one's name.
    return path.absolute()
