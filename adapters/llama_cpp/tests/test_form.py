"""Answers of a given form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider

from homeostasis_llm import InvalidRequestError, InvalidResponseError, JSONSchema

from .asked import asked, tool

JOKE = {
    "type": "object",
    "properties": {"setup": {"type": "string"}, "punchline": {"type": "string"}},
    "required": ["setup", "punchline"],
    "additionalProperties": False,
}


def test_an_answer_has_the_form_of_its_schema(provider: LlamaCppProvider) -> None:
    response = provider.complete(asked("Tell me a joke about cats.", response_format=JSONSchema(schema=JOKE)))

    assert response.finish_reason == "stop"
    assert set(json.loads(response.content)) == {"setup", "punchline"}


def test_what_a_message_tells_is_put_into_the_form(provider: LlamaCppProvider) -> None:
    person = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "likes": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "age", "likes"],
        "additionalProperties": False,
    }

    response = provider.complete(asked("Bob is 42 and likes chess.", response_format=person))

    told = json.loads(response.content)
    assert (told["name"], told["age"]) == ("Bob", 42)


def test_json_of_no_particular_form_is_an_object_with_something_in_it(provider: LlamaCppProvider) -> None:
    question = (
        "Tell me a joke about cats. Return the result as a JSON with 'setup' and 'punchline' keys. "
        "Return nothing other than JSON."
    )

    pieces = list(provider.complete_stream(asked(question, response_format="json")))

    assert set(json.loads("".join(piece.text for piece in pieces))) == {"setup", "punchline"}


def test_the_form_is_kept_at_any_temperature(provider: LlamaCppProvider) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}

    for seed in range(3):
        response = provider.complete(asked("Hello", response_format=schema, temperature=3.0, seed=seed))
        assert json.loads(response.content) in ({"n": 1}, {"n": 2})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://json.example/schema"},
        {"type": "string", "pattern": "(?=x)"},
        {"type": "integer", "minimum": 5, "maximum": 3},
    ],
    ids=["elsewhere", "pattern", "impossible"],
)
def test_a_schema_that_nothing_can_be_held_to_is_refused(provider: LlamaCppProvider, schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=r"LLMRequest\.response_format: llama\.cpp cannot hold a model to"):
        provider.complete(asked("Hello", response_format=schema))


def test_so_is_one_of_a_tool(provider: LlamaCppProvider) -> None:
    lookahead = tool("look", "Look.", at="string")
    lookahead.parameters["properties"]["at"]["pattern"] = "(?=x)"

    with pytest.raises(InvalidRequestError, match=r"LLMRequest\.tools: the parameters of 'look': llama\.cpp cannot"):
        provider.complete(asked("Hello", tools=[lookahead], tool_choice="required"))


def test_an_answer_that_slips_through_a_detail_is_an_error_with_the_answer_on_it(provider: LlamaCppProvider) -> None:
    # llama.cpp does not know `not`.
    schema = {"type": "object", "properties": {"n": {"const": 1}}, "required": ["n"], "not": {"required": ["n"]}}

    with pytest.raises(InvalidResponseError, match="does not fit") as caught:
        provider.complete(asked("Hello", response_format=schema))

    assert caught.value.partial is not None
    assert json.loads(caught.value.partial.content)["n"] == 1


def test_an_answer_that_is_cut_off_is_handed_on_as_it_is(provider: LlamaCppProvider) -> None:
    response = provider.complete(asked("Tell me a joke.", response_format=JOKE, max_tokens=3))

    assert response.finish_reason == "length"
    assert response.content.startswith('{"')
