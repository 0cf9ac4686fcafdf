"""Tools, for a model whose template has no place for them."""

from __future__ import annotations

import json

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider

from homeostasis_llm import LLMMessage, LLMRequest, LLMResponse, Tool, ToolCall

from .asked import ADDER, CAPITAL, WEATHER, asked, tool

MAGIC = Tool(
    name="magic_function",
    description="Apply a magic function to an input.",
    parameters={
        "type": "object",
        "properties": {"input": {"type": "integer", "exclusiveMinimum": -1000, "exclusiveMaximum": 1000}},
        "required": ["input"],
    },
)
CUSTOMER = tool(
    "unicode_customer", "Tool for creating a customer with Unicode name.", customer_name="string", description="string"
)


def only_call(response: LLMResponse) -> ToolCall:
    assert response.content == ""
    assert (response.finish_reason, response.metadata["finish_reason"]) == ("tool_calls", "tool_calls")
    (call,) = response.tool_calls
    return call


@pytest.mark.parametrize("choice", ["required", "magic_function"])
def test_a_required_call_has_the_arguments_of_the_message(provider: LlamaCppProvider, choice: str) -> None:
    question = "What is the value of magic_function(3)? Use the tool."

    call = only_call(provider.complete(asked(question, tools=[MAGIC], tool_choice=choice)))

    assert (call.name, call.arguments, call.invalid_arguments) == ("magic_function", {"input": 3}, None)
    assert call.id


def test_in_a_stream_a_call_comes_in_pieces_and_never_as_text(provider: LlamaCppProvider) -> None:
    request = asked("What is 1 + 2?", tools=[ADDER], tool_choice="required")

    pieces = list(provider.complete_stream(request))

    assert "".join(piece.text for piece in pieces) == ""
    fragments = [fragment for piece in pieces for fragment in piece.tool_calls]
    assert fragments[0].name == "my_adder_tool"
    assert fragments[0].id
    assert len(fragments) > 3
    assert json.loads("".join(fragment.arguments for fragment in fragments)) == {"a": 1, "b": 2}
    assert pieces[-1].usage is not None


def test_even_a_greeting_gets_the_call_that_is_named(provider: LlamaCppProvider) -> None:
    call = only_call(provider.complete(asked("Hello!", tools=[MAGIC, WEATHER], tool_choice="magic_function")))

    assert call.name == "magic_function"
    assert isinstance(call.arguments["input"], int)


def test_of_several_tools_the_one_that_fits_is_called(provider: LlamaCppProvider) -> None:
    offered = [WEATHER, ADDER]

    for question, name in (("Add 17 and 25.", ADDER.name), ("Will it be sunny in Rome?", WEATHER.name)):
        response = provider.complete(asked(question, tools=offered, tool_choice="required", max_tokens=1))
        assert [call.name for call in response.tool_calls] == [name]


def test_a_tool_without_parameters_is_called_without_arguments(provider: LlamaCppProvider) -> None:
    bare = Tool(name="magic_function_no_args", description="Calculate a magic function.")

    call = only_call(provider.complete(asked("Use the tool.", tools=[bare], tool_choice="required")))

    assert (call.arguments, call.invalid_arguments) == ({}, None)


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("你好啊集团", "(Hello Group) - a Chinese technology company"),
        ("こんにちは株式会社", "(Hello Corporation) - a Japanese company"),
    ],
    ids=["Chinese", "Japanese"],
)
def test_names_in_other_scripts_arrive_as_they_are(provider: LlamaCppProvider, name: str, who: str) -> None:
    question = f"Create a customer named '{name}' {who}"

    call = only_call(provider.complete(asked(question, tools=[CUSTOMER], tool_choice="required", max_tokens=60)))

    assert call.arguments["customer_name"] == name


@pytest.mark.parametrize(
    ("question", "needs_tool"),
    [
        ("What is the weather in San Francisco, CA?", True),
        ("How warm is it in Paris today?", True),
        ("Hello!", False),
        (CAPITAL, False),
    ],
)
def test_the_model_chooses_between_text_and_a_call(provider: LlamaCppProvider, question: str, needs_tool: bool) -> None:
    response = provider.complete(asked(question, tools=[WEATHER], max_tokens=12))

    assert bool(response.tool_calls) == needs_tool
    assert bool(response.content) != needs_tool


def test_what_choosing_took_is_counted(provider: LlamaCppProvider) -> None:
    plain = provider.complete(asked(CAPITAL)).usage
    chosen = provider.complete(asked(CAPITAL, tools=[WEATHER])).usage

    assert plain is not None
    assert chosen is not None
    assert (chosen.input_tokens or 0) > (plain.input_tokens or 0)
    assert (chosen.output_tokens or 0) > (plain.output_tokens or 0)


def test_with_the_choice_of_none_there_is_text(provider: LlamaCppProvider) -> None:
    request = asked("What is the weather in Rome?", tools=[WEATHER], tool_choice="none", max_tokens=8)

    response = provider.complete(request)

    assert response.content
    assert response.tool_calls == []


QUESTION = LLMMessage(role="user", content="What is the weather in San Francisco, CA?")


def test_an_agents_loop_ends_in_text(provider: LlamaCppProvider) -> None:
    first = provider.complete(LLMRequest(messages=[QUESTION], tools=[WEATHER]))
    result = LLMMessage(role="tool", content="It's sunny.", tool_call_id=only_call(first).id)

    messages = [QUESTION, first.to_message(), result]
    last = provider.complete(LLMRequest(messages=messages, tools=[WEATHER], max_tokens=40))

    assert last.tool_calls == []
    assert "sunny" in last.content


def test_so_it_does_when_the_tool_failed(provider: LlamaCppProvider) -> None:
    call = LLMMessage(role="assistant", tool_calls=[ToolCall(name=WEATHER.name, arguments={"location": "?"}, id="1")])
    result = LLMMessage(role="tool", content="no such place", tool_call_id="1", is_error=True)

    last = provider.complete(LLMRequest(messages=[QUESTION, call, result], tools=[WEATHER], max_tokens=20))

    assert last.tool_calls == []
    assert last.content


def test_after_the_answer_a_new_question_may_call_again(provider: LlamaCppProvider) -> None:
    messages = [
        LLMMessage(role="user", content="What is 1 + 2?"),
        LLMMessage(role="assistant", tool_calls=[ToolCall(name=ADDER.name, arguments={"a": 1, "b": 2}, id="first")]),
        LLMMessage(role="tool", content="3", tool_call_id="first"),
        LLMMessage(role="assistant", content="It is 3."),
        LLMMessage(role="user", content="What is 3 + 4?"),
    ]

    call = only_call(provider.complete(LLMRequest(messages=messages, tools=[ADDER])))

    assert set(call.arguments) == {"a", "b"}


def test_a_call_that_is_cut_off_keeps_what_was_written(provider: LlamaCppProvider) -> None:
    request = asked("Send the weather to Rome.", tools=[CUSTOMER], tool_choice="required", max_tokens=4)

    response = provider.complete(request)

    assert response.finish_reason == "length"
    assert response.tool_calls[0].invalid_arguments


# A template in the style of many models of our days, so that the small one can stand for them.
KNOWS_TOOLS = r"""
{%- if tools %}
{{- '<|im_start|>system\nTools:' }}
{%- for tool in tools %}{{- '\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\nCall one within <tool_call></tool_call>.<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'assistant' %}
{{- '<|im_start|>assistant' }}
{%- if message.content %}{{- '\n' + message.content }}{%- endif %}
{%- for call in message.tool_calls %}
{{- '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson }}{{- '}\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}
"""


def _called_before(place: str) -> list[LLMMessage]:
    call = ToolCall(name=WEATHER.name, arguments={"location": place}, id=place)
    return [
        LLMMessage(role="user", content=f"What is the weather in {place}?"),
        LLMMessage(role="assistant", tool_calls=[call]),
    ]


def test_a_model_whose_template_has_a_place_for_tools_calls_them_its_own_way() -> None:
    before = [message for place in ("Paris", "Berlin") for message in _called_before(place)]
    question = LLMMessage(role="user", content="What is the weather in Rome?")
    request = LLMRequest(
        messages=[*before, question],
        tools=[WEATHER, ADDER],
        tool_choice=WEATHER.name,
        max_tokens=40,
        extra={"frequency_penalty": 0},
    )

    with LlamaCppProvider(chat_template=KNOWS_TOOLS, context_tokens=1024, parallel=1, threads=1) as modern:
        call = only_call(modern.complete(request))
        answer = modern.complete(asked("A city in France?", response_format=CITY, max_tokens=30))

    assert (call.name, call.arguments) == ("get_weather", {"location": "Rome"})
    assert isinstance(json.loads(answer.content)["city"], str)


CITY = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}
