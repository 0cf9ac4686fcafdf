"""Say what is wrong with the text of a key, and what the key in it is where only one can be meant.

Nothing is sent and nobody asked: this is about what copying and pasting add and lose. What a key begins with, and how
long it is, is no flaw: providers change both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ..catalog import all_facts


@dataclass(frozen=True, slots=True)
class Malformed:
    """A text that cannot be a key as it stands."""

    flaws: tuple[str, ...]
    """What is said of it, as in `has white space around it`, in the order found; nothing of the text is in them."""
    corrected: str | None = field(default=None, repr=False)
    """The key in it; None where that is anybody's guess."""


_LONGEST = 8192
"""Characters; the longest keys are signed tokens, of some two thousand."""

_SHORTEST = 16
"""Characters; what is shorter is not taken for a whole key where a text is to be divided."""

_QUOTES = "\"'`´“”„‘’‚«»‹›"
_SHORTENED = re.compile(r"…|⋯|\.{3,}|\*{3,}|[•●∙·]{2,}")
_HYPHENS = str.maketrans(dict.fromkeys("\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{MINUS SIGN}", "-"))

_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z~]")
_HEADER = re.compile(
    r"""^(?:-H\s+["']?)?(?:(?:proxy-)?authorization|(?:x-)?(?:goog-)?api-key)["']?\s*:\s*""", re.IGNORECASE
)
_BEARER = re.compile(r"^bearer(?::\s*|\s+)", re.IGNORECASE)
_NAME = r"[A-Za-z_][\w.-]{0,60}?(?:key|token|secret|credential|jwt)[\w.-]{0,30}"
# Of sh, PowerShell, fish, cmd, .env files, JSON, YAML and TOML. A `:` alone also stands inside of keys, and a `=` at
# the end of those in base64.
_VARIABLE = re.compile(
    rf"""^(?:
        (?:(?:export|set|declare|setenv|let|const|var)\s+(?:-\w+\s+)?|\$env:|\$)?{_NAME}["']?
            \s*(?:=+\s*|:\s+|:(?=["']))(?=[^=\s])
      | (?:setx|setenv|set\s+-\w+)\s+{_NAME}\s+
    )""",
    re.IGNORECASE | re.VERBOSE,
)

_WRAPPINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("holds a control sequence of the terminal", lambda text: _CONTROL_SEQUENCE.sub("", text)),
    ("has white space around it", str.strip),
    ("has quotes around it", lambda text: text.strip(_QUOTES)),
    ("ends with a comma or a semicolon", lambda text: text.rstrip(",;")),
    ("begins with the name of a header", lambda text: _HEADER.sub("", text)),
    ("begins with the word Bearer", lambda text: _BEARER.sub("", text)),
    ("begins with the name of a variable", lambda text: _VARIABLE.sub("", text)),
)
_NO_VALUE: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "is the name of a variable, not what that holds",
        re.compile(r"\$\w+|\$\{\w+\}|\$\(.*\)|%\w+%|\{\{.*\}\}", re.DOTALL),
    ),
    ("is a placeholder", re.compile(r"<[^<>]*>")),
)


def inspect_key(text: str, *, prefixes: Collection[str] | None = None) -> Malformed | None:
    """What is wrong with `text` as a key; None where nothing is.

    `prefixes` are what keys may begin with, by default all that the catalog knows; they only help to find the key
    among other text.
    """
    if len(text) > _LONGEST:
        return Malformed(("is far longer than any key",))
    flaws: list[str] = []
    key = _unwrapped(_visible(text, flaws), flaws)
    if not key:
        return Malformed(("is empty",))
    for flaw, pattern in _NO_VALUE:
        if pattern.fullmatch(key):
            return Malformed((*flaws, flaw))
    if _SHORTENED.search(key):
        return Malformed((*flaws, "is shortened, as on pages that no longer show the whole key"))
    found: str | None = key
    if re.search(r"\s", key):
        flaws.append("has a line break inside" if re.search(r"[\r\n]", key) else "has a space inside")
        found = _one_key(key, tuple(_catalog_prefixes() if prefixes is None else prefixes))
    if found and (half := _half(found)):
        flaws.append("holds the same twice")
        found = half
    if found and not found.isascii():
        flaws.append("holds a letter or a sign that no key has")
        plain = _plain_letters(found)
        found = plain if plain.isascii() else None
    if found and not all("!" <= character <= "~" for character in found):
        flaws.append("holds a control character")
        found = None
    if not flaws:
        return None
    if found and (more := inspect_key(found, prefixes=prefixes)) is not None:  # what was put together may be wrapped
        flaws, found = [*flaws, *more.flaws], more.corrected
    return Malformed(tuple(dict.fromkeys(flaws)), found)


def _visible(text: str, flaws: list[str]) -> str:
    """`text` without the characters that nobody sees: zero-width spaces, byte order marks, directions of writing."""
    shown = "".join(character for character in text if unicodedata.category(character) != "Cf")
    if shown != text:
        flaws.append("holds an invisible character")
    return shown


def _unwrapped(text: str, flaws: list[str]) -> str:
    """`text` without what is around the key, however often it was wrapped."""
    before = None
    while text != before:
        before = text
        for flaw, unwrap in _WRAPPINGS:
            bare = unwrap(text)
            if bare != text:
                flaws.append(flaw)
                text = bare
    return text


def _one_key(text: str, prefixes: tuple[str, ...]) -> str | None:
    """The one key in a text with white space inside; None where there may be several, or none."""
    words = text.split()
    known = [word for word in words if len(word) >= _SHORTEST and word.startswith(prefixes)]
    if len(known) > 1:
        return None
    if known and words[0] != known[0]:
        # Words after the key may be a part of it that was wrapped, or a remark.
        return known[0] if words[-1] == known[0] else None
    wrapped = all(len(line.split()) == 1 for line in text.splitlines())
    return "".join(words) if wrapped else None


def _half(text: str) -> str | None:
    half = text[: len(text) // 2]
    return half if len(half) >= _SHORTEST and half + half == text else None


def _plain_letters(text: str) -> str:
    """`text` with word processors' hyphens and East Asian keyboards' wide letters as a plain keyboard has them."""
    narrow = "".join(unicodedata.normalize("NFKC", sign) if "！" <= sign <= "～" else sign for sign in text)
    return narrow.translate(_HYPHENS)


def _catalog_prefixes() -> set[str]:
    return {prefix for facts in all_facts().values() for prefix in facts.key_prefixes}
