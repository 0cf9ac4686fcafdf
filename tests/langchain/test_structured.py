"""Answers of a form that the program gives."""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from homeostasis_llm import ChatHomeostasis, InvalidRequestError, JSONSchema, LLMResponse, Tool, ToolCall

from .providers import Scripted, Streaming

T = TypeVar("T")


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


class JokeDict(TypedDict):
    """A joke."""

    setup: str
    punchline: str


class Page(BaseModel, Generic[T]):
    items: list[T]


TOLD = {"setup": "Why?", "punchline": "So."}
SCHEMA = Joke.model_json_schema()
BY_TEXT = LLMResponse(content=json.dumps(TOLD))


def by_call(name: str) -> LLMResponse:
    return LLMResponse(content="", tool_calls=[ToolCall(name=name, arguments=dict(TOLD), id="c1")])


def answer_for(schema: Any, method: str) -> LLMResponse:
    name = schema["title"] if isinstance(schema, dict) else schema.__name__
    return by_call(name) if method == "function_calling" else BY_TEXT


every_method = pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
every_schema = pytest.mark.parametrize(
    ("schema", "read"), [(Joke, Joke(**TOLD)), (JokeDict, TOLD), (SCHEMA, TOLD)], ids=["pydantic", "typeddict", "dict"]
)


@every_method
@every_schema
def test_an_answer_is_read_into_its_form(schema: Any, read: object, method: Any) -> None:
    provider = Scripted(answer_for(schema, method))

    assert ChatHomeostasis(provider=provider).with_structured_output(schema, method=method).invoke("?") == read


@every_method
@every_schema
async def test_a_streamed_answer_is_read_into_its_form(schema: Any, read: object, method: Any) -> None:
    model = ChatHomeostasis(provider=Scripted(answer_for(schema, method)))
    structured = model.with_structured_output(schema, method=method)

    assert list(structured.stream("?"))[-1] == read
    assert [piece async for piece in structured.astream("?")][-1] == read


@every_method
@every_schema
def test_the_raw_answer_can_be_had_too(schema: Any, read: object, method: Any) -> None:
    model = ChatHomeostasis(provider=Scripted(answer_for(schema, method)))

    both: Any = model.with_structured_output(schema, method=method, include_raw=True).invoke("?")

    assert both["parsed"] == read
    assert both["parsing_error"] is None
    assert both["raw"].response_metadata["provider"] == "scripted"


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_an_answer_of_another_form_is_told_beside_the_raw_one(method: Any) -> None:
    model = ChatHomeostasis(provider=Scripted('{"setup": "Why?"}'))

    both: Any = model.with_structured_output(Joke, method=method, include_raw=True).invoke("?")

    assert both["parsed"] is None
    assert isinstance(both["parsing_error"], OutputParserException)
    assert both["raw"].text == '{"setup": "Why?"}'


def test_a_call_of_another_form_is_told_beside_the_raw_one() -> None:
    wrong = LLMResponse(content="", tool_calls=[ToolCall(name="Joke", arguments={"setup": "Why?"})])
    model = ChatHomeostasis(provider=Scripted(wrong))

    both: Any = model.with_structured_output(Joke, method="function_calling", include_raw=True).invoke("?")

    assert isinstance(both["parsing_error"], ValidationError)


def test_an_answer_of_another_form_is_an_error_where_nobody_looks_at_the_raw_one() -> None:
    with pytest.raises(OutputParserException):
        ChatHomeostasis(provider=Scripted("once upon a time")).with_structured_output(Joke).invoke("?")


def test_by_default_the_provider_is_given_the_schema() -> None:
    provider = Scripted(BY_TEXT)

    ChatHomeostasis(provider=provider).with_structured_output(Joke).invoke("?")

    [asked] = provider.asked
    assert isinstance(asked.response_format, JSONSchema)
    assert (asked.response_format.name, asked.response_format.strict) == ("Joke", None)
    assert asked.response_format.schema == SCHEMA
    assert asked.tools is None


def test_function_calling_offers_one_tool_and_requires_it() -> None:
    provider = Scripted(by_call("Joke"))

    ChatHomeostasis(provider=provider).with_structured_output(Joke, method="function_calling").invoke("?")

    [asked] = provider.asked
    assert [tool.name for tool in asked.tools or [] if isinstance(tool, Tool)] == ["Joke"]
    assert (asked.tool_choice, asked.response_format) == ("Joke", None)


@pytest.mark.parametrize("schema", [Joke, None])
def test_json_mode_asks_for_any_object(schema: Any) -> None:
    provider = Scripted(BY_TEXT)

    ChatHomeostasis(provider=provider).with_structured_output(schema, method="json_mode").invoke("?")

    assert provider.asked[0].response_format == "json"


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("strict", [True, False])
def test_strictness_is_passed_on(method: Any, strict: bool) -> None:
    provider = Scripted(answer_for(Joke, method))

    ChatHomeostasis(provider=provider).with_structured_output(Joke, method=method, strict=strict).invoke("?")

    [asked] = provider.asked
    form = asked.tools[0] if asked.tools else asked.response_format
    assert isinstance(form, Tool | JSONSchema)
    assert form.strict is strict
    schema = form.parameters if isinstance(form, Tool) else form.schema
    assert schema.get("additionalProperties") is (False if strict else None)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_schema_without_a_title_will_do(method: Any) -> None:
    bare = {key: found for key, found in SCHEMA.items() if key != "title"}
    provider = Scripted(by_call("answer") if method == "function_calling" else BY_TEXT)

    assert ChatHomeostasis(provider=provider).with_structured_output(bare, method=method).invoke("?") == TOLD


def test_a_schema_need_not_be_an_object() -> None:
    numbers = {"title": "Numbers", "type": "array", "items": {"type": "integer"}}
    provider = Scripted("[1, 2]")

    answer: Any = ChatHomeostasis(provider=provider).with_structured_output(numbers).invoke("?")

    assert answer == [1, 2]
    form = provider.asked[0].response_format
    assert isinstance(form, JSONSchema)
    assert form.schema == numbers


@pytest.mark.parametrize(
    "form",
    [
        {"name": "Joke", "schema": SCHEMA},
        {"type": "json_schema", "json_schema": {"name": "Joke", "schema": SCHEMA}},
        {"name": "Joke", "parameters": SCHEMA},
        {"type": "function", "function": {"name": "Joke", "parameters": SCHEMA}},
    ],
)
def test_a_schema_may_come_in_openais_wrappings(form: dict[str, Any]) -> None:
    provider = Scripted(BY_TEXT)

    assert ChatHomeostasis(provider=provider).with_structured_output(form).invoke("?") == TOLD
    sent = provider.asked[0].response_format
    assert isinstance(sent, JSONSchema)
    assert (sent.name, list(sent.schema["properties"])) == ("Joke", ["setup", "punchline"])


@pytest.mark.parametrize(
    "form",
    [
        {"name": "Joke", "schema": SCHEMA},
        {"type": "json_schema", "json_schema": {"name": "Joke", "schema": SCHEMA}},
        {"name": "Joke", "parameters": SCHEMA},
        {"type": "function", "function": {"name": "Joke", "parameters": SCHEMA}},
    ],
)
def test_openais_wrappings_do_for_function_calling_too(form: dict[str, Any]) -> None:
    provider = Scripted(by_call("Joke"))
    model = ChatHomeostasis(provider=provider).with_structured_output(form, method="function_calling")

    assert model.invoke("?") == TOLD
    [tool] = provider.asked[0].tools or []
    assert isinstance(tool, Tool)
    assert list(tool.parameters["properties"]) == ["setup", "punchline"]


def test_the_arguments_of_a_function_are_an_object() -> None:
    numbers = {"title": "Numbers", "type": "array", "items": {"type": "integer"}}

    with pytest.raises(InvalidRequestError, match="are an object, not of type 'array'; use json_schema"):
        ChatHomeostasis(provider=Scripted()).with_structured_output(numbers, method="function_calling")


class Node(BaseModel):
    name: str
    children: list[Node] = []


def test_a_class_may_refer_to_itself() -> None:
    provider = Scripted('{"name": "a", "children": [{"name": "b"}]}')

    tree = ChatHomeostasis(provider=provider).with_structured_output(Node).invoke("?")

    assert tree == Node(name="a", children=[Node(name="b")])
    form = provider.asked[0].response_format
    assert isinstance(form, JSONSchema)
    assert form.schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_a_name_that_providers_refuse_is_changed() -> None:
    provider = Scripted('{"items": [1]}')

    assert ChatHomeostasis(provider=provider).with_structured_output(Page[int]).invoke("?") == Page[int](items=[1])
    form = provider.asked[0].response_format
    assert isinstance(form, JSONSchema)
    assert form.name == "Page_int"


def test_pieces_of_a_form_grow_while_they_stream() -> None:
    model = ChatHomeostasis(provider=Streaming('{"setup": "W', 'hy?", "punch', 'line": "So."}'))

    pieces: list[Any] = list(model.with_structured_output(SCHEMA).stream("?"))

    assert pieces[0] == {"setup": "W"}
    assert pieces[-1] == TOLD


def test_further_parameters_are_bound_along() -> None:
    provider = Scripted(BY_TEXT)

    ChatHomeostasis(provider=provider).with_structured_output(Joke, temperature=0).invoke("?")

    assert provider.asked[0].temperature == 0


def test_a_method_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="method: must be one of function_calling, json_schema, json_mode"):
        ChatHomeostasis(provider=Scripted()).with_structured_output(Joke, method="magic")  # type: ignore[arg-type]  # is the test


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_method_that_needs_a_schema_says_so(method: Any) -> None:
    with pytest.raises(InvalidRequestError, match=f"method '{method}' needs a schema"):
        ChatHomeostasis(provider=Scripted()).with_structured_output(None, method=method)


@pytest.mark.parametrize("schema", [5, int])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_what_is_no_schema_is_refused(schema: Any, method: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"schema|tools\[0\]") as caught:
        ChatHomeostasis(provider=Scripted()).with_structured_output(schema, method=method)

    assert "\n" not in str(caught.value)
