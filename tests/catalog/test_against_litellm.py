"""The catalog says what litellm does: its rows are compared with what litellm sends, wants, takes and lists."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest

from homeostasis_llm.catalog import ProviderFacts, all_facts
from homeostasis_llm.litellm_names import litellm_names, openai_like
from tests.catalog.disagreements import JUDGED, NOT_LISTED, NOT_READ, NOT_REFUSED, REFUSED, Disagreement, Field
from tests.catalog.page import PAGE, litellms, ours, written_with
from tests.catalog.price_list import priced
from tests.catalog.told import ask_litellm

NOT_ASKED = {"vertex_ai": "litellm asks it only where Google's SDK is installed"}
"""Rows for which no request was sent."""

EXCHANGED = {"watsonx": "the key is exchanged for a token, which is then shown"}

STILL_SERVED = "2027-07-01"
"""A default model is not withdrawn before that day, as far as litellm's price list tells."""

PARAMETERS: dict[Field, str] = {"tools": "supports_function_calling", "response_format": "supports_response_schema"}
"""Parameters of a request, and what the price list calls a model's being able to take them."""


@pytest.fixture(scope="module")
def asked() -> Any:
    """What litellm tells: seconds of work, so that all comparisons are in this file, and share it."""
    return ask_litellm()


def _sent(told: dict[str, Any]) -> dict[str, Any]:
    """The last request, which is the one for an answer; what came before asked for a token or about the model."""
    assert told["sent"], told["error"]
    request: dict[str, Any] = told["sent"][-1]
    return request


def _name(value: object) -> str:
    return value.name if isinstance(value, ProviderFacts) else str(value)


def _rows(*without: str) -> list[ProviderFacts]:
    return [facts for facts in all_facts().values() if facts.name not in without]


# ---------------------------------------------------------------------------------------------------- the comparison


def _of_addresses(facts: ProviderFacts, told: Any) -> set[Disagreement]:
    found = set()
    url = _sent(told["plain"])["url"]
    if facts.base_url is not None and not url.startswith(f"{facts.base_url}/"):
        found.add(Disagreement(facts.name, "base_url", facts.base_url, url.removesuffix("/chat/completions")))
    for variable in facts.base_url_env:
        if not _sent(told["bases"][variable])["url"].startswith("https://gateway.example/elsewhere"):
            found.add(Disagreement(facts.name, "base_url_env", variable, NOT_READ))
    read = openai_like().get(facts.litellm_name, {}).get("api_base_env")
    if read is not None and read not in facts.base_url_env:
        found.add(Disagreement(facts.name, "base_url_env", "-", read))
    return found


def _of_keys(facts: ProviderFacts, told: Any) -> set[Disagreement]:
    found = set()
    key = "a-token-for-the-key" if facts.name in EXCHANGED else "the-key"
    for variable in facts.env:
        shown = [value for request in told["keys"][variable]["sent"] for value in request["headers"].values()]
        if not any(value.endswith(key) for value in shown):
            found.add(Disagreement(facts.name, "env", variable, NOT_READ))
    return found


def _of_wants(facts: ProviderFacts, told: Any) -> set[Disagreement]:
    others = {*told["wanted"]} - {*facts.env, *facts.base_url_env}
    return {Disagreement(facts.name, "env", "-", variable) for variable in others}


def _of_models(facts: ProviderFacts, told: Any) -> set[Disagreement]:
    found = set()
    row = priced(facts)
    if facts.default_model is not None and row is None:
        found.add(Disagreement(facts.name, "default_model", facts.default_model, NOT_LISTED))
    if told["params"] is None:  # litellm does not say, and takes what it is given
        return found
    for parameter, ability in PARAMETERS.items():
        taken, says = parameter in told["params"], (row or {}).get(ability)
        if taken and says is False:
            found.add(Disagreement(facts.name, parameter, "taken", "no, says the price list"))
        elif not taken and says is not False:
            found.add(Disagreement(facts.name, parameter, NOT_REFUSED, REFUSED))
    return found


@pytest.mark.parametrize("facts", _rows(), ids=_name)
def test_the_row_and_litellm_disagree_only_where_that_is_judged(facts: ProviderFacts, asked: Any) -> None:
    told = asked["rows"][facts.name]
    found = _of_wants(facts, told) | _of_models(facts, told)
    if facts.name not in NOT_ASKED:
        found |= _of_addresses(facts, told) | _of_keys(facts, told)
    judged = {one for one in JUDGED if one.row == facts.name}

    assert found - judged == set(), "new: decide who is right"
    assert judged - found == set(), "no more: take it from the list"


def test_every_exception_is_of_a_row() -> None:
    assert {*NOT_ASKED, *EXCHANGED, *(one.row for one in JUDGED)} <= all_facts().keys()


# ------------------------------------------------------------------------------------------- what has no disagreement


@pytest.mark.parametrize(
    ("name", "path"), [("ollama", "/api/chat"), ("cohere", "/v2/chat"), ("ai21", "/v1/chat/completions")]
)
def test_litellm_takes_the_route_for_chat_where_it_has_an_older_one(name: str, path: str, asked: Any) -> None:
    assert _sent(asked["rows"][name]["plain"])["url"].endswith(path)


@pytest.mark.parametrize("facts", _rows(*NOT_ASKED), ids=_name)
def test_litellm_asks_for_the_default_model_of_the_row(facts: ProviderFacts, asked: Any) -> None:
    request = _sent(asked["rows"][facts.name]["plain"])
    model = facts.default_model or "some-model"

    assert (request["body"] or {}).get("model", model) == model
    assert model in json.dumps(request["body"]) + request["url"].replace("%3A", ":")


@pytest.mark.parametrize("facts", _rows(*NOT_ASKED, *EXCHANGED), ids=_name)
def test_litellm_shows_the_key_as_the_row_says(facts: ProviderFacts, asked: Any) -> None:
    request = _sent(asked["rows"][facts.name]["plain"])
    kind, _, header = facts.auth.partition(":")
    # A key of Bedrock's is a bearer's; without one, requests are signed.
    expected = ("authorization", "Bearer the-key") if kind in {"bearer", "aws"} else (header, "the-key")

    assert expected in request["headers"].items()
    assert "the-key" not in request["url"]


@pytest.mark.parametrize("facts", [facts for facts in _rows() if priced(facts)], ids=_name)
def test_the_default_model_chats_and_is_not_about_to_be_withdrawn(facts: ProviderFacts) -> None:
    row = priced(facts) or {}

    assert row["mode"] == "chat"
    assert row.get("deprecation_date", STILL_SERVED) >= STILL_SERVED


def test_litellms_names_are_read_without_importing_it(asked: Any) -> None:
    assert sorted(litellm_names()) == asked["names"]


# ----------------------------------------------------------------------------------------------------------- the page


def test_the_page_tells_what_the_catalog_tells() -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(ours()), "run: python -m tests.catalog.page"


@pytest.mark.skipif(
    written_with(PAGE.read_text(encoding="utf-8")) != version("litellm"),
    reason="the page was written with another version of litellm, whose data differ: python -m tests.catalog.page",
)
def test_the_page_tells_what_this_litellm_tells(asked: Any) -> None:
    assert PAGE.read_text(encoding="utf-8") == ours() + litellms(asked), "run: python -m tests.catalog.page"
