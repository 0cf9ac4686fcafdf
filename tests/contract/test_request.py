"""What may be asked of a model, in which forms, and what is refused before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm import JSONSchema, LLMMessage, LLMRequest, Timeout, Tool
from homeostasis_llm.request import check_schema

from .refusals import refusal

HELLO = LLMMessage("user", "hello")
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}

# Types are wrong here on purpose.
request: Any = LLMRequest
tool: Any = Tool
json_schema: Any = JSONSchema
timeout: Any = Timeout


def ask(**parameters: Any) -> LLMRequest:
    return LLMRequest([HELLO], **parameters)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        # Messages.
        (lambda: request([]), "LLMRequest.messages: list should have at least 1 item"),
        (request, "LLMRequest.messages: field required"),
        (lambda: request(None), "LLMRequest.messages: "),
        (lambda: request("hello"), "LLMRequest.messages: input should be a valid list, got 'hello'"),
        (lambda: request(["hello"]), "LLMRequest.messages[0]: "),
        (lambda: request([HELLO, {"role": "robot"}]), "LLMRequest.messages[1].role: input should be 'system', 'user'"),
        (
            lambda: request([{"role": "user", "contnt": "x"}]),
            "LLMRequest.messages[0].contnt: unexpected keyword argument",
        ),
        (lambda: request([HELLO, {"role": "tool"}]), "LLMRequest.messages[1]: LLMMessage.tool_call_id: "),
        # Numbers.
        (lambda: ask(max_tokens=-1), "LLMRequest.max_tokens: input should be greater than 0, got -1"),
        (lambda: ask(max_tokens=0), "LLMRequest.max_tokens: input should be greater than 0, got 0"),
        (lambda: ask(max_tokens=0.5), "LLMRequest.max_tokens: "),
        (lambda: ask(max_tokens="many"), "LLMRequest.max_tokens: "),
        (lambda: ask(temperature=float("nan")), "LLMRequest.temperature: input should be a finite number, got nan"),
        (lambda: ask(temperature=float("inf")), "LLMRequest.temperature: input should be a finite number, got inf"),
        (lambda: ask(temperature=-0.1), "LLMRequest.temperature: "),
        (lambda: ask(temperature="hot"), "LLMRequest.temperature: "),
        (lambda: ask(top_p=1.1), "LLMRequest.top_p: "),
        (lambda: ask(top_p=-0.1), "LLMRequest.top_p: "),
        (lambda: ask(top_p=float("nan")), "LLMRequest.top_p: "),
        (lambda: ask(seed=1.5), "LLMRequest.seed: "),
        # Words.
        (lambda: ask(model=""), "LLMRequest.model: "),
        (lambda: ask(model=5), "LLMRequest.model: "),
        (lambda: ask(reasoning_effort=""), "LLMRequest.reasoning_effort: "),
        (lambda: ask(stop=""), "LLMRequest.stop[0]: "),
        (lambda: ask(stop=["a", ""]), "LLMRequest.stop[1]: "),
        (lambda: ask(stop=5), "LLMRequest.stop: "),
        (lambda: ask(system_prompt="\udcff"), "LLMRequest.system_prompt: has half a character at position 0"),
        (lambda: ask(parallel_tool_calls="maybe"), "LLMRequest.parallel_tool_calls: "),
        (lambda: ask(temprature=0.5), "LLMRequest.temprature: unexpected keyword argument, got 0.5"),
        (lambda: ask(**{"two\nlines": 1}), "LLMRequest.two lines: unexpected keyword argument"),
        # Tools.
        (lambda: ask(tools=["add"]), "LLMRequest.tools[0]: "),
        (
            lambda: ask(tools=[Tool("add"), {"type": "function", "function": {}}]),
            "LLMRequest.tools[1]: Tool.name: field",
        ),
        (lambda: ask(tools=[{"type": "x", "y": {1}}]), "LLMRequest.tools[0]: cannot be sent as JSON: "),
        (
            lambda: ask(tools=[{"type": "function", "function": {"name": "add", "parameters": {"type": "thing"}}}]),
            "LLMRequest.tools[0]: Tool.parameters of 'add': is no JSON schema: 'thing'",
        ),
        (lambda: tool(""), "Tool.name: "),
        (
            lambda: tool("add", parameters={"type": "thing"}),
            "Tool.parameters of 'add': is no JSON schema: 'thing' is not",
        ),
        (lambda: tool("add", parameters={"default": {1}}), "Tool.parameters of 'add': cannot be sent as JSON: "),
        (lambda: tool("add", parameters="{}"), "Tool.parameters: "),
        (lambda: ask(tool_choice="required"), "LLMRequest.tool_choice: is 'required', but there are no tools"),
        (
            lambda: ask(tool_choice="required", tools=[]),
            "LLMRequest.tool_choice: is 'required', but there are no tools",
        ),
        (
            lambda: ask(tool_choice="divide", tools=[Tool("add")]),
            "LLMRequest.tool_choice: must be auto, none, required or one of ['add'], got 'divide'",
        ),
        (lambda: ask(tool_choice=5, tools=[Tool("add")]), "LLMRequest.tool_choice: "),
        # The form of the answer.
        (lambda: ask(response_format="xml"), "LLMRequest.response_format: input should be 'text' or 'json', got 'xml'"),
        (lambda: ask(response_format=5), "LLMRequest.response_format: "),
        (
            lambda: ask(response_format={"type": "thing"}),
            "LLMRequest.response_format: JSONSchema.schema: is no JSON schema",
        ),
        (lambda: ask(response_format={"properties": []}), "LLMRequest.response_format: JSONSchema.schema: is no JSON"),
        (
            lambda: ask(response_format={"type": "json_schema", "json_schema": {"name": "n"}}),
            "LLMRequest.response_format: JSONSchema.schema: field required",
        ),
        (lambda: json_schema({"required": "a"}), "JSONSchema.schema: is no JSON schema: 'a' is not of type 'array'"),
        (lambda: json_schema({"properties": {"a\nb": {"type": 5}}}), "JSONSchema.schema: is no JSON schema: 5 is not"),
        (lambda: json_schema({"default": float("inf")}), "JSONSchema.schema: cannot be sent as JSON: "),
        (lambda: json_schema({"title": "\udcff"}), "JSONSchema.schema: cannot be sent as JSON: "),
        (lambda: json_schema("{}"), "JSONSchema.schema: input should be a valid dictionary, got '{}'"),
        # Waiting.
        (lambda: ask(timeout=0), "LLMRequest.timeout: input should be greater than 0, got 0"),
        (lambda: ask(timeout=-1), "LLMRequest.timeout: "),
        (lambda: ask(timeout=float("inf")), "LLMRequest.timeout: "),
        (lambda: ask(timeout="long"), "LLMRequest.timeout: "),
        (lambda: ask(timeout={"connect": -1}), "LLMRequest.timeout.connect: "),
        (lambda: ask(timeout={"conect": 1}), "LLMRequest.timeout.conect: unexpected keyword argument"),
        (lambda: timeout(total=0), "Timeout.total: "),
        # Everything else.
        (lambda: ask(extra={"a": {1}}), "LLMRequest.extra: cannot be sent as JSON: "),
        (lambda: ask(extra={"a": float("nan")}), "LLMRequest.extra: cannot be sent as JSON: "),
        (lambda: ask(extra={"a": b"bytes"}), "LLMRequest.extra: cannot be sent as JSON: "),
        (lambda: ask(extra=None), "LLMRequest.extra: "),
        (lambda: ask(extra={5: 1}), "LLMRequest.extra[5]: "),
    ],
)
def test_bad_input_is_refused_by_its_field(make: Callable[[], object], said: str) -> None:
    assert refusal(make).startswith(said)


def test_a_schema_that_refers_to_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["default"] = [endless]

    assert refusal(lambda: ask(extra=endless)).startswith("LLMRequest.extra: cannot be sent as JSON: ")


def test_a_long_schema_is_not_repeated_in_full() -> None:
    assert len(refusal(lambda: json_schema({"type": "x" * 1_000_000}))) < 500


@given(st.integers())
def test_any_number_of_tokens_above_zero_is_taken(number: int) -> None:
    if number > 0:
        assert ask(max_tokens=number).max_tokens == number
    else:
        assert refusal(lambda: ask(max_tokens=number)).startswith("LLMRequest.max_tokens: ")


@given(st.floats())
def test_any_temperature_that_is_a_number_from_zero_on_is_taken(temperature: float) -> None:
    if 0 <= temperature < float("inf"):
        assert ask(temperature=temperature).temperature == temperature
    else:
        assert refusal(lambda: ask(temperature=temperature)).startswith("LLMRequest.temperature: ")


def test_the_system_prompt_is_said_before_all_messages() -> None:
    rule = LLMMessage("system", "Say less.")
    asked = LLMRequest([rule, HELLO], system_prompt="Be brief.")

    assert asked.conversation() == [LLMMessage("system", "Be brief."), rule, HELLO]
    assert asked.messages == [rule, HELLO]


def test_without_a_system_prompt_the_conversation_is_the_messages() -> None:
    asked = ask()

    assert asked.conversation() == [HELLO]
    asked.conversation().clear()
    assert asked.messages == [HELLO]


def test_an_empty_system_prompt_is_said_all_the_same() -> None:
    assert ask(system_prompt="").conversation() == [LLMMessage("system", ""), HELLO]


def test_a_word_to_stop_at_is_a_list_of_one() -> None:
    assert ask(stop="END").stop == ["END"]
    assert ask(stop="\n").stop == ["\n"]


@pytest.mark.parametrize(
    "given",
    [
        Tool("add", "Add.", SCHEMA, strict=True),
        {"type": "function", "function": {"name": "add", "description": "Add.", "parameters": SCHEMA, "strict": True}},
        {"name": "add", "description": "Add.", "parameters": SCHEMA, "strict": True},
    ],
    ids=["value", "chat-completions", "fields"],
)
def test_a_tool_may_have_any_common_form(given: Any) -> None:
    assert ask(tools=[given]).tools == [Tool("add", "Add.", SCHEMA, strict=True)]


def test_what_a_tool_does_not_say_is_not_made_up() -> None:
    asked = ask(tools=[{"type": "function", "function": {"name": "now", "description": None, "parameters": None}}])

    assert asked.tools == [Tool("now")]
    assert Tool("now").parameters == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "own",
    [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        {"name": "add", "input_schema": SCHEMA},
        {"googleSearch": {}},
        {"type": "function"},
    ],
)
def test_a_providers_own_tool_stays_as_it_is(own: dict[str, Any]) -> None:
    asked = ask(tools=[own, Tool("add")])

    assert asked.tools == [own, Tool("add")]


@pytest.mark.parametrize("choice", [None, "auto", "none", "required", "add"])
def test_a_tool_may_be_chosen(choice: str | None) -> None:
    assert ask(tools=[Tool("add")], tool_choice=choice).tool_choice == choice


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_without_tools_there_is_nothing_to_choose_from(choice: str | None) -> None:
    assert ask(tool_choice=choice).tool_choice == choice


def test_a_providers_own_tool_may_be_chosen_by_a_name_only_the_provider_knows() -> None:
    assert ask(tools=[{"googleSearch": {}}], tool_choice="search").tool_choice == "search"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ("text", "text"),
        ("json", "json"),
        ({"type": "text"}, "text"),
        ({"type": "json_object"}, "json"),
        (SCHEMA, JSONSchema(SCHEMA)),
        ({}, JSONSchema({})),
        (JSONSchema(SCHEMA, "sum"), JSONSchema(SCHEMA, "sum")),
        ({"schema": SCHEMA, "name": "sum", "strict": True}, JSONSchema(SCHEMA, "sum", strict=True)),
        (
            {"type": "json_schema", "json_schema": {"name": "sum", "schema": SCHEMA, "strict": True}},
            JSONSchema(SCHEMA, "sum", strict=True),
        ),
        ({"type": "json_schema", "json_schema": {"name": None, "schema": SCHEMA}}, JSONSchema(SCHEMA)),
        ({"properties": {"schema": {"type": "string"}}}, JSONSchema({"properties": {"schema": {"type": "string"}}})),
    ],
)
def test_the_form_of_an_answer_may_be_asked_for_in_any_common_way(given: Any, read: object) -> None:
    assert ask(response_format=given).response_format == read


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": ["string", "null"], "enum": ["a", None]},
        {"$defs": {"a": {"type": "integer"}}, "$ref": "#/$defs/a"},
        {"type": "object", "x-own-word": {"anything": [1]}, "additionalProperties": False},
    ],
)
def test_a_schema_of_any_shape_is_one(schema: dict[str, Any]) -> None:
    check_schema(schema, "schema")

    assert JSONSchema(schema).schema == schema


@pytest.mark.parametrize(
    ("given", "read"),
    [(30, 30.0), (0.5, 0.5), (Timeout(connect=1), Timeout(connect=1)), ({"total": 5}, Timeout(total=5)), (None, None)],
)
def test_waiting_may_be_one_number_or_each_wait_by_itself(given: Any, read: object) -> None:
    assert ask(timeout=given).timeout == read


def test_a_prompt_of_two_megabytes_is_taken_as_it_is() -> None:
    prompt = "лама " * 400_000

    asked = LLMRequest([LLMMessage("user", prompt)], system_prompt=prompt)

    # Not even copied: neither checking nor nesting costs by the length.
    assert asked.messages[0].content is prompt
    assert asked.system_prompt is prompt


def test_a_request_of_the_original_clients_is_taken() -> None:
    asked = LLMRequest(
        messages=[LLMMessage(role="user", content="Fix this.")],
        model=None,
        max_tokens=2000,
        temperature=0.1,
        system_prompt=None,
    )

    assert (asked.messages[0].content, asked.model, asked.max_tokens) == ("Fix this.", None, 2000)
    assert (asked.temperature, asked.system_prompt) == (0.1, None)
