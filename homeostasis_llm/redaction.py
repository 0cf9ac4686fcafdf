"""Take known secrets out of text before anybody reads it.

A key is remembered when a provider or the key manager receives it, which is before it is used: from then on no error
message can carry it, in the spelling it was given or in one that a URL, a JSON body, a web page or an HTTP header gives
it. Text that was redacted before a key became known is not looked at again. What HTTP clients log passes the same way.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections.abc import Iterator
from threading import Lock

MASK = "[key removed]"

_SHORTEST_ANYWHERE = 4
"""Characters. A shorter secret is only removed where it stands alone: "a" would otherwise eat every word."""

_SHORTEST_IN_BASE64 = 8
"""Bytes. Of shorter secrets too little is left to know them by where other text is encoded together with them."""

_PLACEHOLDERS = frozenset({"dummy", "empty", "lm-studio", "none", "not-needed", "ollama", "sk-no-key-required"})
"""What the documentation of vLLM, LM Studio, Ollama and llama.cpp says to give where no key is needed, in lower case.

They hide nothing, and as secrets they would take the provider's name out of its own errors.
"""

# What keys of well-known providers look like, also as a provider shortens them in its own message (`sk-ab***yz`).
# The look-ahead is bounded: without an end, "sk-sk-sk-…" would take time in the square of its length.
_SHAPES = re.compile(
    r"""
    \b(?:sk|pk|rk|gsk|xai|pplx|fw|hf|nvapi|csk|r8|tgp)[-_](?=[\w*.-]{0,200}[\d*])[\w*.-]{6,}  # OpenAI, Groq, xAI …
    | \bAIza[\w*-]{8,}                                                               # Google
    | \b(?:AKIA|ASIA)[A-Z0-9*]{12,}                                                  # AWS access key id
    | \beyJ[\w-]{8,500}\.[\w-]{8,}\.[\w-]{8,}                                       # JSON web token
    """,
    re.VERBOSE,
)
_MASKED = re.compile(re.escape(MASK))

_CLIENT_LOGGERS = (
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    *("httpx", "httpx2", "urllib3.connectionpool", "hpack.hpack", "hpack.table"),
    *("openai._base_client", "anthropic._base_client"),
    *("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"),
)
"""Who logs addresses with their query, headers, or bodies: httpx at INFO already, the others at DEBUG.

By their whole names, for a logger's filter does not see what loggers below it log.
"""

_lock = Lock()
_known: dict[str, tuple[re.Pattern[str], ...]] = {}


def remember(secret: str) -> None:
    """Have `secret` removed from every text that passes `redact` from now on, for the life of the process."""
    _watch_logs()
    secret = secret.strip()
    if secret and secret not in _known and secret.lower() not in _PLACEHOLDERS:
        patterns = tuple(re.compile(pattern) for pattern in _patterns(secret))
        with _lock:
            _known[secret] = patterns


def redact(text: str) -> str:
    """`text` without any remembered secret and without anything of the shape of a well-known provider's key."""
    with _lock:
        patterns = [pattern for patterns in _known.values() for pattern in patterns]
    # All are looked for in the same text and removed at once: one secret may be part of another, or of the mask.
    spans = sorted(found.span() for pattern in (*patterns, _SHAPES, _MASKED) for found in pattern.finditer(text))
    kept: list[str] = []
    end = 0
    for start, stop in spans:
        if start >= end:
            kept += [text[end:start], MASK]
        end = max(end, stop)
    return "".join([*kept, text[end:]])


class _Redacting(logging.Filter):
    """Takes known secrets out of what is logged. Lets everything pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit: it cannot be shown either
            return True
        kept = redact(said)
        if kept != said:
            record.msg, record.args = kept, ()
        if record.exc_info:
            # The frames of a traceback hold keys that its text does not, and error trackers show them.
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


_redacting = _Redacting()


def _watch_logs() -> None:
    for name in _CLIENT_LOGGERS:
        logging.getLogger(name).addFilter(_redacting)  # one that is there already is not added again


def _patterns(secret: str) -> Iterator[str]:
    """Regular expressions for the spellings of `secret`."""
    # As it is, and as URLs, JSON, HTML and Python's repr spell it: they leave only letters and digits alone.
    spelled = "".join(map(_any_spelling, re.findall(r"\\+|[^\\]", secret)))
    yield spelled if len(secret) >= _SHORTEST_ANYWHERE else rf"(?<!\w){spelled}(?!\w)"

    raw = secret.encode("utf-8", "surrogatepass")
    encoded = base64.b64encode(raw).decode().rstrip("=")
    in_base64 = "".join(map(_any_base64, encoded))
    yield f"{in_base64}(?:=|%3[Dd]){{0,2}}" if len(encoded) >= _SHORTEST_ANYWHERE else rf"(?<!\w){in_base64}(?!\w)"
    if len(raw) >= _SHORTEST_IN_BASE64:
        # Encoded after other text, as in `user:key` of basic authentication: what does not depend on that text.
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
            yield "".join(map(_any_base64, encoded[-(-before * 4 // 3) : len(encoded) - 1]))


def _any_spelling(piece: str) -> str:
    """A regular expression for one character of a secret, or a run of backslashes, however it is escaped."""
    if piece.isascii() and piece.isalnum():
        return piece
    raw = piece.encode("utf-8", "surrogatepass")
    in_a_url = rf"(?i:{''.join(f'%{byte:02x}' for byte in raw)})"
    if piece.startswith("\\"):
        return rf"(?:\\{{{len(piece)},{4 * len(piece)}}}|{in_a_url})"
    backslashes = r"\\{1,4}"  # more than one is JSON inside JSON
    in_json = re.escape(json.dumps(piece)[1:-1]).replace(re.escape("\\"), backslashes)
    spellings = {
        re.escape(piece),
        in_a_url,
        f"(?i:{in_json})" if "u" in in_json else in_json,
        re.escape(repr(piece)[1:-1]),
        re.escape(repr(raw)[2:-1]),
        re.escape(html.escape(piece)),
    }
    if piece in "'/":
        spellings.add(backslashes + piece)
    if piece == " ":
        spellings.add(r"\+")
    return f"(?:{'|'.join(sorted(spellings, key=len, reverse=True))})"


def _any_base64(character: str) -> str:
    """A regular expression for one character of a text in base64, of either alphabet."""
    match character:
        case "+":
            return "(?:[+-]|%2[Bb])"
        case "/":
            return r"(?:\\?/|_|%2[Ff])"
    return character
