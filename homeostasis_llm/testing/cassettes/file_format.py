"""The file of a recording: what stands in it, and how it is read and written. Files of plain vcrpy are read too."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from . import safe_yaml, scrubbing
from .bodies import KINDS, give_back, keep, pieces, unpacked
from .errors import UnreadableCassetteError
from .matching import Sent
from .secrets import refuse_secrets

VERSION = 1
_TITLE = (
    "# What a language model was asked and answered over HTTP, for tests. It is written by a program:\n"
    "# `homeostasis llm cassettes show` shows it, `--record-mode=rewrite` of pytest makes it anew.\n"
)
_WORDS = ("recorded_at", "recorded_by", "test", "note")
_ENTRIES = {"version", "exchanges", *_WORDS}


NONE = 0
"""The status of no answer."""


@dataclass(kw_only=True)
class Answer:
    """What was answered."""

    status: int
    """`NONE` where the connection failed before any answer came; `broken` then says how."""
    reason: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    arrived: list[float] = field(default_factory=list)
    """Seconds after the request was sent, for each of `pieces`; empty where that was not measured."""
    broken: str | None = None
    """In which words the connection broke before the answer was complete."""

    @property
    def content_type(self) -> str:
        """Without its parameters' case."""
        return ";".join(self.headers.get("content-type", [])).lower()

    @property
    def pieces(self) -> list[bytes]:
        """The body in the pieces in which it came."""
        return pieces(self.body, self.content_type)


@dataclass(kw_only=True)
class Exchange:
    """One request and its answer, both scrubbed."""

    sent: Sent
    headers: dict[str, list[str]] = field(default_factory=dict)
    """Of the request."""
    answer: Answer


@dataclass(kw_only=True)
class Recording:
    """All that is in a file."""

    exchanges: list[Exchange] = field(default_factory=list)
    recorded_at: str = ""
    """When, as in `2026-11-22`."""
    recorded_by: str = ""
    """The versions of what made it."""
    test: str = ""
    """The test that plays it, as pytest names it."""
    note: str = ""
    """What a reader should know of how it came about."""
    foreign: bool = False
    """Whether it was read from a file of plain vcrpy."""


def read(path: Path) -> Recording:
    """The recording in a file. Raises `UnreadableCassetteError`."""
    try:
        size = path.stat().st_size
        if size > safe_yaml.LARGEST_FILE:
            raise UnreadableCassetteError(f"{path}: has {size >> 20} MB; a recording is read up to 64 MB")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableCassetteError(f"{path}: is no UTF-8 text: {error}") from None
    except OSError as error:
        raise UnreadableCassetteError(f"{path}: cannot be read: {error.strerror}") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Recording:
    """The recording in `text`. Raises `UnreadableCassetteError`, naming the file by `name` and the place in it."""
    found = safe_yaml.load(text, name)
    if found is None:
        raise UnreadableCassetteError(f"{name}: is empty; delete it and record it again")
    if isinstance(found, dict) and isinstance(found.get("interactions"), list):
        from .of_vcrpy import from_vcrpy

        return from_vcrpy(found, name)
    reader = _Reader(name)
    table = reader.mapping(found, "")
    if "exchanges" not in table:
        raise UnreadableCassetteError(f"{name}: is no recording of ours or of vcrpy's: it has no `exchanges`")
    if table.get("version") != VERSION:
        raise UnreadableCassetteError(f"{name}: version: is {table.get('version')!r}; this program reads {VERSION}")
    if not safe_yaml.is_whole(text):
        raise UnreadableCassetteError(f"{name}: does not end with `...`: it was cut off; record it again")
    if unknown := table.keys() - _ENTRIES:
        raise UnreadableCassetteError(f"{name}: has no place for {min(map(str, unknown))!r}")
    words = {entry: reader.text(table, entry, "") for entry in _WORDS if entry in table}
    exchanges = enumerate(reader.listed(table, "exchanges"))
    recording = Recording(exchanges=[reader.exchange(one, f"exchanges[{index}]") for index, one in exchanges])
    for entry, told in words.items():
        setattr(recording, entry, told)
    return recording


class _Reader:
    """Takes apart what stands in a file, and names the place of what is wrong."""

    def __init__(self, name: str) -> None:
        self._name = name

    def wrong(self, place: str, problem: str) -> UnreadableCassetteError:
        return UnreadableCassetteError(f"{self._name}: {place or 'the file'}: {problem}")

    def mapping(self, found: object, place: str) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise self.wrong(place, f"must be a mapping, not {type(found).__name__}")
        return found

    def listed(self, table: Mapping[str, Any], entry: str) -> list[Any]:
        if not isinstance(found := table.get(entry), list):
            raise self.wrong(entry, f"must be a list, not {type(found).__name__}")
        return found

    def text(self, table: Mapping[str, Any], entry: str, place: str) -> str:
        if not isinstance(found := table.get(entry), str):
            raise self.wrong(f"{place}.{entry}".lstrip("."), f"must be text, not {type(found).__name__}")
        return found

    def exchange(self, found: object, place: str) -> Exchange:
        table = self.mapping(found, place)
        for half in ("request", "response"):
            if half not in table:
                raise self.wrong(place, f"has no `{half}`; the file may have been cut off: record it again")
        asked = self.mapping(table["request"], f"{place}.request")
        headers = self._headers(asked.get("headers"), f"{place}.request.headers")
        return Exchange(
            sent=Sent(
                method=self.text(asked, "method", f"{place}.request"),
                url=self.text(asked, "url", f"{place}.request"),
                body=give_back(asked, f"{self._name}: {place}.request"),
                content_type=";".join(headers.get("content-type", [])),
            ),
            headers=headers,
            answer=self._answer(self.mapping(table["response"], f"{place}.response"), f"{place}.response"),
        )

    def _answer(self, found: dict[str, Any], place: str) -> Answer:
        if found.keys() == {"failed"}:
            return Answer(status=NONE, broken=self.text(found, "failed", place))
        status = found.get("status")
        if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:
            raise self.wrong(f"{place}.status", f"must be an HTTP status, not {status!r}")
        arrived = found.get("arrived", [])
        if not isinstance(arrived, list) or not all(isinstance(one, (int, float)) and one >= 0 for one in arrived):
            raise self.wrong(f"{place}.arrived", "must be a list of seconds")
        if unknown := found.keys() - {"status", "reason", "headers", "arrived", "broken", "line_ends", *KINDS}:
            raise self.wrong(place, f"has no place for {min(map(str, unknown))!r}")
        answer = Answer(
            status=status,
            reason=self.text(found, "reason", place) if "reason" in found else _usual_reason(status),
            headers=self._headers(found.get("headers"), f"{place}.headers"),
            body=give_back(found, f"{self._name}: {place}"),
            arrived=[float(one) for one in arrived],
            broken=self.text(found, "broken", place) if "broken" in found else None,
        )
        if answer.arrived and len(answer.arrived) != len(answer.pieces):
            raise self.wrong(
                f"{place}.arrived",
                f"has {len(answer.arrived)} times for {len(answer.pieces)} pieces; remove it, or record it again",
            )
        return answer

    def _headers(self, found: object, place: str) -> dict[str, list[str]]:
        told = self.mapping({} if found is None else found, place)
        kept = {str(name).lower(): one if isinstance(one, list) else [one] for name, one in told.items()}
        for name, values in kept.items():
            if not all(isinstance(one, str) for one in values):
                raise self.wrong(f"{place}.{name}", "must be text; put it in quotes")
        return kept


def write(recording: Recording, path: Path) -> None:
    """Write the file, whole or not at all. Raises `SecretFoundError` where a key stands in it."""
    document = as_document(recording)
    refuse_secrets(document, str(path))
    text = _TITLE + safe_yaml.dump(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=".draft")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123  # a descriptor, no path
            file.write(text)
        Path(draft).chmod(0o644)  # it is to be shared; mkstemp thinks otherwise
        os.replace(draft, path)  # noqa: PTH105  # Path.replace returns another path, which nobody wants
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def as_document(recording: Recording) -> dict[str, Any]:
    """What is to stand in the file."""
    document: dict[str, Any] = {"version": VERSION}
    for entry in _WORDS:
        if told := getattr(recording, entry):
            document[entry] = told
    return {**document, "exchanges": [_exchange(one) for one in recording.exchanges]}


def _exchange(exchange: Exchange) -> dict[str, Any]:
    sent, answer = exchange.sent, exchange.answer
    asked: dict[str, Any] = {"method": sent.method, "url": sent.url, "headers": _flat(exchange.headers)}
    asked |= keep(sent.body, sent.content_type)
    if answer.status == NONE:
        return {"request": asked, "response": {"failed": answer.broken or ""}}
    told: dict[str, Any] = {"status": answer.status}
    if answer.reason and answer.reason != _usual_reason(answer.status):
        told["reason"] = answer.reason
    told |= {"headers": _flat(answer.headers), **keep(answer.body, answer.content_type)}
    if len(answer.arrived) == len(answer.pieces) and answer.arrived:
        told["arrived"] = safe_yaml.Flow(round(one, 3) for one in answer.arrived)
    if answer.broken is not None:
        told["broken"] = answer.broken
    return {"request": asked, "response": told}


def _flat(headers: Mapping[str, list[str]]) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in headers.items()}


def _usual_reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def clean_request(
    method: str, url: str, headers: Mapping[str, Any], body: bytes, rules: scrubbing.Rules
) -> tuple[Sent, dict[str, list[str]]]:
    """A request as it may be kept, and as it is compared."""
    kept = scrubbing.headers(headers, rules.keep_headers, answered=False)
    content_type = ";".join(kept.get("content-type", [])).lower()
    if "multipart" in content_type:
        # The boundary is another one each time.
        kept["content-type"] = [content_type.partition(";")[0]]
    clean = scrubbing.form(body) if "form-urlencoded" in content_type else scrubbing.body(body, rules)
    return Sent(method.upper(), scrubbing.address(url, rules), clean, content_type), kept


def clean_answer(answer: Answer, rules: scrubbing.Rules) -> Answer:
    """An answer as it may be kept: unpacked and scrubbed."""
    body = unpacked(answer.body, ",".join(answer.headers.get("content-encoding", [])))
    return Answer(
        status=answer.status,
        reason=answer.reason,
        headers=scrubbing.headers(answer.headers, rules.keep_headers, answered=True),
        body=scrubbing.body(body, rules, failed=answer.status >= 400),
        arrived=answer.arrived,
        broken=answer.broken,
    )
