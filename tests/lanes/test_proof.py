"""The direct lane does what the full lane does, for the providers in `proven.toml`; for all others it is not taken.

Whoever mends or breaks the proof of a provider writes the table anew: `uv run python -m tests.lanes.prove`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest

from homeostasis_llm import LLMMessage, LLMRequest
from homeostasis_llm.catalog import all_facts
from homeostasis_llm.litellm_bridge.lanes import TABLE, proven

from ..loopback import Loopback
from ..wild.wild_records import WILD
from .answers import read_judgements, recordings
from .both import Outcome, Sent, answer_differences, asked, request_differences
from .proof import Proof
from .prove import table
from .requests import compared, provider_of
from .spoken import OPENAI

PROVEN = sorted(proven())

each_proven = pytest.mark.parametrize("litellm_name", PROVEN)
with_recordings = pytest.mark.skipif(
    not WILD.is_dir(), reason="the recordings are not beside the checkout: ../shared/wild"
)

pytestmark = [
    # What runtime.py silences for users; pytest puts its own filters in that place for each test.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]


@pytest.fixture(scope="module")
def proof() -> Iterator[Proof]:
    """One for all: a provider's client takes longer to make than an answer to read."""
    with Loopback() as loopback:
        proof = Proof(loopback)
        yield proof
        proof.close()


@pytest.fixture(scope="module")
def claimed(proof: Proof) -> dict[str, list[str]]:
    """What the direct lane says it can ask."""
    return proof.claimed()


def names_of(litellm_name: str) -> list[str]:
    """The catalog's."""
    return [facts.name for facts in all_facts().values() if facts.litellm_name == litellm_name]


@each_proven
def test_a_proven_provider_is_sent_the_same_on_both_lanes(litellm_name: str, proof: Proof) -> None:
    _check(proof.request_faults(litellm_name, names_of(litellm_name)))


@with_recordings
@each_proven
def test_what_a_proven_provider_sent_is_read_the_same_or_better_on_both_lanes(litellm_name: str, proof: Proof) -> None:
    _check(proof.answer_faults(names_of(litellm_name)))


def test_the_table_names_none_that_the_direct_lane_cannot_ask(claimed: dict[str, list[str]]) -> None:
    assert claimed.keys() >= proven(), f"run python -m tests.lanes.prove: {proven() - claimed.keys()}"


@with_recordings
def test_a_provider_that_can_be_asked_and_is_not_in_the_table_has_a_fault(
    claimed: dict[str, list[str]], proof: Proof
) -> None:
    mended = [name for name in claimed.keys() - proven() if next(proof.faults(name, claimed[name]), None) is None]

    assert not mended, f"now proven: run python -m tests.lanes.prove, for {mended}"


def test_the_table_is_written_by_the_proof() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(PROVEN)


@with_recordings
def test_every_judged_recording_is_there_and_has_a_verdict() -> None:
    known = {record["id"] for records in recordings().values() for record in records}
    judged = read_judgements()

    assert {row.verdict for row in judged} <= {"better", "equal", "worse"}
    assert {found for row in judged for found in row.ids if "-" not in found} <= known


# ------------------------------------------------------------------------------------------------ the proof can fail

SENT = Sent("POST", "/chat/completions?a=1", {"authorization": "Bearer a"}, json.dumps({"model": "m", "n": 1}), "full")


@pytest.mark.parametrize(
    ("altered", "told"),
    [
        ({"method": "PUT"}, "method: full 'POST', direct 'PUT'"),
        ({"url": "/chat/completions"}, "url: full '/chat/completions?a=1', direct '/chat/completions'"),
        ({"headers": {"authorization": "Bearer b"}}, "header authorization: full 'Bearer a', direct 'Bearer b'"),
        ({"headers": {}}, "header authorization: full 'Bearer a', direct None"),
        ({"body": '{"model": "m", "n": true}'}, "body n: full '1', direct 'true'"),
        ({"body": '{"model": "m", "n": 1.0}'}, "body n: full '1', direct '1.0'"),
        ({"body": '{"model": "m"}'}, "body n: full '1', direct None"),
        ({"body": '{"model": "m", "n": 1, "a": null}'}, "body a: full None, direct 'null'"),
        ({"body": "'no JSON'"}, """body: full '{"model": "m", "n": 1}', direct "'no JSON'\""""),
    ],
)
def test_a_request_that_differs_in_one_thing_is_found(altered: dict[str, object], told: str) -> None:
    other = dataclasses.replace(SENT, **altered)  # type: ignore[arg-type]  # by name

    assert list(request_differences(Outcome((SENT,)), Outcome((SENT,)))) == []
    assert list(request_differences(Outcome((SENT,)), Outcome((other,)))) == [told]


def test_a_request_that_is_sent_on_one_lane_only_is_found() -> None:
    assert list(request_differences(Outcome((SENT,)), Outcome(()))) == ["full sent 1 requests, direct 0"]


def test_a_provider_that_is_sent_nothing_at_all_is_not_proven(loopback: Loopback) -> None:
    unsuitable = {"messages": [LLMMessage(role="user", content="Hi")], "extra": {"stream": True}}
    planned = [("m", "what is refused", unsuitable, (False, False))]

    assert list(compared("groq", provider_of("groq", loopback.url), planned, loopback)) == ["groq: nothing was sent"]


def test_what_was_really_sent_and_answered_is_compared(loopback: Loopback) -> None:
    loopback.always(json=OPENAI.answer)
    first = asked(provider_of("groq", loopback.url), _asking(0.5), loopback, stream=False)
    loopback.always(json={**OPENAI.answer, "model": "another"})
    second = asked(provider_of("groq", loopback.url), _asking(0.6), loopback, stream=False)

    assert list(request_differences(first, second)) == ["body temperature: full '0.5', direct '0.6'"]
    assert answer_differences(first, second) == {"model": ("some-model", "another")}


def _asking(temperature: float) -> LLMRequest:
    return LLMRequest(messages=[LLMMessage(role="user", content="Hi")], model="m", temperature=temperature)


def _check(faults: Iterator[str]) -> None:
    found = list(faults)
    assert not found, "\n".join((f"{len(found)} differences:", *found[:20]))
