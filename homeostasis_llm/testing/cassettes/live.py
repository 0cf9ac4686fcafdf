"""Compare what is answered today with what was recorded: not the words, which a model may choose anew, but the form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .file_format import Answer

Form = dict[str, set[str]]
"""The kinds of values that stand at each place of an answer, as in `choices[].message.content`."""


def compare(now: Answer, then: Answer) -> Iterator[str]:
    """How an answer differs in status, type and form from the one that was recorded, a line each."""
    if now.status != then.status:
        yield f"  status: {now.status}, recorded {then.status}"
    types = [answer.content_type.partition(";")[0] for answer in (now, then)]
    if types[0] != types[1]:
        yield f"  content-type: {types[0]}, recorded {types[1]}"
    if now.broken is None and then.broken is not None:
        yield f"  complete, recorded as broken off ({then.broken})"
    elif now.broken is not None and then.broken is None:
        yield f"  broken off ({now.broken}), recorded complete"
    new, old = form(now), form(then)
    for place in sorted({*new, *old}):
        if place not in new:
            yield f"  {place}: no longer there, recorded as {_words(old[place])}"
        elif place not in old:
            yield f"  {place}: new, {_words(new[place])}"
        elif new[place] != old[place]:
            yield f"  {place}: {_words(new[place])}, recorded as {_words(old[place])}"


def form(answer: Answer) -> Form:
    """What stands where in an answer: all events of a stream together, the names of events among them."""
    found: Form = {}
    for piece in answer.pieces:
        for line in piece.decode("utf-8", "replace").splitlines() if len(answer.pieces) > 1 else [_whole(piece)]:
            name, _, told = line.partition(":")
            if name == "event" or (name == "data" and told.strip() == "[DONE]"):
                found.setdefault(f"{name}: {told.strip()}", set()).add("an event")
                continue
            try:
                parsed = json.loads(told if name == "data" else line)
            except (ValueError, RecursionError):
                continue
            _add(parsed, "", found)
    return found


def _whole(piece: bytes) -> str:
    return piece.decode("utf-8", "replace")


def _add(found: Any, place: str, form: Form) -> None:
    form.setdefault(place or "all of it", set()).add(_KINDS[type(found)])
    if isinstance(found, dict):
        for name, told in found.items():
            _add(told, f"{place}.{name}".lstrip("."), form)
    elif isinstance(found, list):
        for item in found:
            _add(item, f"{place}[]", form)


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "a truth value",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _words(kinds: set[str]) -> str:
    return " or ".join(sorted(kinds))
