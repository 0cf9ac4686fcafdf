"""Tools and the choice of one, in all the forms that LangChain's users write."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableBinding
from langchain_core.tools import tool
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from homeostasis_llm import ChatHomeostasis, InvalidRequestError, LLMRequest, Tool

from .providers import Scripted

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def add(a: int) -> int:
    """Add one."""
    return a + 1


@tool("add")
def add_tool(a: int) -> int:
    """Add one."""
    return a + 1


class Add(BaseModel):
    """Add one."""

    a: int = Field(description="what to add to")


class AddDict(TypedDict):
    """Add one."""

    a: int


def asked(tools: list[Any], **options: Any) -> LLMRequest:
    provider = Scripted()
    ChatHomeostasis(provider=provider).bind_tools(tools, **options).invoke("hi")
    return provider.asked[0]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (add, "add"),
        (add_tool, "add"),
        (Add, "Add"),
        (AddDict, "AddDict"),
        ({"type": "function", "function": {"name": "add", "description": "Add one.", "parameters": SCHEMA}}, "add"),
        ({"type": "function", "name": "add", "description": "Add one.", "parameters": SCHEMA}, "add"),
        ({"name": "add", "description": "Add one.", "parameters": SCHEMA}, "add"),
        ({"name": "add", "description": "Add one.", "input_schema": SCHEMA}, "add"),
        ({"type": "custom", "name": "add", "description": "Add one.", "input_schema": SCHEMA}, "add"),
        ({"toolSpec": {"name": "add", "description": "Add one.", "inputSchema": {"json": SCHEMA}}}, "add"),
        ({"title": "add", "description": "Add one.", **SCHEMA}, "add"),
    ],
)
def test_a_tool_may_be_given_in_many_forms(given: Any, name: str) -> None:
    [offered] = asked([given]).tools or []

    assert isinstance(offered, Tool)
    assert (offered.name, offered.description) == (name, "Add one.")
    assert offered.parameters["properties"]["a"]["type"] == "integer"
    assert offered.parameters["required"] == ["a"]


# LangChain itself calls `as_tool` unfinished.
@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_a_chain_can_be_a_tool() -> None:
    chain = ChatPromptTemplate.from_template("Greet {who}.") | ChatHomeostasis(provider=Scripted()) | StrOutputParser()

    [offered] = asked([chain.as_tool(name="greet", description="Greet somebody.")]).tools or []

    assert isinstance(offered, Tool)
    assert (offered.name, list(offered.parameters["properties"])) == ("greet", ["who"])


@pytest.mark.parametrize(
    "own",
    [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        {"type": "web_search_preview"},
        {"type": "mcp", "server_label": "x", "server_url": "https://x.example"},
        {"google_search": {}},
        {"type": "custom", "name": "code", "format": {"type": "text"}},
    ],
)
def test_a_providers_own_tool_is_passed_on_as_it_is(own: dict[str, Any]) -> None:
    assert asked([own, add]).tools == [own, *(asked([add]).tools or [])]


@pytest.mark.parametrize("strict", [True, False])
def test_strictness_is_passed_on(strict: bool) -> None:
    [offered] = asked([add], strict=strict).tools or []

    assert isinstance(offered, Tool)
    assert offered.strict is strict
    assert offered.parameters.get("additionalProperties") is (False if strict else None)


@pytest.mark.parametrize("several", [True, False])
def test_whether_several_calls_may_come_at_once_is_passed_on(several: bool) -> None:
    assert asked([add], parallel_tool_calls=several).parallel_tool_calls is several


@pytest.mark.parametrize("alone", [True, False])
def test_anthropics_wish_for_one_call_at_a_time_is_passed_on(alone: bool) -> None:
    request = asked([add], tool_choice={"type": "any", "disable_parallel_tool_use": alone})

    assert (request.tool_choice, request.parallel_tool_calls) == ("required", not alone)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        (False, None),
        ("", None),
        ("auto", "auto"),
        ("none", "none"),
        ("any", "required"),
        ("required", "required"),
        (True, "required"),
        ("add", "add"),
        ({"type": "function", "function": {"name": "add"}}, "add"),
        ({"type": "function", "name": "add"}, "add"),
        ({"type": "tool", "name": "add"}, "add"),
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
    ],
)
def test_a_choice_of_tool_may_be_spelled_in_many_ways(choice: Any, sent: str | None) -> None:
    assert asked([add], tool_choice=choice).tool_choice == sent


def test_tools_and_a_choice_may_come_with_a_call() -> None:
    provider = Scripted()

    ChatHomeostasis(provider=provider).invoke("hi", tools=[add], tool_choice="any")

    [request] = provider.asked
    assert [offered.name for offered in request.tools or [] if isinstance(offered, Tool)] == ["add"]
    assert request.tool_choice == "required"


@pytest.mark.parametrize("choice", ["sub", {"type": "function", "function": {"name": "sub"}}])
def test_a_choice_of_a_tool_that_is_not_there_is_refused_at_once(choice: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"tool_choice: there is no tool 'sub' among \['add'\]") as caught:
        ChatHomeostasis(provider=Scripted()).bind_tools([add], tool_choice=choice)

    assert isinstance(caught.value, ModelInvalidRequestError)


def test_a_providers_own_tool_may_be_chosen_by_its_name() -> None:
    own = {"type": "web_search_20250305", "name": "web_search"}

    assert asked([own], tool_choice="web_search").tool_choice == "web_search"


@pytest.mark.parametrize("choice", [5, {"type": "allowed_tools"}, ["add"]])
def test_a_choice_that_is_none_is_refused(choice: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^tool_choice: must be 'auto'"):
        ChatHomeostasis(provider=Scripted()).bind_tools([add], tool_choice=choice)


@pytest.mark.parametrize("given", [5, {"type": "object", "properties": {}}, {"type": "function"}])
def test_what_is_no_tool_is_refused_by_its_place(given: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^tools\[1\]: ") as caught:
        ChatHomeostasis(provider=Scripted()).bind_tools([add, given])

    assert "\n" not in str(caught.value)


def test_no_tools_are_no_tools() -> None:
    assert asked([]).tools is None


def test_further_parameters_are_bound_along() -> None:
    request = asked([add], temperature=0)

    assert request.temperature == 0


def test_what_is_bound_is_a_binding_that_can_be_bound_further() -> None:
    bound = ChatHomeostasis(provider=Scripted()).bind_tools([add])

    assert isinstance(bound, RunnableBinding)
    assert isinstance(bound.bind(temperature=0), RunnableBinding)
