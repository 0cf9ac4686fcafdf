"""What a provider's answer means for the key that was sent, and that no key is in what is said of it."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr

from homeostasis_llm.catalog import all_facts
from homeostasis_llm.keys.check import KeyCheck, KeyOutcome
from homeostasis_llm.keys.judge import Answer, judge, owners_of
from homeostasis_llm.keys.probe import acheck_key, check_key
from tests.contract import wild
from tests.keys.answers import CASES, HTML, Case
from tests.loopback import Loopback

KEY = "k0/ab+cd&ef=%41~'gh"
"""Of no provider's form, and spelled otherwise in a URL, in JSON and in HTML."""

Check = Callable[..., KeyCheck]


def _async(*args: Any, **options: Any) -> KeyCheck:
    return asyncio.run(acheck_key(*args, **options))


both = pytest.mark.parametrize("check", [check_key, _async], ids=["sync", "async"])

REFUSED_WITHOUT: dict[str, Any] = {"status": 401, "json": {"error": {"message": "No key."}}}


def _ask(check: Check, provider: str, loopback: Loopback, key: str = KEY, **options: Any) -> KeyCheck:
    return check(provider, key, base_url=loopback.url, **options)


@both
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_an_answer_means(case: Case, check: Check, loopback: Loopback) -> None:
    loopback.reply(**json.loads(json.dumps(case.scripted).replace("{key}", json.dumps(KEY)[1:-1])))
    loopback.always(**REFUSED_WITHOUT)

    found = _ask(check, case.provider, loopback)

    assert found.outcome == case.outcome
    assert (found.provider, found.status) == (case.provider, case.status)
    assert case.said in found.said
    assert bool(found.said) is bool(case.said)
    assert found.reason.endswith(".")
    assert found.cause is None
    assert found.seconds is not None
    assert 0 < found.seconds < 10
    assert found.asked == f"GET {loopback.url}{loopback.requests[0].path}"
    assert not found.charged


@both
def test_how_long_to_wait_is_told(check: Check, loopback: Loopback) -> None:
    loopback.always(status=429, json={"error": {"message": "Slow."}}, headers={"retry-after": "12"})

    found = _ask(check, "openai", loopback)

    assert found.retry_after == 12
    assert "12 s" in found.advice


@pytest.mark.parametrize(
    ("code", "outcome"), [(401, KeyOutcome.REJECTED), (402, KeyOutcome.NO_CREDIT), (503, KeyOutcome.PROVIDER_DOWN)]
)
@pytest.mark.parametrize("provider", ["openai", "openrouter"])
def test_an_error_inside_of_a_good_answer_is_an_error(
    provider: str, code: int, outcome: KeyOutcome, loopback: Loopback
) -> None:
    loopback.always(json={"data": [], "error": {"message": "No.", "code": code}})

    found = _ask(check_key, provider, loopback)

    assert found.outcome == outcome
    assert (found.status, found.said) == (code, "No.")


@wild.needs_the_wild
@pytest.mark.parametrize(
    ("record", "outcome", "words"),
    [
        ("91127026f8a5", KeyOutcome.REJECTED, "Access denied due to invalid subscription key"),  # Azure
        ("26d70bae8f68", KeyOutcome.RATE_LIMITED, "You exceeded your current quota"),  # Google, per minute
        ("d78aa681d6f9", KeyOutcome.RATE_LIMITED, "temporarily rate-limited upstream"),  # OpenRouter
        ("fb978335c6f2", KeyOutcome.VERIFIED, ""),  # Cerebras' list
        ("29df74a14236", KeyOutcome.VERIFIED, ""),  # Heroku's
        ("21e9100ef95a", KeyOutcome.VERIFIED, ""),  # watsonx'
    ],
)
def test_what_providers_really_sent_means(record: str, outcome: KeyOutcome, words: str, loopback: Loopback) -> None:
    sent = next(found for found in wild.records() if found["id"] == record)
    loopback.reply(status=sent["status"], body=wild.body(sent), headers=sent["response_headers"])
    loopback.always(**REFUSED_WITHOUT)

    # Whose the words are makes no difference: what is asked for is a list, everywhere.
    found = _ask(check_key, "openai", loopback)

    assert found.outcome == outcome
    assert words in found.said


def test_every_outcome_has_its_case() -> None:
    elsewhere = {KeyOutcome.WRONG_PROVIDER, KeyOutcome.MALFORMED, KeyOutcome.UNREACHABLE}

    assert {case.outcome for case in CASES} | elsewhere == set(KeyOutcome)


@pytest.mark.parametrize(
    ("outcome", "ok"),
    [
        ("verified", True),
        ("rejected", False),
        ("wrong_provider", False),
        ("no_permission", True),
        ("no_credit", True),
        ("rate_limited", True),
        ("expired", False),
        ("malformed", False),
        ("unreachable", None),
        ("provider_down", None),
        ("could_not_tell", None),
    ],
)
def test_a_key_is_good_where_the_provider_knows_it_and_in_doubt_where_nobody_said(
    outcome: str, ok: bool | None
) -> None:
    assert KeyCheck(provider="x", outcome=KeyOutcome(outcome), reason="").ok is ok


# ------------------------------------------------------------------------------------------------ whose key it is


@both
@pytest.mark.parametrize(
    ("provider", "key", "owner"),
    [
        ("openai", "sk-ant-api03-0123456789", "anthropic"),  # the longest beginning counts: OpenAI's is sk-
        ("openai", "sk-or-v1-0123456789", "openrouter"),
        ("anthropic", "sk-proj-0123456789", "openai"),
        ("mistral", "gsk_0123456789", "groq"),
        ("groq", "AIza0123456789", "gemini"),
    ],
)
def test_a_refused_key_that_begins_like_anothers_is_said_to_be_that(
    provider: str, key: str, owner: str, check: Check, loopback: Loopback
) -> None:
    loopback.always(status=401, json={"error": {"message": "No."}})

    found = _ask(check, provider, loopback, key)

    assert found.outcome == KeyOutcome.WRONG_PROVIDER
    assert found.suggested_provider == owner
    assert all_facts()[owner].title in found.reason
    assert f"homeostasis llm set-key {owner}" in found.advice
    assert len(loopback.requests) == 1  # it was asked all the same


@both
def test_what_a_key_begins_with_is_no_reason_to_refuse_it(check: Check, loopback: Loopback) -> None:
    loopback.reply(json={"data": [{"id": "gpt-4.1-mini"}]})
    loopback.always(**REFUSED_WITHOUT)

    found = _ask(check, "openai", loopback, "sk-ant-api03-0123456789")

    assert found.outcome == KeyOutcome.VERIFIED
    assert found.suggested_provider is None


def test_a_beginning_that_several_have_is_a_hint_and_no_more(loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": "No."}})

    found = _ask(check_key, "groq", loopback, "sk-0123456789")

    assert found.outcome == KeyOutcome.REJECTED
    assert found.suggested_provider is None
    assert "OpenAI" in found.reason
    assert "DeepSeek" in found.reason


@pytest.mark.parametrize("provider", ["openai", "deepseek", "moonshot", "dashscope"])
def test_a_key_of_the_right_beginning_is_nobody_elses(provider: str, loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": "No."}})

    found = _ask(check_key, provider, loopback, "sk-0123456789")

    assert found.outcome == KeyOutcome.REJECTED
    assert found.reason == f"{all_facts()[provider].title} does not accept the key."


def test_a_key_of_no_known_beginning_is_anybodys() -> None:
    assert owners_of("no-prefix") == ()


def test_where_keys_are_made_is_told_with_every_key_that_will_not_do(loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": "No."}})

    assert "https://console.groq.com/keys" in _ask(check_key, "groq", loopback).advice
    assert "https://console.groq.com/keys" in _ask(check_key, "groq", loopback, "sk-proj-0123456789").advice
    assert "https://console.groq.com/keys" in _ask(check_key, "groq", loopback, "gsk…").advice


# ------------------------------------------------------------------------------------------------ no key


@both
def test_a_text_that_is_no_key_is_not_sent(check: Check, loopback: Loopback) -> None:
    found = _ask(check, "openai", loopback, " Bearer sk-proj-0123456789abcdef\n")

    assert found.outcome == KeyOutcome.MALFORMED
    assert found.suggestion is not None
    assert found.suggestion.get_secret_value() == "sk-proj-0123456789abcdef"
    assert found.reason == "The key has white space around it and begins with the word Bearer."
    assert (found.status, found.seconds, found.asked) == (None, None, "")
    assert loopback.requests == []


@both
def test_a_shortened_key_is_not_sent_and_nothing_is_offered_for_it(check: Check, loopback: Loopback) -> None:
    found = _ask(check, "openai", loopback, "sk-proj-…cdef")

    assert found.outcome == KeyOutcome.MALFORMED
    assert found.suggestion is None
    assert loopback.requests == []


def test_no_key_at_all_is_said_to_be_none() -> None:
    found = check_key("openai", "")

    assert found.outcome == KeyOutcome.MALFORMED
    assert found.reason == "The key is empty."


@pytest.mark.parametrize("key", ["sk-proj-0123456789abcdef\n", '"sk-proj-0123456789abcdef"'])
def test_a_suggestion_is_a_secret_that_no_copy_takes_along(key: str) -> None:
    found = check_key("openai", key)

    assert isinstance(found.suggestion, SecretStr)
    seen = [str(found), repr(found), f"{found}", str(vars(found)), str(asdict(found)), json.dumps(asdict(found))]
    seen += [str(pickle.dumps(found)), str(pickle.dumps(asdict(found)))]
    assert not [text for text in seen if "0123456789abcdef" in text]
    for twin in (pickle.loads(pickle.dumps(found)), copy.copy(found), copy.deepcopy(found), replace(found)):  # noqa: S301  # our own bytes
        assert twin == found
        assert twin.suggestion is None


# ------------------------------------------------------------------------------------------------ and no key in it

SPELLINGS = {
    "as it is": KEY,
    "in a URL": quote(KEY, safe=""),
    "in a query": quote_plus(KEY),
    "in JSON": json.dumps(KEY)[1:-1],
    "in base64": base64.b64encode(KEY.encode()).decode(),
    "in basic authentication": base64.b64encode(f"user:{KEY}".encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 503])
@pytest.mark.parametrize("kind", ["sentence", "code", "page", "text"])
def test_a_key_that_comes_back_is_in_nothing_that_is_said(
    kind: str, status: int, spelling: str, loopback: Loopback
) -> None:
    answers: dict[str, dict[str, Any]] = {
        "sentence": {"json": {"error": {"message": f"The key {spelling} is wrong.", "code": "x"}}},
        "code": {"json": {"error": {"code": spelling, "type": spelling}}},
        "page": {"body": f"<title>{spelling} is wrong</title>", "headers": HTML},
        "text": {"body": f"{spelling} is wrong"},
    }
    answer = answers[kind]
    headers = {**answer.pop("headers", {}), "location": f"https://login.example/{spelling}", "x-request-id": spelling}
    loopback.always(status=status, headers=headers, **answer)

    found = _ask(check_key, "openai", loopback)

    seen = [str(found), repr(found), str(asdict(found)), str(vars(found)), str(pickle.dumps(found))]
    assert found.outcome != KeyOutcome.VERIFIED
    assert not [text for text in seen if KEY in text or spelling in text]


def test_a_key_in_the_query_is_in_nothing_that_is_said(loopback: Loopback) -> None:
    facts = replace(all_facts()["openai"], auth="query:key", base_url=loopback.url, models_path="models?limit=5")
    loopback.always(status=401, json={"error": {"message": f"GET /models?key={quote(KEY)} is refused"}})

    found = check_key(facts, KEY)

    assert loopback.requests[0].query == {"limit": ["5"], "key": [KEY]}
    assert found.outcome == KeyOutcome.REJECTED
    assert found.asked == f"GET {loopback.url}/models"
    assert quote(KEY) not in repr(found)


def test_what_a_base_url_may_hold_of_secrets_is_not_shown(loopback: Loopback) -> None:
    loopback.always(status=500)
    host = loopback.url.removeprefix("http://")

    found = check_key("openai", KEY, base_url=f"http://user:word@{host}/v1")

    assert "word" not in repr(found)
    assert found.asked == f"GET http://{host}/v1/models"


@pytest.mark.parametrize("words", ["a\nb\tc\x1b[31m", "x" * 5000, "\N{RIGHT-TO-LEFT OVERRIDE}abc"])
def test_a_providers_words_are_one_line_of_bearable_length_that_moves_no_cursor(words: str, loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": words}})

    found = _ask(check_key, "openai", loopback)

    assert found.said
    assert found.said.isprintable()
    assert len(found.said) <= 301


def test_all_is_said_in_one_line(loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": "No such key."}})

    assert str(_ask(check_key, "groq", loopback)) == (
        "groq: Groq does not accept the key. It says: No such key. "
        "Copy it again, or make a new one at https://console.groq.com/keys."
    )


# ------------------------------------------------------------------------------------------------ odd answers


@both
def test_an_endless_answer_is_not_read_to_its_end(check: Check, loopback: Loopback) -> None:
    loopback.always(chunks=["[", *(["1," * 500_000] * 10), 60.0])

    found = _ask(check, "openai", loopback)

    assert found.outcome == KeyOutcome.COULD_NOT_TELL
    assert "far too much" in found.reason


@both
def test_an_answer_that_cannot_be_unpacked_says_nothing_of_the_key(check: Check, loopback: Loopback) -> None:
    loopback.always(body="no gzip", headers={"content-encoding": "gzip"})

    found = _ask(check, "openai", loopback)

    assert found.outcome == KeyOutcome.COULD_NOT_TELL
    assert found.said == "the answer cannot be unpacked"


def test_a_judgement_needs_nobody_to_ask() -> None:
    answer = Answer(
        401, {"content-type": "application/json"}, b'{"error": {"message": "No.", "code": "invalid_api_key"}}'
    )

    found = judge(all_facts()["openai"], KEY, answer, asked="GET x", seconds=1.5, listing=True)

    assert found == KeyCheck(
        provider="openai",
        outcome=KeyOutcome.REJECTED,
        reason="OpenAI does not accept the key.",
        advice="Copy it again, or make a new one at https://platform.openai.com/api-keys.",
        said="No.",
        status=401,
        seconds=1.5,
        asked="GET x",
    )
