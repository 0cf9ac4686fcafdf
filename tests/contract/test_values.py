"""What holds for every value: it is checked, told apart by its content, and may be extended."""

from __future__ import annotations

import copy
import dataclasses
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm import (
    AudioPart,
    FilePart,
    ImagePart,
    InvalidRequestError,
    JSONSchema,
    LLMChunk,
    LLMMessage,
    LLMRequest,
    LLMResponse,
    Reasoning,
    TextPart,
    Timeout,
    Tool,
    ToolCall,
    ToolCallFragment,
    Usage,
)
from homeostasis_llm._value import Value

from .copies import WAYS, in_every_way
from .refusals import LONGEST, refusal

GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
HELLO = LLMMessage("user", "hello")

EXAMPLES: list[Any] = [
    TextPart("hello"),
    ImagePart(data=GIF, detail="low"),
    AudioPart(data=b"RIFF", media_type="audio/wav"),
    FilePart(url="https://example.org/a.pdf", name="a.pdf"),
    ToolCall("add", {"a": 1, "b": [2.5, None]}, "call_1", payload={"signature": "s"}),
    Reasoning("because", "anthropic", {"signature": "s"}),
    LLMMessage("assistant", [TextPart("so")], [ToolCall("add", {}, "call_1")], reasoning=Reasoning("because")),
    Timeout(connect=1.5, total=60),
    Tool("add", "Add.", {"type": "object", "properties": {"a": {"type": "number"}}}, strict=True),
    JSONSchema({"type": "object"}, "form", strict=False),
    LLMRequest(
        [LLMMessage("user", [TextPart("what is this?"), ImagePart(data=GIF)])],
        model="some-model",
        max_tokens=5,
        temperature=0.5,
        system_prompt="Be brief.",
        top_p=0.5,
        stop=["\n"],
        seed=7,
        tools=[Tool("add"), {"type": "web_search"}],
        tool_choice="auto",
        parallel_tool_calls=False,
        response_format=JSONSchema({"type": "object"}),
        reasoning_effort="low",
        timeout=Timeout(total=5),
        extra={"top_k": 40},
    ),
    Usage(1, 2, 3, 1, 0, 1, {"prompt_tokens": 1}),
    LLMResponse(
        "four",
        "openai",
        "some-model-1",
        Usage(1, 2),
        {"finish_reason": "end_turn", "response_id": "r"},
        [ToolCall("add", {}, "call_1")],
        [ToolCall("search", {}, "call_2")],
        "stop",
        Reasoning("because"),
        "req_1",
        0.5,
        0.25,
    ),
    ToolCallFragment(1, "call_1", "add", '{"a"', {"signature": "s"}),
    LLMChunk("fo", tool_calls=[ToolCallFragment(arguments="{}")], usage=Usage(1, 2), metadata={"response_id": "r"}),
]

each_value = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)


def _fields(example: Any) -> dict[str, Any]:
    return {field.name: getattr(example, field.name) for field in dataclasses.fields(example)}


def test_every_value_is_among_the_examples() -> None:
    homes = ("messages", "request", "response", "usage")
    modules = [importlib.import_module(f"homeostasis_llm.{home}") for home in homes]
    values = {
        found
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Value) and found is not Value
    }

    assert {type(example) for example in EXAMPLES} == values


@each_value
@in_every_way
def test_a_copy_is_equal_and_of_the_same_class(copied: Callable[[Any], Any], example: Any) -> None:
    twin = copied(example)

    assert twin == example
    assert twin is not example
    assert type(twin) is type(example)


@each_value
def test_a_deep_copy_shares_nothing_that_can_change(example: Any) -> None:
    twin = copy.deepcopy(example)

    for name, kept in _fields(example).items():
        if isinstance(kept, (list, dict, Value)):
            assert getattr(twin, name) is not kept


@each_value
def test_a_value_taken_apart_makes_the_same_value_again(example: Any) -> None:
    assert type(example)(**dataclasses.asdict(example)) == example
    assert type(example)(**_fields(example)) == example


@each_value
def test_arguments_may_come_by_place_or_by_name(example: Any) -> None:
    assert type(example)(*_fields(example).values()) == example


@each_value
def test_repr_shows_how_to_make_the_value(example: Any) -> None:
    classes = {type(known).__name__: type(known) for known in EXAMPLES}

    assert eval(repr(example), classes) == example  # noqa: S307  # of our own text


@each_value
def test_another_content_is_another_value(example: Any) -> None:
    changed = copy.deepcopy(example)
    name = dataclasses.fields(example)[0].name
    setattr(changed, name, "something else")

    assert changed != example
    assert example != dataclasses.asdict(example)


@each_value
def test_an_argument_that_no_field_has_is_refused_by_its_name(example: Any) -> None:
    said = refusal(lambda: type(example)(**_fields(example), colour="blue"))

    assert said == f"{type(example).__name__}.colour: unexpected keyword argument, got 'blue'"


@each_value
def test_too_many_arguments_are_refused(example: Any) -> None:
    assert type(example).__name__ in refusal(lambda: type(example)(*_fields(example).values(), "one more"))


def test_an_argument_given_twice_is_refused() -> None:
    twice: Any = LLMMessage

    assert refusal(lambda: twice("user", role="user")).startswith("LLMMessage.role: got multiple values")


@each_value
def test_replacing_a_field_leaves_the_others_alone(example: Any) -> None:
    name, kept = next(iter(_fields(example).items()))

    assert dataclasses.replace(example, **{name: kept}) == example


def test_what_replaces_a_field_is_checked_too() -> None:
    request = LLMRequest([HELLO], temperature=0.5)

    assert dataclasses.replace(request, temperature=0.0).temperature == 0.0
    assert refusal(lambda: dataclasses.replace(request, temperature=-1.0)).startswith("LLMRequest.temperature: ")


_NESTED_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.builds(object)
    | st.sampled_from(["type", "function", "tool", "data:;base64,", "text", "image", "audio", "file", "json_schema"]),
    lambda junk: (
        st.lists(junk, max_size=3)
        | st.tuples(junk)
        | st.dictionaries(
            st.text(st.characters())
            | st.sampled_from(["type", "function", "role", "content", "text", "data", "url", "json_schema", "schema"])
            | st.sampled_from(["name", "parameters", "arguments", "prompt_tokens", "input_tokens", "raw", "connect"]),
            junk,
            max_size=3,
        )
    ),
    max_leaves=6,
)
_EVERY_FIELD = [(example, name) for example in EXAMPLES for name in _fields(example)]


@given(st.sampled_from(_EVERY_FIELD), _NESTED_JUNK)
def test_whatever_a_field_is_given_is_taken_or_refused_in_one_line(place: tuple[Any, str], junk: Any) -> None:
    example, name = place

    try:
        type(example)(**{**_fields(example), name: junk})
    except InvalidRequestError as error:
        refused = error
    else:
        return
    assert len(str(refused).splitlines()) == 1
    assert len(str(refused)) < LONGEST
    assert type(example).__name__ in str(refused)
    assert refused.__cause__ is None


def test_several_wrong_fields_are_all_named() -> None:
    wrong: Any = LLMRequest

    said = refusal(lambda: wrong(messages="hello", max_tokens=-1, temperature="hot"))

    assert [part.partition(":")[0] for part in said.split("; ")] == [
        "LLMRequest.messages",
        "LLMRequest.max_tokens",
        "LLMRequest.temperature",
    ]


# What a provider's author writes.


@dataclass
class SearchRequest(LLMRequest):
    """A request of a provider that can search."""

    search: bool = False
    domains: list[str] = field(default_factory=list)


@dataclass
class PinnedMessage(LLMMessage):
    """A message that a provider keeps in its cache."""

    pinned: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pinned and self.role != "system":
            raise InvalidRequestError("PinnedMessage.pinned: only for system messages")


@dataclass
class CitedResponse(LLMResponse):
    """An answer with its sources."""

    sources: list[str] = field(default_factory=list)


class Quiet(LLMRequest):
    """Not even a dataclass of its own."""


EXTENDED: list[Any] = [
    SearchRequest([HELLO], temperature=0.0, search=True, domains=["example.org"]),
    PinnedMessage("system", "Be brief.", pinned=True),
    CitedResponse("four", usage={"prompt_tokens": 1}, sources=["a book"]),  # type: ignore[arg-type]  # as authors do
    Quiet([HELLO], seed=0),
]
each_extended = pytest.mark.parametrize("extended", EXTENDED, ids=lambda extended: type(extended).__name__)


@each_extended
def test_a_plain_dataclass_may_extend_a_value(extended: Any) -> None:
    for twin in (copied(extended) for copied in WAYS.values()):
        assert twin == extended
        assert type(twin) is type(extended)
    assert dataclasses.replace(extended) == extended
    assert type(extended)(**_fields(extended)) == extended


@pytest.mark.parametrize(
    ("make", "field_name"),
    [
        (lambda: SearchRequest([], search=True), "LLMRequest.messages"),
        (lambda: SearchRequest([HELLO], temperature=float("nan")), "LLMRequest.temperature"),
        (lambda: SearchRequest([HELLO], tool_choice="add"), "LLMRequest.tool_choice"),
        (lambda: PinnedMessage("robot"), "LLMMessage.role"),  # type: ignore[arg-type]  # that is the mistake
        (lambda: PinnedMessage("tool"), "LLMMessage.tool_call_id"),
        (lambda: PinnedMessage("user", pinned=True), "PinnedMessage.pinned"),
        (lambda: CitedResponse(5), "LLMResponse.content"),  # type: ignore[arg-type]  # that is the mistake
        (lambda: Quiet([]), "LLMRequest.messages"),
    ],
)
def test_what_a_plain_dataclass_inherits_is_checked(make: Callable[[], object], field_name: str) -> None:
    assert refusal(make).startswith(f"{field_name}: ")


def test_what_a_plain_dataclass_inherits_is_read_as_ever() -> None:
    as_dicts: Any = [{"role": "user", "content": "hello"}]

    request = SearchRequest(as_dicts, stop="END", search=True)  # type: ignore[arg-type]  # one word is a list of one

    assert request.messages == [HELLO]
    assert request.stop == ["END"]
    assert request.search is True
    assert isinstance(EXTENDED[2].usage, Usage)


def test_an_extended_value_reaches_its_destination_itself() -> None:
    message = PinnedMessage("system", "Be brief.", pinned=True)

    request = LLMRequest([message, HELLO])

    assert request.messages[0] is message
    assert request.messages[1] is HELLO
    assert request.conversation()[0] is message


def test_two_classes_of_equal_fields_are_not_equal() -> None:
    assert SearchRequest([HELLO]) != LLMRequest([HELLO])


@pytest.mark.parametrize(
    ("made", "field_name", "chosen"),
    [
        (LLMRequest([HELLO], temperature=0.0), "temperature", 0.0),
        (LLMRequest([HELLO], temperature=0), "temperature", 0.0),
        (LLMRequest([HELLO], top_p=0.0), "top_p", 0.0),
        (LLMRequest([HELLO], seed=0), "seed", 0),
        (LLMRequest([HELLO], system_prompt=""), "system_prompt", ""),
        (LLMRequest([HELLO], stop=[]), "stop", []),
        (LLMRequest([HELLO], tools=[]), "tools", []),
        (LLMRequest([HELLO], parallel_tool_calls=False), "parallel_tool_calls", False),
        (LLMMessage("user", ""), "content", ""),
        (LLMMessage("user", []), "content", []),
        (Tool("add", strict=False), "strict", False),
        (JSONSchema({}, strict=False), "strict", False),
        (Usage(0, 0, 0, 0, 0, 0), "cached_tokens", 0),
        (LLMResponse("", latency=0.0), "latency", 0.0),
        (LLMResponse("", cost=0.0), "cost", 0.0),
        (LLMChunk(cost=0.0), "cost", 0.0),
    ],
)
def test_nothing_is_a_choice_and_not_an_absence(made: Any, field_name: str, chosen: object) -> None:
    kept = getattr(made, field_name)

    assert kept == chosen
    assert kept is not None
    assert type(kept) is type(chosen)


@pytest.mark.parametrize("name", [each.name for each in dataclasses.fields(LLMRequest) if each.name != "messages"])
def test_what_is_not_asked_for_is_absent(name: str) -> None:
    assert getattr(LLMRequest([HELLO]), name) == ({} if name == "extra" else None)


def test_one_request_does_not_see_what_another_was_given() -> None:
    one, other = LLMRequest([HELLO]), LLMRequest([HELLO])

    one.extra["top_k"] = 40
    one.messages.append(HELLO)

    assert other.extra == {}
    assert len(other.messages) == 1


def test_a_list_that_a_request_was_made_of_may_change_later() -> None:
    messages = [HELLO]
    request = LLMRequest(messages)

    messages.clear()

    assert request.messages == [HELLO]
