"""Read and write YAML that can only ever be text, numbers, lists and mappings.

No tags, so no Python objects; no aliases, so no file of a kilobyte that is a gigabyte in memory; no depth without end.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from .errors import UnreadableCassetteError

LARGEST_FILE = 64 << 20
"""Bytes. A recording is a page or two; this is for the largest images."""

_DEEPEST = 60

_HARMLESS_TAGS = {None, "!", "tag:yaml.org,2002:binary", "tag:yaml.org,2002:str"}
"""vcrpy writes bytes with the third."""

# In a block, these would be taken for the end of a line, or not be there when it is read again.
_NOT_IN_A_BLOCK = re.compile(r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str, name: str) -> Any:
    """What stands in `text`. Raises `UnreadableCassetteError`, naming the file by `name` and the line."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise _refused(name, event, "an alias, which could make a small file a huge one")
            if (tag := getattr(event, "tag", None)) not in _HARMLESS_TAGS:
                raise _refused(name, event, f"the tag {tag}, which could run code")
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
            if depth > _DEEPEST:
                raise _refused(name, event, f"more than {_DEEPEST} levels")
        return yaml.load(text, Loader=_Loader)  # noqa: S506  # a safe loader
    except (yaml.YAMLError, ValueError) as error:
        told = " ".join(str(error).split())
        raise UnreadableCassetteError(f"{name}: is no YAML: {told}") from None


def _refused(name: str, event: yaml.Event, what: str) -> UnreadableCassetteError:
    line = "" if event.start_mark is None else f", line {event.start_mark.line + 1}"
    return UnreadableCassetteError(f"{name}{line}: holds {what}; it is not read")


def is_whole(text: str) -> bool:
    """Whether the mark is there that `dump` puts at the end."""
    return text.rstrip().endswith("\n...")


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a block, everything else as short as it goes."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # the signature is yaml's
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style: str | None = None
    if _NOT_IN_A_BLOCK.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class Flow(list[float]):
    """Numbers in one line."""


def _flow(dumper: yaml.SafeDumper, numbers: Flow) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", numbers, flow_style=True)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Flow, _flow)


def dump(document: Any) -> str:
    """`document` as YAML, with a mark at its end: a file that was cut off may be YAML all the same."""
    return yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120, explicit_end=True)
