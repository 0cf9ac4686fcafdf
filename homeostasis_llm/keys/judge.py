"""Say what an answer means for the key that was sent: by its status and the structured part of its body.

A pure function, from what is known of the provider and what came back to a `KeyCheck`. A provider's sentences are
repeated and never searched: they change.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..catalog import ProviderFacts, all_facts
from ..endpoints import read_models
from ..error_facts import ErrorBody, error_from_answer, read_error_body
from ..errors import (
    APIKeyMissingError,
    AuthenticationError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMError,
    LLMTimeoutError,
    ModelNotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from ..redaction import redact
from .check import KeyCheck, KeyOutcome
from .malformed import Malformed
from .obstacles import Obstacle, explain, obstacle_of

_FIRST_BYTES = 4096
"""Of a body that is no JSON: what it says to people stands at its beginning."""
_LONGEST_WORDS = 300
"""Characters of a provider's own words that a check repeats."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By names in lower case."""
    body: bytes = field(repr=False)
    complete: bool = True
    """Whether that is all of the body: a very long one is not read to its end."""
    at_proxy: bool = False
    """Whether a proxy might have given it in the provider's place."""


def judge(
    facts: ProviderFacts,
    key: str,
    answer: Answer | Exception | bool,
    *,
    asked: str = "",
    host: str = "",
    listing: bool = False,
    model: str | None = None,
    seconds: float | None = None,
    timeout: float = 0.0,
    at_proxy: bool = False,
) -> KeyCheck:
    """What `answer` means for `key`, sent to the provider of `facts`.

    `answer` is a bool where the provider's own code has judged. `asked` and `host` are for people. `listing` says that
    a list of models was asked for; `model` is the one that was asked for a completion, None where none was. `seconds`
    is what it took, `timeout` what it might have taken, and `at_proxy` says that an exception came from the way to a
    proxy.
    """
    case = _Case(facts, key, redact(asked), host, listing, model, seconds, timeout)
    if isinstance(answer, Answer):
        return _of_answer(case, answer)
    if isinstance(answer, bool):
        return _verified(case, {}) if answer else _rejected(case, f"{case.who} does not accept the key.", {})
    if isinstance(answer, LLMError):
        return _of_error(case, answer, said=_own_words(answer), words=(answer.code or "",))
    return _unreachable(case, *obstacle_of(answer, at_proxy=at_proxy))


def malformed(facts: ProviderFacts, found: Malformed) -> KeyCheck:
    """The check of a text that is no key."""
    from pydantic import SecretStr

    case = _Case(facts)
    advice = "Use it without that." if found.corrected else f"Copy it again, or make a new one{_at(facts.key_url)}."
    *most, last = found.flaws
    return case.check(
        KeyOutcome.MALFORMED,
        f"The key {' and '.join(filter(None, (', '.join(most), last)))}.",
        advice,
        corrected=None if found.corrected is None else SecretStr(found.corrected),
    )


def unasked(facts: ProviderFacts, reason: str, advice: str) -> KeyCheck:
    """The check of a key that could not be tried."""
    return _Case(facts).check(KeyOutcome.COULD_NOT_TELL, reason, advice)


def owners_of(key: str) -> tuple[ProviderFacts, ...]:
    """Whose key it looks like: the providers whose keys begin so, by the longest beginning. A hint, no more."""
    beginnings = [
        (len(prefix), facts)
        for facts in all_facts().values()
        for prefix in facts.key_prefixes
        if key.startswith(prefix)
    ]
    longest = max((length for length, _ in beginnings), default=0)
    return tuple(facts for length, facts in beginnings if length == longest)


@dataclass(frozen=True, slots=True)
class _Case:
    """What was asked, of whom, and with which key."""

    facts: ProviderFacts
    key: str = field(default="", repr=False)
    asked: str = ""
    host: str = ""
    listing: bool = False
    model: str | None = None
    seconds: float | None = None
    timeout: float = 0.0

    @property
    def who(self) -> str:
        return self.facts.title

    @property
    def where(self) -> str:
        return self.host or self.who

    def check(self, outcome: KeyOutcome, reason: str, advice: str = "", **facts: Any) -> KeyCheck:
        return KeyCheck(
            provider=self.facts.name,
            outcome=outcome,
            reason=reason,
            advice=advice,
            asked=self.asked,
            seconds=self.seconds,
            charged=self.model is not None,
            **facts,
        )


def _of_answer(case: _Case, answer: Answer) -> KeyCheck:
    told = read_error_body(answer.body)
    status, page = answer.status, not told.structured and _is_page(answer)
    said = _said(told, answer, page=page)
    seen: dict[str, Any] = {"status": status, "said": said}
    if status == 407 or (answer.at_proxy and page and status >= 300):
        detail = f"it answered {status}" + (f", {said}" if said else "")
        return _unreachable(case, Obstacle.PROXY, detail, status=status)
    if status < 300:
        return _of_good_answer(case, answer, page=page, said=said)
    if status < 400 or status == 511:  # 511: a network that wants people to log in first
        return case.check(
            KeyOutcome.COULD_NOT_TELL,
            f"{case.where} answered {status} and points elsewhere{_elsewhere(answer)}; that was not followed.",
            "Check the base URL, and whether this network wants you to log in first.",
            **seen,
        )
    if page and (status in {402, 403, 404, 405, 429} or (status == 401 and _wants_login(answer))):
        # A provider's own refusals are written by its API. The page of a firewall says nothing about the key.
        return case.check(
            KeyOutcome.COULD_NOT_TELL,
            f"{case.where} answered {status} with a web page, as firewalls and gateways do.",
            "Check the base URL, and whether a firewall or a network's login stands in between.",
            **seen,
        )
    error = error_from_answer(status, answer.headers, answer.body, provider=case.facts.name)
    return _of_error(case, error, said=said, words=told.words)


def _of_good_answer(case: _Case, answer: Answer, *, page: bool, said: str) -> KeyCheck:
    seen: dict[str, Any] = {"status": answer.status}
    try:
        found: Any = json.loads(answer.body) if answer.complete else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, Mapping) and found.get("error"):
        error = error_from_answer(answer.status, answer.headers, found, provider=case.facts.name)
        return _of_error(case, error, said=said, words=read_error_body(found).words)
    try:
        readable = isinstance(found, (Mapping, list))
        if readable and case.listing:
            read_models(answer.body, case.facts.name)
    except InvalidResponseError:
        readable = False
    if not readable:
        what = "a web page" if page else "something else than its API does" if answer.complete else "far too much"
        return case.check(
            KeyOutcome.COULD_NOT_TELL,
            f"{case.where} answered {answer.status} with {what}.",
            "Check the base URL, and whether this network wants you to log in first.",
            said=said if page else "",
            **seen,
        )
    return _of_account(case, found if isinstance(found, Mapping) else {}, seen) or _verified(case, seen)


def _of_account(case: _Case, found: Mapping[str, Any], seen: dict[str, Any]) -> KeyCheck | None:
    """What an endpoint that tells about the key itself says against it; None where it has nothing to say."""
    # xAI. Source: its API reference, "Get API key information".
    if found.get("api_key_blocked") is True or found.get("api_key_disabled") is True:
        return _rejected(case, f"{case.who} knows the key, and says that it is blocked or disabled.", seen)
    if found.get("team_blocked") is True:
        return case.check(
            KeyOutcome.NO_PERMISSION,
            f"{case.who} knows the key, and says that its team is blocked.",
            f"Ask whoever runs the account{_at(case.facts.key_url)}.",
            **seen,
        )
    # OpenRouter; null stands for no limit. Source: its API reference, "Get current API key".
    data = found.get("data")
    left = data.get("limit_remaining") if isinstance(data, Mapping) else None
    if isinstance(left, (int, float)) and not isinstance(left, bool) and left <= 0:
        return _no_credit(case, seen)
    return None


def _of_error(  # noqa: PLR0911  # a table of cases
    case: _Case, error: LLMError, *, said: str, words: Iterable[str]
) -> KeyCheck:
    seen: dict[str, Any] = {"status": error.status_code, "said": said}
    words = {word.lower() for word in words}
    match error:
        case AuthenticationError() | PermissionDeniedError() | InvalidRequestError() if _any_expired(words):
            advice = f"Make a new one{_at(case.facts.key_url)}."
            return case.check(KeyOutcome.EXPIRED, f"{case.who} says that the key has expired.", advice, **seen)
        case AuthenticationError():
            return _rejected(case, f"{case.who} does not accept the key.", seen)
        case PermissionDeniedError() if "unauthorized" in words:  # Fireworks, for any key it does not know
            return _rejected(case, f"{case.who} does not accept the key.", seen)
        case PermissionDeniedError():
            return case.check(
                KeyOutcome.NO_PERMISSION,
                f"{case.who} knows the key, which may not do what was asked.",
                f"Give it the permission{_at(case.facts.key_url)}, or use one that has it.",
                **seen,
            )
        case QuotaExceededError():
            return _no_credit(case, seen)
        case RateLimitError():
            wait = "a little" if error.retry_after is None else f"{error.retry_after:g} s"
            return case.check(
                KeyOutcome.RATE_LIMITED,
                f"{case.who} had too many requests just now; the key is known there.",
                f"Wait {wait} before you use it.",
                retry_after=error.retry_after,
                **seen,
            )
        case ContextLengthError() | ContentRefusedError() if case.model:
            return _verified(case, seen)
        case ModelNotFoundError() if case.model and words - {""}:
            return case.check(
                KeyOutcome.NO_PERMISSION,
                f"{case.who} knows the key, and has no model {case.model} for it.",
                "Name another model.",
                **seen,
            )
        case ServerError() | LLMTimeoutError() if error.status_code is not None:
            return case.check(
                KeyOutcome.PROVIDER_DOWN,
                f"{case.who} answered {error.status_code}: it fails, or is too busy.",
                "Try again in a few minutes.",
                retry_after=error.retry_after,
                **seen,
            )
        case LLMConnectionError() | LLMTimeoutError():
            return _unreachable(case, *obstacle_of(error))
    return _unclear(case, error, seen)


def _any_expired(words: Iterable[str]) -> bool:
    """Whether a word says so, as in `expired_key` (LiteLLM's proxy, older ones with 400) or `ExpiredTokenException`."""
    return any("expired" in word for word in words)


def _unclear(case: _Case, error: LLMError, seen: dict[str, Any]) -> KeyCheck:
    status = error.status_code
    # With a question that holds nothing else, nothing else can be wrong with it.
    if status == 400 and case.facts.refuses_keys_with_400 and case.model is None:
        return _rejected(case, f"{case.who} does not accept the key.", seen)
    reason, advice = f"{case.who} gave no answer about the key.", "Read what it says, and try again."
    if isinstance(error, APIKeyMissingError):
        reason, advice = f"{case.who} found no credentials to use.", f"See how to get them{_at(case.facts.key_url)}."
    elif status == 404:
        reason, advice = f"Nothing of {case.who} is at that address.", "Check the base URL."
    elif status is not None:
        reason = f"{case.who} answered {status}, which says nothing about the key."
    return case.check(KeyOutcome.COULD_NOT_TELL, reason, advice, **seen)


def _verified(case: _Case, seen: dict[str, Any]) -> KeyCheck:
    if not case.key:
        return case.check(KeyOutcome.VERIFIED, f"{case.where} answers, and asks for no key.", **seen)
    more = f", and {case.model} answers to it" if case.model else ""
    return case.check(KeyOutcome.VERIFIED, f"{case.who} accepts the key{more}.", **seen)


def _rejected(case: _Case, reason: str, seen: dict[str, Any]) -> KeyCheck:
    url = case.facts.key_url
    advice = f"Copy it again, or make a new one{_at(url)}."
    owners = owners_of(case.key) if case.key else ()
    if case.facts.name in {facts.name for facts in owners}:
        owners = ()
    match owners:
        case ():
            return case.check(KeyOutcome.REJECTED, reason, advice, **seen)
        case (owner,):
            makes = f"; keys of {case.who} are made at {url}" if url else ""
            return case.check(
                KeyOutcome.WRONG_PROVIDER,
                f"{reason.rstrip('.')}, and it looks like a key of {owner.title}.",
                f"Store it with `homeostasis llm set-key {owner.name}` if it is one{makes}.",
                suggested_provider=owner.name,
                **seen,
            )
    *most, last = (owner.title for owner in owners)
    hint = f" It begins as those of {', '.join(most)} and {last} do."
    return case.check(KeyOutcome.REJECTED, reason + hint, advice, **seen)


def _no_credit(case: _Case, seen: dict[str, Any]) -> KeyCheck:
    return case.check(
        KeyOutcome.NO_CREDIT,
        f"{case.who} knows the key, whose account is out of credit or at its limit.",
        "Add credit, or raise the limit, in the account of the key"
        + (f" ({url})." if (url := case.facts.key_url) else "."),
        **seen,
    )


def _unreachable(case: _Case, obstacle: Obstacle, detail: str, *, status: int | None = None) -> KeyCheck:
    reason, advice = explain(
        obstacle, detail, who=case.who, host=case.host, seconds=case.timeout, local=case.facts.local
    )
    return case.check(KeyOutcome.UNREACHABLE, reason, advice, cause=obstacle, status=status)


def _at(url: str | None) -> str:
    return f" at {url}" if url else ""


def _is_page(answer: Answer) -> bool:
    return "html" in answer.headers.get("content-type", "") or answer.body.lstrip()[:1] == b"<"


def _wants_login(answer: Answer) -> bool:
    """Whether a 401 asks for a name and a password, which no provider does."""
    return answer.headers.get("www-authenticate", "").lower().startswith(("basic", "digest", "negotiate", "ntlm"))


def _elsewhere(answer: Answer) -> str:
    target = urlsplit(answer.headers.get("location", ""))
    return f" ({_scrubbed(f'{target.scheme}://{target.hostname}')})" if target.hostname else ""


_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{1,500})<", re.IGNORECASE)


def _said(told: ErrorBody, answer: Answer, *, page: bool) -> str:
    if told.structured:
        return _scrubbed(told.message or ", ".join(told.words))
    if page:
        title = _TITLE.search(answer.body[:_FIRST_BYTES])
        return _scrubbed(html.unescape(title[1].decode(errors="replace"))) if title else ""
    plain = "text/plain" in answer.headers.get("content-type", "")
    return _scrubbed(answer.body[:_FIRST_BYTES].decode(errors="replace")) if plain else ""


def _own_words(error: LLMError) -> str:
    """What the provider said, without what our errors put before it."""
    before = f" answered {error.status_code}: "
    return _scrubbed(error.message.partition(before)[2] or error.message)


def _scrubbed(text: str) -> str:
    """`text` on one line, without keys and without what moves a terminal's cursor, and of bearable length."""
    # Keys go before the cut, which might leave half of one.
    said = "".join(character for character in redact(" ".join(text.split())) if character.isprintable())
    return said if len(said) <= _LONGEST_WORDS else said[:_LONGEST_WORDS] + "…"
