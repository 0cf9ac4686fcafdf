"""The questions that are recorded of every provider alike, and what must be true of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...errors import AuthenticationError, ContextLengthError, LLMError, ModelNotFoundError
from ...messages import LLMMessage, ToolCall
from ...provider import LLMProviderInterface, astream_chunks, stream_chunks
from ...request import JSONSchema, LLMRequest, Tool
from ...response import LLMChunk, LLMResponse, merge_chunks

WRONG_KEY = "wrong-on-purpose"
"""Sent where a refusal is to be recorded."""

UNKNOWN_MODEL = "no-such-model"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a question ended."""

    response: LLMResponse | None = None
    error: LLMError | None = None
    chunks: tuple[LLMChunk, ...] = ()
    """The pieces in which a streamed answer came."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question."""

    name: str
    request: LLMRequest
    check: Callable[[Outcome], None]
    """Raises `AssertionError` where the outcome is not what the case is about."""
    streamed: bool = False
    wrong_key: bool = False
    costly: bool = False
    """Whether it is only for models with a small context: others would be sent megabytes."""


def ask(provider: LLMProviderInterface, case: Case) -> Outcome:
    """Have `provider` answer. Its own errors are outcomes too."""
    try:
        if case.streamed:
            return _outcome(tuple(stream_chunks(provider, case.request)))
        return Outcome(response=provider.complete(case.request))
    except LLMError as error:
        return Outcome(error=error)


async def aask(provider: LLMProviderInterface, case: Case) -> Outcome:
    """`ask` without blocking the event loop."""
    try:
        if case.streamed:
            return _outcome(tuple([chunk async for chunk in astream_chunks(provider, case.request)]))
        return Outcome(response=await provider.acomplete(case.request))
    except LLMError as error:
        return Outcome(error=error)


def _outcome(chunks: tuple[LLMChunk, ...]) -> Outcome:
    return Outcome(response=merge_chunks(list(chunks)).to_response(), chunks=chunks)


def _answer(outcome: Outcome) -> LLMResponse:
    if outcome.error is not None:
        raise AssertionError(f"failed: {outcome.error}") from outcome.error
    assert outcome.response is not None  # noqa: S101  # one of the two is there
    return outcome.response


def _that(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _text(outcome: Outcome) -> None:
    answer = _answer(outcome)
    _that(answer.content.strip(), "no text")
    _that(answer.finish_reason in {"stop", "length"}, f"ended by {answer.finish_reason}")
    _that(answer.usage is not None and answer.usage.output_tokens, f"usage is {answer.usage}")


def _stream(outcome: Outcome) -> None:
    _text(outcome)
    texts = [chunk.text for chunk in outcome.chunks if chunk.text]
    _that(len(texts) > 1, "all came at once")
    _that("".join(texts) == _answer(outcome).content, "the pieces are not the answer")


def _paris(outcome: Outcome) -> None:
    _text(outcome)
    _that("Paris" in _answer(outcome).content, f"no Paris in {_answer(outcome).content!r}")


def _city(outcome: Outcome) -> None:
    text = _answer(outcome).content
    try:
        found = json.loads(text)
    except ValueError:
        raise AssertionError(f"no JSON: {text!r}") from None
    _that(isinstance(found, dict) and isinstance(found.get("city"), str), f"not of the form: {found}")


def _call(outcome: Outcome) -> None:
    answer = _answer(outcome)
    _that(answer.finish_reason == "tool_calls", f"ended by {answer.finish_reason}")
    _that(answer.tool_calls and answer.tool_calls[0].name == "get_weather", f"called {answer.tool_calls}")
    _that(answer.tool_calls[0].arguments.get("city") == "Paris", f"called {answer.tool_calls}")
    _that(answer.tool_calls[0].id, "a call without id")


def _cut(outcome: Outcome) -> None:
    answer = _answer(outcome)
    _that(answer.finish_reason == "length", f"ended by {answer.finish_reason}")
    _that(answer.usage is not None and answer.usage.output_tokens == 5, f"usage is {answer.usage}")


def _stopped(outcome: Outcome) -> None:
    answer = _answer(outcome)
    _that("five" not in answer.content.lower(), f"went on: {answer.content!r}")
    _that(answer.finish_reason == "stop", f"ended by {answer.finish_reason}")


def _fails_with(kind: type[LLMError], *statuses: int) -> Callable[[Outcome], None]:
    def check(outcome: Outcome) -> None:
        _that(isinstance(outcome.error, kind), f"no {kind.__name__} but {outcome.error or outcome.response}")
        status = outcome.error.status_code if outcome.error else None
        _that(status in statuses, f"status {status}")

    return check


def _unknown(outcome: Outcome) -> None:
    if outcome.response is not None:
        # A server with one model gives that for any; it says so.
        _that(outcome.response.model not in {None, "", UNKNOWN_MODEL}, f"{outcome.response.model} has answered")
    else:
        _fails_with(ModelNotFoundError, 400, 403, 404, 422)(outcome)


def _asked(*texts: str, **options: Any) -> LLMRequest:
    roles = ("user", "assistant")
    turns = [LLMMessage(role=roles[index % 2], content=text) for index, text in enumerate(texts)]  # type: ignore[arg-type]
    return LLMRequest(messages=turns, **{"max_tokens": 60, "temperature": 0.0, **options})


_CAPITAL = "What is the capital of France?"
_WEATHER = Tool(
    name="get_weather",
    description="Tell the weather in a city",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
        "required": ["city"],
    },
)
_CITY = JSONSchema(
    name="city",
    schema={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)


def with_tools(**options: Any) -> LLMRequest:
    """A question whose answer is a call; `options` go over it."""
    return _asked("What is the weather in Paris?", **{"tools": [_WEATHER], "tool_choice": "required", **options})


def _after_a_call() -> LLMRequest:
    call = ToolCall(id="call_1", name="get_weather", arguments={"city": "Paris"})
    return LLMRequest(
        messages=[
            LLMMessage(role="user", content="What is the weather in Paris?"),
            LLMMessage(role="assistant", content="", tool_calls=[call]),
            LLMMessage(role="tool", content="Sunny, 21 °C", tool_call_id="call_1"),
        ],
        tools=[_WEATHER],
        max_tokens=60,
        temperature=0.0,
    )


CASES: tuple[Case, ...] = (
    Case(name="plain", request=_asked(_CAPITAL), check=_paris),
    Case(name="streamed", request=_asked(_CAPITAL), check=_stream, streamed=True),
    Case(name="json_schema", request=_asked(_CAPITAL, response_format=_CITY), check=_city),
    Case(name="tools", request=with_tools(), check=_call),
    Case(name="tools_streamed", request=with_tools(), check=_call, streamed=True),
    Case(name="tool_result", request=_after_a_call(), check=_text),
    Case(name="system_prompt", request=_asked("Who are you?", system_prompt="You are a parrot."), check=_text),
    Case(name="multi_turn", request=_asked("My name is Ada.", "Hello Ada!", "What is my name?"), check=_text),
    Case(name="unicode", request=_asked("Répète: « Zoë 🥐 日本 ﷽ »"), check=_text),  # noqa: RUF100
    Case(name="stop", request=_asked("Count: one two three four five six", stop=["five", "Five"]), check=_stopped),
    Case(name="length_cut", request=_asked("Tell me a long story.", max_tokens=5), check=_cut),
    Case(name="length_cut_streamed", request=_asked("Tell me a long story.", max_tokens=5), check=_cut, streamed=True),
    Case(name="wrong_key", request=_asked(_CAPITAL), check=_fails_with(AuthenticationError, 400, 401), wrong_key=True),
    Case(
        name="wrong_key_streamed",
        request=_asked(_CAPITAL),
        check=_fails_with(AuthenticationError, 400, 401),
        streamed=True,
        wrong_key=True,
    ),
    Case(name="unknown_model", request=_asked(_CAPITAL, model=UNKNOWN_MODEL), check=_unknown),
    Case(
        name="context_too_long",
        request=_asked("word " * 1000),
        check=_fails_with(ContextLengthError, 400, 413),
        costly=True,
    ),
)
"""All of them. The default model of a provider is asked."""
