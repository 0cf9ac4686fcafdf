"""What a call may say of itself, over what the model says for all calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from pydantic import BaseModel

from homeostasis_llm import ChatHomeostasis, InvalidRequestError, JSONSchema, LLMRequest, Timeout

from .providers import Scripted

FULL: dict[str, Any] = {
    "model": "a",
    "max_tokens": 5,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["x"],
    "seed": 7,
    "reasoning_effort": "low",
    "timeout": 9.0,
}
OTHER: dict[str, Any] = {
    "model": "b",
    "max_tokens": 6,
    "temperature": 0.0,
    "top_p": 0.0,
    "stop": ["y"],
    "seed": 0,
    "reasoning_effort": "high",
    "timeout": Timeout(total=3),
}


def asked(model: dict[str, Any], call: dict[str, Any], *, bound: bool = False) -> LLMRequest:
    provider = Scripted()
    chat = ChatHomeostasis(provider=provider, **model)
    if bound:
        chat.bind(**call).invoke("hi")
    else:
        chat.invoke("hi", **call)
    return provider.asked[0]


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("name", FULL)
def test_each_setting_can_be_given_with_a_call(name: str, bound: bool) -> None:
    request = asked(FULL, {name: OTHER[name]}, bound=bound)

    assert getattr(request, name) == OTHER[name]
    for other in FULL.keys() - {name}:
        assert getattr(request, other) == FULL[other]


@pytest.mark.parametrize("name", FULL)
def test_none_leaves_the_models_setting(name: str) -> None:
    assert getattr(asked(FULL, {name: None}), name) == FULL[name]


async def test_a_call_of_any_way_may_say_something_of_itself() -> None:
    provider = Scripted()
    model = ChatHomeostasis(provider=provider, temperature=1)

    model.invoke("hi", temperature=0)
    list(model.stream("hi", temperature=0))
    await model.ainvoke("hi", temperature=0)
    _ = [piece async for piece in model.astream("hi", temperature=0)]
    model.batch(["hi", "ho"], temperature=0)
    await model.abatch(["hi", "ho"], temperature=0)

    assert [request.temperature for request in provider.asked] == [0] * 8


def test_no_stops_at_all_is_a_choice() -> None:
    assert asked(FULL, {"stop": []}).stop is None


def test_langchains_names_are_understood_with_a_call_too() -> None:
    request = asked(FULL, {"model_name": "b", "stop_sequences": ["y"]})

    assert (request.model, request.stop) == ("b", ["y"])


def test_extra_parameters_of_a_call_come_over_those_of_the_model() -> None:
    request = asked({"extra": {"a": 1, "b": 1}}, {"extra": {"b": 2, "c": 0}})

    assert request.extra == {"a": 1, "b": 2, "c": 0}


def test_the_providers_own_name_before_a_calls_model_is_not_part_of_it() -> None:
    assert asked({}, {"model": "scripted:b"}).model == "b"
    assert asked({}, {"model": "llama3:8b"}).model == "llama3:8b"


@pytest.mark.parametrize(
    "way",
    [
        lambda model: model.invoke("hi", temprature=0),
        lambda model: model.bind(temprature=0).invoke("hi"),
        lambda model: model.stream("hi", temprature=0),
    ],
    ids=["invoke", "bind", "stream"],
)
def test_a_mistyped_parameter_is_refused_with_the_one_that_was_meant(way: Callable[[ChatHomeostasis], Any]) -> None:
    provider = Scripted()
    model = ChatHomeostasis(provider=provider)

    with pytest.raises(InvalidRequestError, match="no parameter 'temprature'; did you mean 'temperature'") as caught:
        list(way(model))

    assert isinstance(caught.value, ModelInvalidRequestError)
    assert provider.asked == []


@pytest.mark.parametrize("name", ["api_key", "base_url", "provider"])
def test_what_is_said_once_for_all_calls_is_refused_with_one(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{name} is said once for all calls") as caught:
        asked({}, {name: "https://user:secret@x.example"})

    assert "secret" not in str(caught.value)


def test_a_parameter_of_one_provider_alone_is_told_where_it_goes() -> None:
    with pytest.raises(InvalidRequestError, match=r"no parameter 'frequency_penalty'; .* go into extra=\{…\}"):
        asked({}, {"frequency_penalty": 1})


@pytest.mark.parametrize(
    ("call", "field"),
    [({"temperature": -1}, "temperature"), ({"max_tokens": 0}, "max_tokens"), ({"tool_choice": "any"}, "tool_choice")],
)
def test_a_value_that_cannot_be_is_refused_before_anything_is_sent(call: dict[str, Any], field: str) -> None:
    provider = Scripted()

    with pytest.raises(InvalidRequestError, match=field):
        ChatHomeostasis(provider=provider).invoke("hi", **call)

    assert provider.asked == []


class Point(BaseModel):
    x: int


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ("json", "json"),
        ({"type": "json_object"}, "json"),
        ({"type": "text"}, "text"),
        (JSONSchema(schema={"type": "object"}, name="p"), JSONSchema(schema={"type": "object"}, name="p")),
        (
            {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object"}, "strict": True}},
            JSONSchema(schema={"type": "object"}, name="p", strict=True),
        ),
        ({"type": "array"}, JSONSchema(schema={"type": "array"}, name="answer")),
    ],
)
def test_a_response_format_may_be_given_in_many_forms(wanted: Any, sent: object) -> None:
    assert asked({}, {"response_format": wanted}).response_format == sent


def test_a_response_format_may_be_a_class() -> None:
    form = asked({}, {"response_format": Point}).response_format

    assert isinstance(form, JSONSchema)
    assert (form.name, form.schema) == ("Point", Point.model_json_schema())


def test_streaming_can_be_switched_off_with_a_call() -> None:
    provider = Scripted()

    ChatHomeostasis(provider=provider, streaming=True).invoke("hi", stream=False)

    assert len(provider.asked) == 1
