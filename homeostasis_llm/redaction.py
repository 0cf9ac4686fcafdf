"""Take known secrets out of text before anybody reads it.

A key is remembered when a provider or the key manager receives it, and from then on no error message can carry it, in
the spelling it was given or in one that a URL, a JSON body or an HTTP header gives it.
"""

from __future__ import annotations

import base64
import json
import re
from threading import Lock
from urllib.parse import quote, quote_plus

MASK = "[key removed]"

_SHORTEST_ANYWHERE = 4
"""Characters. A shorter secret is only removed where it stands alone: "a" would otherwise eat every word."""

# What keys of well-known providers look like, also as a provider shortens them in its own message (`sk-ab***yz`).
_SHAPES = re.compile(
    r"""
    \b(?:sk|pk|rk|gsk|xai|pplx|fw|hf|nvapi|csk|r8|tgp)[-_](?=[\w*.-]*[\d*])[\w*.-]{6,}  # OpenAI, Anthropic, Groq, xAI …
    | \bAIza[\w*-]{8,}                                                               # Google
    | \b(?:AKIA|ASIA)[A-Z0-9*]{12,}                                                  # AWS access key id
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}                                           # JSON web token
    """,
    re.VERBOSE,
)

_lock = Lock()
_known: dict[str, tuple[re.Pattern[str], ...]] = {}


def remember(secret: str) -> None:
    """Have `secret` removed from every text that passes `redact` from now on, for the life of the process."""
    secret = secret.strip()
    if secret and secret not in _known:
        patterns = tuple(_pattern(spelling) for spelling in _spellings(secret))
        with _lock:
            _known[secret] = patterns


def redact(text: str) -> str:
    """`text` without any remembered secret and without anything of the shape of a well-known provider's key."""
    with _lock:
        known = sorted(_known.items(), key=lambda item: -len(item[0]))  # a key may begin with a shorter one
    for _, patterns in known:
        for pattern in patterns:
            text = pattern.sub(MASK, text)
    return _SHAPES.sub(MASK, text)


def _spellings(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    return {
        secret,
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(raw).decode(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode(),
    }


def _pattern(spelling: str) -> re.Pattern[str]:
    escaped = re.escape(spelling)
    if len(spelling) < _SHORTEST_ANYWHERE:
        return re.compile(rf"(?<!\w){escaped}(?!\w)")
    return re.compile(escaped)
