"""Say whether a request is one that was recorded, and if none is, how the nearest differs."""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_MOST_LINES = 40
"""Lines of a difference that are shown."""

_BOUNDARY = re.compile(rb"--+[\w'()+,./:=?-]{8,}(?=--|\r\n)")

ABSENT = object()


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it is compared: scrubbed."""

    method: str
    url: str
    body: bytes
    content_type: str = ""

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.method} {self.url}"


def same(one: Sent, other: Sent, ignore: Sequence[str] = ()) -> bool:
    """Whether they ask for the same: method, scheme, host, path, query and body, JSON by its values.

    A `description` may be indented otherwise: tools have theirs from docstrings, which Python itself changed in 3.13.
    `ignore` names places in the body that may differ, as in `metadata.run_id`; `*` stands for any one step.
    """
    return not any(differing for _, differing in _parts(one, other, ignore))


def difference(one: Sent, others: Iterable[Sent], ignore: Sequence[str] = ()) -> str:
    """What `one` has that the nearest of `others` has not, and the other way round, in lines."""
    ranked = sorted(others, key=lambda other: _distance(one, other, ignore))
    if not ranked:
        return "Nothing is recorded that has not been played already."
    nearest = ranked[0]
    told = [f"The nearest recording is {nearest.title}"]
    for name, differing in _parts(one, nearest, ignore):
        told += [f"  {name}: {line}" if name != "body" else f"  {line}" for line in differing]
    shown = told[:_MOST_LINES]
    return "\n".join([*shown, f"  … and {len(told) - len(shown)} lines more"] if len(told) > len(shown) else shown)


def _parts(one: Sent, other: Sent, ignore: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each part of a request, with the lines that tell how the two differ in it."""
    mine, theirs = urlsplit(one.url), urlsplit(other.url)
    plain = (
        ("method", one.method.upper(), other.method.upper()),
        ("scheme", mine.scheme, theirs.scheme),
        ("host", mine.netloc, theirs.netloc),
        ("path", mine.path, theirs.path),
    )
    for name, sent, recorded in plain:
        yield name, [] if sent == recorded else [f"sent {sent!r}, recorded {recorded!r}"]
    sent_query, recorded_query = _query(mine.query), _query(theirs.query)
    yield "query", [] if sent_query == recorded_query else [f"sent {sent_query!r}, recorded {recorded_query!r}"]
    yield "body", list(_body_difference(one, other, ignore))


def _query(query: str) -> list[tuple[str, str]]:
    return sorted(parse_qsl(query, keep_blank_values=True))


def _body_difference(one: Sent, other: Sent, ignore: Sequence[str]) -> Iterator[str]:
    sent, recorded = parsed(one.body), parsed(other.body)
    if sent is ABSENT or recorded is ABSENT:
        if _plain(one) != _plain(other):
            yield from _text_difference(_shown(one.body), _shown(other.body))
        return
    for path, mine, theirs in differences(sent, recorded):
        if not any(_fits(path, pattern) for pattern in ignore) and not _is_indented_otherwise(path, mine, theirs):
            yield from _value_difference(".".join(map(str, path)) or "the whole body", mine, theirs)


def parsed(body: bytes) -> Any:
    """The JSON in `body`, `ABSENT` where there is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return ABSENT


Path = tuple[str | int, ...]


def differences(one: Any, other: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Each place where two JSON values differ, with both; `ABSENT` where one has none. 1 and 1.0 are the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            yield from differences(one.get(name, ABSENT), other.get(name, ABSENT), (*path, name))
    elif isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            mine = one[index] if index < len(one) else ABSENT
            theirs = other[index] if index < len(other) else ABSENT
            yield from differences(mine, theirs, (*path, index))
    elif isinstance(one, bool) is not isinstance(other, bool) or one != other:
        # To Python True is 1.
        yield path, one, other


def _is_indented_otherwise(path: Path, mine: Any, theirs: Any) -> bool:
    """Whether a docstring was sent, whose indentation Python takes out since 3.13, and left in before."""
    if path[-1:] != ("description",) or not isinstance(mine, str) or not isinstance(theirs, str):
        return False
    return inspect.cleandoc(mine) == inspect.cleandoc(theirs)


def _fits(path: Path, pattern: str) -> bool:
    steps = pattern.split(".")
    return len(path) >= len(steps) and all(
        wanted in {"*", str(step)} for wanted, step in zip(steps, path, strict=False)
    )


def _value_difference(place: str, mine: Any, theirs: Any) -> Iterator[str]:
    if isinstance(mine, str) and isinstance(theirs, str) and max(len(mine), len(theirs)) > 60:
        yield f"{place}:"
        yield from (f"  {line}" for line in _text_difference(mine, theirs))
    elif theirs is ABSENT:
        yield f"{place}: sent {_brief(mine)}, not recorded"
    elif mine is ABSENT:
        yield f"{place}: not sent, recorded {_brief(theirs)}"
    else:
        yield f"{place}: sent {_brief(mine)}, recorded {_brief(theirs)}"


def _text_difference(sent: str, recorded: str) -> Iterator[str]:
    lines = difflib.unified_diff(recorded.splitlines(), sent.splitlines(), "recorded", "sent", lineterm="", n=1)
    for line in lines:
        yield line if len(line) <= 400 else f"{line[:400]}…"


def _brief(found: Any) -> str:
    text = json.dumps(found, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _shown(body: bytes) -> str:
    return body.decode("utf-8", "backslashreplace")


def _plain(sent: Sent) -> object:
    """A body that is no JSON, without what differs between any two that say the same."""
    if "form-urlencoded" in sent.content_type:
        return _query(sent.body.decode("utf-8", "replace"))
    return _BOUNDARY.sub(b"--boundary", sent.body)


def _distance(one: Sent, other: Sent, ignore: Sequence[str]) -> tuple[int, int]:
    parts = list(_parts(one, other, ignore))
    elsewhere = sum(bool(differing) for name, differing in parts if name != "body")
    return elsewhere, sum(len(differing) for _, differing in parts)
