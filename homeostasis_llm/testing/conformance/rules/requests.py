"""What arrives of a request: each field is sent or refused, and none is silently dropped."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest

from ....errors import InvalidRequestError, LLMError
from ....messages import AudioPart, ContentPart, FilePart, ImagePart, LLMMessage, TextPart, ToolCall
from ....request import JSONSchema, LLMRequest, Tool
from ...faults.recorded import Request
from ..bench import Bench
from ..declarations import Declarations
from ..verdicts import broken, require

WEATHER = Tool(
    name="get_weather",
    description="Tells the weather of zorbville.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
_SCHEMA = {"type": "object", "properties": {"zorb": {"type": "integer"}}, "required": ["zorb"]}

# What is set, and the values that must then be found in what is sent; none where each dialect has its own words.
# Tools stand beside what is about them, and are no news then.
FIELDS: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "model": ({"model": "zorb-model-1"}, ("zorb-model-1",)),
    "system_prompt": ({"system_prompt": "You are zorb."}, ("You are zorb.",)),
    "max_tokens": ({"max_tokens": 4321}, (4321,)),
    "temperature": ({"temperature": 0.625}, (0.625,)),
    "top_p": ({"top_p": 0.375}, (0.375,)),
    "stop": ({"stop": ["zorb-stop"]}, ("zorb-stop",)),
    "seed": ({"seed": 86420}, (86420,)),
    "tools": ({"tools": [WEATHER]}, ("get_weather", "Tells the weather of zorbville.", "city")),
    "tool_choice": ({"tools": [WEATHER], "tool_choice": "required"}, ()),
    "tool_choice_by_name": ({"tools": [WEATHER], "tool_choice": "get_weather"}, ()),
    "parallel_tool_calls": ({"tools": [WEATHER], "parallel_tool_calls": False}, ()),
    "response_format_json": ({"response_format": "json"}, ()),
    "response_format_schema": ({"response_format": JSONSchema(schema=_SCHEMA, name="zorbs")}, ("zorb",)),
    "reasoning_effort": ({"reasoning_effort": "low"}, ()),
    "extra": ({"extra": {"zorb_setting": "zorb-value"}}, ("zorb_setting", "zorb-value")),
}

# A field and the value that `or` would take for nothing.
NOTHINGS: dict[str, tuple[dict[str, Any], Any]] = {
    "temperature": ({"temperature": 0.0}, 0),
    "top_p": ({"top_p": 0.0}, 0),
    "seed": ({"seed": 0}, 0),
    "extra": ({"extra": {"zorb_setting": ""}}, ""),
}

_PNG = b"\x89PNG\r\n\x1a\n" + b"zorb" * 6

PARTS: dict[str, tuple[ContentPart, str]] = {
    "text": (TextPart(text="zorb-part"), "zorb-part"),
    "image": (ImagePart(data=_PNG), "iVBORw0KGgp6b3Jiem9yYnpvcmJ6b3Jiem9yYnpvcmI"),
    "audio": (AudioPart(data=b"zorb" * 6, media_type="audio/wav"), "em9yYnpvcmJ6b3Jiem9yYnpvcmJ6b3Ji"),
    "file": (
        FilePart(data=b"zorb" * 6, media_type="application/pdf", name="zorb.pdf"),
        "em9yYnpvcmJ6b3Jiem9yYnpvcmJ6b3Ji",
    ),
}

UNICODE = 'Grüße 你好 مرحبا 🧑‍🚀 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 e\u0301 "quoted" back\\slash'

_MADE_UP = ("temperature", "top_p", "topp", "seed", "stop", "stop_sequences", "stopsequences", "frequency_penalty")


class RequestRules(Declarations):
    """Request fidelity."""

    @pytest.mark.parametrize("field", FIELDS)
    def test_a_field_is_sent_or_refused(self, bench: Bench, field: str) -> None:
        fields, values = FIELDS[field]
        beside = {name: given for name, given in fields.items() if name == "tools" and len(fields) > 1}
        plain = self._plain(bench, beside)
        try:
            told = _sent(bench, bench.request(**fields))
        except InvalidRequestError:
            return
        missing = [value for value in values if not _is_in(value, told)]
        require(
            not missing,
            f"LLMRequest.{field} was set, and {missing} did not arrive: send it, or raise UnsuitableRequestError where "
            "the provider has nothing of the kind. A caller must not believe in a setting that has no effect.",
        )
        require(
            values or plain is None or _comparable(told) != _comparable(plain),
            f"LLMRequest.{field} was set, and the request was the same as without: send it, or raise "
            "UnsuitableRequestError where the provider has nothing of the kind.",
        )

    def _plain(self, bench: Bench, beside: dict[str, Any]) -> Request | None:
        """What arrives without the field; None where what stands beside it is refused already."""
        try:
            return _sent(bench, bench.request(**beside))
        except InvalidRequestError:
            return None

    @pytest.mark.parametrize("field", NOTHINGS)
    def test_nothing_is_a_choice(self, bench: Bench, field: str) -> None:
        fields, value = NOTHINGS[field]
        plain = _sent(bench, bench.request())
        try:
            told = _sent(bench, bench.request(**fields))
        except InvalidRequestError:
            return
        added = [leaf for path, leaf in _leaves(told) if (path, leaf) not in list(_leaves(plain))]
        require(
            any(type(leaf) in {type(value), int, float} and leaf == value for leaf in added),
            f"{field}={value!r} was not sent: 0 and '' are choices, None is absence. Ask `is not None`; `or` and `if "
            "value` take them for nothing.",
        )

    def test_an_empty_system_prompt_is_not_filled(self, bench: Bench) -> None:
        plain = [leaf for _, leaf in _leaves(_sent(bench, bench.request()))]
        told = _leaves(_sent(bench, bench.request(system_prompt="")))
        # A sentence has a space; the words that a dialect frames an empty text with have none.
        invented = [leaf for _, leaf in told if leaf not in plain and isinstance(leaf, str) and " " in leaf]
        require(
            not invented,
            f"system_prompt='' was sent as {invented}: an empty one is a choice, and means that nothing is said.",
        )

    def test_what_was_not_asked_is_not_made_up(self, bench: Bench) -> None:
        told = _sent(bench, bench.request())
        made_up = sorted(
            f"{path}={leaf!r}"
            for path, leaf in _leaves(told)
            if path.rpartition(".")[2].partition("[")[0].lower() in _MADE_UP and leaf is not None
        )
        require(
            not made_up,
            f"A request that sets nothing was sent with {', '.join(made_up)}: leave out what is None, so that the "
            "provider's own defaults hold.",
        )

    def test_a_conversation_arrives_in_its_order(self, bench: Bench) -> None:
        messages = [
            LLMMessage(role="user", content="zorb-1"),
            LLMMessage(role="assistant", content="zorb-2"),
            LLMMessage(role="user", content="zorb-3"),
        ]
        body = _body(_sent(bench, bench.request(messages=messages)))
        places = [body.find(f"zorb-{number}") for number in (1, 2, 3)]
        require(
            -1 < places[0] < places[1] < places[2],
            "Of a conversation of three turns, not all arrived in their order: send every message, the roles as the "
            "provider calls them.",
        )

    def test_roles_are_told_apart(self, bench: Bench) -> None:
        one = [LLMMessage(role="user", content="a"), LLMMessage(role="assistant", content="b")]
        last = LLMMessage(role="user", content="c")
        other = [one[0], LLMMessage(role="user", content="b")]
        require(
            _comparable(_sent(bench, bench.request(messages=[*one, last])))
            != _comparable(_sent(bench, bench.request(messages=[*other, last]))),
            "What the assistant said was sent as if the user had said it: send each message's role.",
        )

    def test_the_result_of_a_tool_travels(self, bench: Bench) -> None:
        self.needs("supports_tools")
        call = ToolCall(name="get_weather", arguments={"city": "zorb-town"}, id="call_zorb1")
        messages = [
            LLMMessage(role="user", content="How is the weather?"),
            LLMMessage(role="assistant", tool_calls=[call]),
            LLMMessage(role="tool", content="zorb-sunny", tool_call_id="call_zorb1", name="get_weather"),
        ]
        body = _body(_sent(bench, bench.request(messages=messages, tools=[WEATHER])))
        missing = [word for word in ("zorb-town", "zorb-sunny") if word not in body]
        require(
            not missing,
            f"Of a tool's call and its result, {missing} did not arrive: send the assistant's tool_calls with their "
            "arguments, and the tool's message after them.",
        )

    def test_a_call_of_nonsense_travels(self, bench: Bench) -> None:
        self.needs("supports_tools")
        call = ToolCall(name="get_weather", invalid_arguments='{"city": zorb-town', id="call_zorb1")
        messages = [
            LLMMessage(role="user", content="How is the weather?"),
            LLMMessage(role="assistant", tool_calls=[call]),
            LLMMessage(role="tool", content="zorb-where?", tool_call_id="call_zorb1", name="get_weather"),
        ]
        advice = (
            "send ToolCall.invalid_arguments as text, or within an object where the API takes none. A model that is "
            "told what was wrong with its call can do better; a conversation that cannot be sent has ended."
        )
        try:
            body = _body(_sent(bench, bench.request(messages=messages, tools=[WEATHER])))
        except InvalidRequestError as error:
            broken(f"A call whose arguments are no JSON cannot be sent back to its model ({error}): {advice}")
        missing = [word for word in ("zorb-town", "zorb-where?") if word not in body]
        require(
            not missing, f"Of a call whose arguments are no JSON, and its result, {missing} did not arrive: {advice}"
        )

    @pytest.mark.parametrize("part", PARTS)
    def test_a_part_of_a_message_is_sent_or_refused(self, bench: Bench, part: str) -> None:
        made, expected = PARTS[part]
        message = LLMMessage(role="user", content=[TextPart(text="What is this?"), made])
        try:
            body = _body(_sent(bench, bench.request(messages=[message])))
        except InvalidRequestError:
            return
        require(
            expected in body,
            f"The {part} of a message did not arrive: send it, or raise UnsuitableRequestError. The model would answer "
            "a question that it has seen half of.",
        )

    def test_every_character_arrives(self, bench: Bench) -> None:
        told = _sent(bench, bench.request(UNICODE))
        require(
            UNICODE in [leaf for _, leaf in _leaves(told)],
            "A text with accents, astral characters, quotes and backslashes did not arrive as it was: let json.dumps "
            "or "
            "your HTTP client write the body, as UTF-8.",
        )

    def test_a_request_of_the_providers_own_travels(self, bench: Bench) -> None:
        plain = _sent(bench, bench.request(max_tokens=77))

        @dataclass
        class OwnRequest(LLMRequest):
            zorb: str = "own"

        given = bench.request(max_tokens=77)
        own = OwnRequest(**{name: getattr(given, name) for name in given.__dataclass_fields__})
        require(
            _comparable(_sent(bench, own)) == _comparable(plain),
            "A subclass of LLMRequest was sent otherwise than a plain request of the same fields: read the fields by "
            "name, and compare no types.",
        )

    def test_the_request_is_left_as_it_was(self, bench: Bench) -> None:
        request = bench.request(tools=[WEATHER] if self.supports_tools else None, extra={"zorb": {"deep": [1]}})
        before = copy.deepcopy(request)
        for way in ("complete", "complete_stream"):
            try:
                bench.asking(way, request)()
            except LLMError:
                continue
        require(
            request == before,
            "The provider has changed the request that it was given: copy what you change, for a request is asked "
            "again "
            "of the next provider when one fails.",
        )

    def test_one_question_is_one_request(self, bench: Bench) -> None:
        server = bench.server
        for way, _ in bench.answers():
            require(
                server.count == 1,
                f"{way} has sent {server.count} requests for one question: send one. Who retries, and how often, is "
                "the "
                "caller's to say.",
            )
            server.forget()

    def test_the_key_is_shown_and_nowhere_but_in_its_place(self, bench: Bench) -> None:
        self.needs("needs_key")
        told = _sent(bench, bench.request())
        shown = [*told.headers.values(), told.query_string]
        require(
            any(self.key in place for place in shown),
            "The key was not sent: send self.api_key in the header that the provider wants.",
        )
        require(self.key.encode() not in told.body, "The key was sent in the body: bodies are logged and kept.")


def _sent(bench: Bench, request: LLMRequest) -> Request:
    """What arrives of `request`. Raises `InvalidRequestError`, if nothing was sent."""
    server = bench.server
    server.forget()
    try:
        bench.provider.complete(request)
    except InvalidRequestError as error:
        if server.count:
            broken(
                f"complete sent the request, and then raised {type(error).__name__} ({error}) for a good answer: "
                "refuse "
                "what the provider does not know before anything is sent."
            )
        raise
    except Exception as error:  # noqa: BLE001  # an author's code may raise anything
        broken(f"complete raised {type(error).__name__} ({error}) for a good request: send it, or refuse it by name.")
    if not server.count:
        broken("complete has not asked the server at base_url: send every request there.")
    return server.requests[-1]


def _body(request: Request) -> str:
    """All that was sent, with real characters."""
    return f"{unquote(request.path)} {_dumped(request)}"


def _dumped(request: Request) -> str:
    try:
        return json.dumps(request.json, ensure_ascii=False)
    except ValueError:
        return request.body.decode(errors="replace")


def _comparable(request: Request) -> str:
    return f"{request.path}?{request.query_string} {_dumped(request)}"


def _is_in(value: object, request: Request) -> bool:
    if isinstance(value, str):
        return value in _body(request)
    return any(leaf == value and not isinstance(leaf, bool) for _, leaf in _leaves(request))


def _leaves(request: Request) -> Iterator[tuple[str, Any]]:
    """Each value that was sent, with the way to it."""
    try:
        found = request.json
    except ValueError:
        broken("The body of the request is no JSON: a dialect that has other bodies needs rules of its own.")
    yield from _walk(found, "")


def _walk(found: object, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(found, Mapping):
        for key, inner in found.items():
            yield from _walk(inner, f"{path}.{key}")
    elif isinstance(found, Sequence) and not isinstance(found, str):
        for index, inner in enumerate(found):
            yield from _walk(inner, f"{path}[{index}]")
    else:
        yield path, found
