"""Look through a folder of recordings for what should not stay: secrets, files nobody plays, models that are gone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ...catalog import ProviderFacts, all_facts
from .errors import UnreadableCassetteError
from .file_format import Recording, as_document, read
from .matching import parsed
from .secrets import remember_environment, secret_places

_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Topic = Literal["format", "secret", "unused", "stale"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a file."""

    file: Path
    topic: Topic
    problem: str


def check(folder: Path, root: Path) -> Iterator[Finding]:
    """What is wrong with the recordings in `folder`; the tests that play them are looked for from `root`."""
    remember_environment()
    for file in sorted(folder.rglob("*.yaml")):
        try:
            recording = read(file)
        except UnreadableCassetteError as error:
            yield Finding(file, "format", str(error).removeprefix(f"{file}: "))
            continue
        yield from (Finding(file, topic, problem) for topic, problem in _problems(recording, file, root))


def _problems(recording: Recording, file: Path, root: Path) -> Iterator[tuple[Topic, str]]:
    if recording.foreign:
        yield "format", "is of plain vcrpy, which leaves secrets in: record it again with llm_cassette"
    # As it stands in the file: what is read of vcrpy's is cleaned on the way.
    document = {"file": file.read_text(encoding="utf-8")} if recording.foreign else as_document(recording)
    for place in dict.fromkeys(secret_places(document)):
        yield "secret", f"a key stands in {place}"
    if recording.test and (missing := _missing_test(recording.test, root)):
        yield "unused", missing
    for model, provider in sorted(_models(recording)):
        if _is_gone(model, provider):
            yield "stale", f"{provider.title} no longer lists the model {model}"


def _missing_test(test: str, root: Path) -> str | None:
    """Why nothing plays the recording that `test` has made; None where the test is still there."""
    path, *names = test.partition("[")[0].split("::")
    file = root / path
    if not file.is_file():
        return f"its test is gone: there is no {path}"
    around: ast.Module | _Named = ast.parse(file.read_text(encoding="utf-8"))
    for name in names:
        found = next((node for node in around.body if isinstance(node, _Named) and node.name == name), None)
        if found is None:
            if isinstance(around, ast.ClassDef) and around.bases:
                return None  # inherited, perhaps: only importing it would tell, and a check runs nobody's code
            return f"its test is gone: {path} has no {'::'.join(names)}"
        around = found
    return None


def _models(recording: Recording) -> set[tuple[str, ProviderFacts]]:
    """The models that were asked with success, each with whose it is."""
    asked: set[tuple[str, ProviderFacts]] = set()
    for exchange in recording.exchanges:
        body = parsed(exchange.sent.body)
        model = body.get("model") if isinstance(body, dict) else None
        host = urlsplit(exchange.sent.url).hostname
        for facts in all_facts().values():
            known = facts.base_url is not None and urlsplit(facts.base_url).hostname == host
            if known and isinstance(model, str) and exchange.answer.status < 400 and not facts.local:
                asked.add((model, facts))
                break
    return asked


def _is_gone(model: str, facts: ProviderFacts) -> bool:
    from ...litellm_bridge.pricing import listed_models

    listed = listed_models({facts.name, facts.litellm_name})
    # Where nothing is listed, nothing is known.
    return bool(listed) and model != facts.default_model and model not in listed
