"""Leave out of a recording what is nobody else's business: keys, cookies, accounts, and on which port it was made.

What is sent is scrubbed in the same way before it is compared, so a recording plays for whatever key and account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ...redaction import MASK

KEPT_REQUEST_HEADERS = frozenset(
    {"accept", "content-type", "anthropic-version", "anthropic-beta", "openai-beta", "x-goog-api-client"}
)
"""What a provider is told that says how it is to answer. All others are left out."""

KEPT_RESPONSE_HEADERS = frozenset(
    {"content-type", "date", "retry-after", "retry-after-ms", "x-should-retry", "server", "location"}
    | {"openai-version", "openai-processing-ms", "x-ratelimit-reset", "ratelimit-reset"}
)
_KEPT_BEGINNINGS = ("x-ratelimit-", "ratelimit-", "anthropic-ratelimit-")
# Of our own errors: `request_id`. An id of a request names no account, and a provider's support asks for it.
_REQUEST_IDS = frozenset({"x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "cf-ray"})

_SECRET_NAME = re.compile(
    r"(api|access|secret|private|session|auth|refresh|id|security|subscription)?[_-]?"
    r"(key|token|secret|password|passwd|credential|credentials|signature|authorization)"
    r"|(x-)?(api|goog-api|amz-credential|amz-signature|amz-security)[_-]?(key|token)?|sig|client[_-]secret|jwt|cookie",
    re.IGNORECASE,
)
# Names that end like a secret's and are none: counts, and words of the wire.
_NO_SECRET = re.compile(r"(?i:max|min|num|total|first|last|next|stop|start|eos|bos|pad)[_-]?tokens?|key|id[_-]?key")

# Who pays, as providers write it into messages and addresses.
_ACCOUNTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\borg-[A-Za-z0-9]{12,}\b"), "org-removed"),
    (re.compile(r"\bproj_[A-Za-z0-9]{12,}\b"), "proj_removed"),
    (re.compile(r"(?<=arn:aws:)([\w-]+:[\w-]*):\d{12}(?=:)"), r"\1:000000000000"),
)
_ACCOUNT_IN_PATH = re.compile(r"(?<=/)(projects|accounts|subscriptions|organizations)/[^/]+")
# A provider's own shortened echo of a key that it refuses: `sk-ab***yz`.
_SHORTENED = re.compile(r"[\w.-]*\*{3,}[\w.-]*")

_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|\[?::1\]?")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a project wants beyond what always holds."""

    keep_headers: Collection[str] = ()
    """Names, in lower case, of further headers to keep."""
    scrub: Sequence[str] = ()
    """Regular expressions of what is to be taken out of bodies and addresses."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Names to keep hosts by: those of a company's gateway are nobody else's business."""

    def clean(self, text: str) -> str:
        """`text` without accounts and without what `scrub` says."""
        for pattern in self.scrub:
            text = re.sub(pattern, MASK, text)
        for account, instead in _ACCOUNTS:
            text = account.sub(instead, text)
        return text


def address(url: str, rules: Rules) -> str:
    """`url` as it is kept: this machine by one name and without a port, no user, no secrets, no accounts."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _LOOPBACK.fullmatch(host):
        netloc = "localhost"
    elif renamed := rules.hosts.get(host):
        netloc = renamed
    else:
        netloc = host if parts.port is None else f"{host}:{parts.port}"
    # An empty query parameter is one too.
    query = [
        (name, MASK if _is_secret(name) or name.lower() == "key" else rules.clean(found))
        for name, found in parse_qsl(parts.query, keep_blank_values=True)
    ]
    path = rules.clean(_ACCOUNT_IN_PATH.sub(r"\1/removed", parts.path))
    return urlunsplit((parts.scheme, netloc, path, urlencode(query, safe="[] ", quote_via=quote), ""))


def headers(found: Mapping[str, Any], keep: Iterable[str], *, answered: bool) -> dict[str, list[str]]:
    """The headers of a request, or of an answer, that may be kept, by their names in lower case."""
    wanted = {*keep, *(KEPT_RESPONSE_HEADERS | _REQUEST_IDS if answered else KEPT_REQUEST_HEADERS)}
    kept: dict[str, list[str]] = {}
    for name, told in found.items():
        lower = str(name).lower()
        if lower in wanted or (answered and lower.startswith(_KEPT_BEGINNINGS)):
            values = [told] if isinstance(told, (str, bytes)) else list(told)
            texts = [one.decode("latin-1") if isinstance(one, bytes) else str(one) for one in values]
            kept.setdefault(lower, []).extend(map(Rules().clean, texts))
    return dict(sorted(kept.items()))


def body(found: bytes, rules: Rules, *, failed: bool = False) -> bytes:
    """A body without secrets by their names, and without accounts; `failed` says that it tells of an error."""
    try:
        text = found.decode()
    except UnicodeDecodeError:
        return found
    clean = rules.clean(text)
    if failed:
        clean = _SHORTENED.sub(MASK, clean)
    try:
        parsed = json.loads(clean)
    except (ValueError, RecursionError):
        return clean.encode("utf-8", "surrogatepass")
    scrubbed = _scrubbed(parsed)
    # Unchanged bodies stay as they are, to the last space.
    return clean.encode() if scrubbed == parsed else json.dumps(scrubbed, ensure_ascii=False).encode()


def form(found: bytes) -> bytes:
    """A body of an HTML form, as of requests for an access token."""
    fields = parse_qsl(found.decode("utf-8", "replace"), keep_blank_values=True)
    hidden = [(name, MASK if _is_secret(name) or name == "assertion" else told) for name, told in fields]
    return urlencode(hidden, safe="[] ").encode()


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.fullmatch(name) is not None and _NO_SECRET.fullmatch(name) is None


def _scrubbed(found: Any) -> Any:
    if isinstance(found, dict):
        return {
            name: MASK if isinstance(told, str) and told and _is_secret(name) and name != "token" else _scrubbed(told)
            for name, told in found.items()
        }
    return [_scrubbed(item) for item in found] if isinstance(found, list) else found
