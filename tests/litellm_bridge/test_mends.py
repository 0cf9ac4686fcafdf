"""What litellm cannot read or drops is mended on its way there: each kind, from a real server to our values."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from homeostasis_llm import LLMChunk, LLMProviderInterface, LLMRequest, LLMResponse, ToolCall
from homeostasis_llm.litellm_bridge.mends import Mender
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.response import merge_chunks

from ..loopback import Loopback
from .wires import DONE, KEY, anthropic_answer, anthropic_event, ask, openai_answer, openai_event, tool_call

Ask = Callable[[LLMProviderInterface, LLMRequest], LLMResponse]


def _plain(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    return provider.complete(request)


def _aplain(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    return asyncio.run(provider.acomplete(request))


def _streamed(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    chunks = [chunk for chunk in provider.complete_stream(request) if isinstance(chunk, LLMChunk)]
    return merge_chunks(chunks).to_response()


def _astreamed(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    async def collect() -> list[LLMChunk]:
        return [chunk async for chunk in provider.acomplete_stream(request) if isinstance(chunk, LLMChunk)]

    return merge_chunks(asyncio.run(collect())).to_response()


whole = pytest.mark.parametrize("answer_of", [_plain, _aplain], ids=["sync", "async"])
streams = pytest.mark.parametrize("answer_of", [_streamed, _astreamed], ids=["sync", "async"])
# What runtime.py silences for users; pytest puts its own filters in that place for each test.
of_responses = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


def _provider(name: str, loopback: Loopback) -> LLMProviderInterface:
    return LiteLLMProvider(name, KEY, base_url=loopback.url)


def _cut(events: list[str], size: int = 7) -> list[bytes | str | float]:
    wire = "".join(events).encode()
    return [wire[start : start + size] for start in range(0, len(wire), size)]


@whole
def test_an_answer_of_groqs_needs_no_service_tier(answer_of: Ask, loopback: Loopback) -> None:
    loopback.reply(json=openai_answer("Hello"))

    assert answer_of(_provider("groq", loopback), ask()).content == "Hello"


@streams
def test_a_google_call_without_arguments_has_none(answer_of: Ask, loopback: Loopback) -> None:
    parts = [{"functionCall": {"name": "now"}}, {"functionCall": {"name": "add", "args": {"a": 1}}}]
    event = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}
    loopback.reply(chunks=_cut([f"data: {json.dumps(event)}\r\n\r\n"]))

    answer = answer_of(_provider("gemini", loopback), ask(model="gemini-2.5-flash"))

    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("now", {}), ("add", {"a": 1})]
    assert answer.finish_reason == "tool_calls"


@streams
def test_a_call_that_is_whole_when_its_block_begins_keeps_its_arguments(answer_of: Ask, loopback: Loopback) -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "roll", "input": {"player": "two"}}
    loopback.reply(
        chunks=_cut(
            [
                anthropic_event(type="message_start", message={**anthropic_answer(), "content": []}),
                anthropic_event(type="content_block_start", index=0, content_block=block),
                anthropic_event(type="content_block_stop", index=0),
                anthropic_event(type="message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}),
                anthropic_event(type="message_stop"),
            ]
        )
    )

    answer = answer_of(_provider("anthropic", loopback), ask())

    assert answer.tool_calls == [ToolCall(name="roll", arguments={"player": "two"}, id="toolu_1", payload=None)]


@streams
def test_a_message_that_is_whole_when_it_begins_is_read(answer_of: Ask, loopback: Loopback) -> None:
    blocks = [
        {"type": "tool_use", "id": "toolu_1", "name": "roll", "input": {"player": "two"}},
        {"type": "tool_use", "id": "toolu_2", "name": "stop", "input": {}},
    ]
    message = anthropic_answer(*blocks, stop="tool_use")
    loopback.reply(
        chunks=_cut([anthropic_event(type="message_start", message=message), anthropic_event(type="message_stop")])
    )

    answer = answer_of(_provider("anthropic", loopback), ask())

    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("roll", {"player": "two"}), ("stop", {})]
    assert answer.finish_reason == "tool_calls"


def _cohere_event(kind: str, index: int = 0, **told: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'index': index, 'delta': told})}\n\n"


@streams
def test_coheres_streams_are_read(answer_of: Ask, loopback: Loopback) -> None:
    def content(**piece: str) -> dict[str, Any]:
        return {"message": {"content": piece}}

    def call(arguments: str, **first: Any) -> dict[str, Any]:
        named = {"name": first.pop("name")} if first else {}
        return {"message": {"tool_calls": {**first, "function": {**named, "arguments": arguments}}}}

    loopback.reply(
        chunks=_cut(
            [
                _cohere_event("message-start", message={"role": "assistant"}),
                _cohere_event("tool-plan-delta", message={"tool_plan": "I will add."}),
                _cohere_event("content-start", **content(type="thinking", thinking="")),
                _cohere_event("content-delta", **content(thinking="One and ")),
                _cohere_event("content-delta", **content(thinking="two.")),
                _cohere_event("content-start", 1, **content(type="text", text="")),
                _cohere_event("content-delta", 1, **content(text="Grüße ")),
                _cohere_event("content-delta", 1, **content(text="🌍")),
                _cohere_event("tool-call-start", 0, **call("", id="add_1", type="function", name="add")),
                _cohere_event("tool-call-delta", 0, **call('{"a":')),
                _cohere_event("tool-call-delta", 0, **call(" 1}")),
                _cohere_event("tool-call-end", 0),
                _cohere_event("tool-call-start", 1, **call("", id="now_1", type="function", name="now")),
                _cohere_event("tool-call-end", 1),
                _cohere_event(
                    "message-end",
                    finish_reason="TOOL_CALL",
                    usage={"tokens": {"input_tokens": 90, "output_tokens": 8}, "billed_units": {"input_tokens": 6}},
                ),
                DONE,
            ]
        )
    )

    answer = answer_of(_provider("cohere", loopback), ask())

    assert answer.content == "Grüße 🌍"
    assert answer.reasoning is not None
    assert answer.reasoning.text == "One and two."
    assert [(call.name, call.arguments, call.id) for call in answer.tool_calls] == [
        ("add", {"a": 1}, "add_1"),
        ("now", {}, "now_1"),
    ]
    assert (answer.metadata["finish_reason"], answer.finish_reason) == ("TOOL_CALL", "tool_calls")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (90, 8)


@streams
@pytest.mark.parametrize(
    ("word", "ours"), [("COMPLETE", "stop"), ("MAX_TOKENS", "length"), ("ERROR_TOXIC", "content_filter")]
)
def test_the_end_of_coheres_streams_is_told(word: str, ours: str, answer_of: Ask, loopback: Loopback) -> None:
    text: dict[str, Any] = {"message": {"content": {"text": "Hi"}}}
    loopback.reply(
        chunks=[_cohere_event("content-delta", **text), _cohere_event("message-end", finish_reason=word), DONE]
    )

    answer = answer_of(_provider("cohere", loopback), ask())

    assert (answer.content, answer.metadata["finish_reason"], answer.finish_reason) == ("Hi", word, ours)


@whole
def test_an_empty_custom_call_beside_a_function_is_none(answer_of: Ask, loopback: Loopback) -> None:
    call = {**tool_call("add", '{"a": 1}'), "custom": {}}
    loopback.reply(json=openai_answer(None, "tool_calls", tool_calls=[call]))

    assert answer_of(_provider("openai", loopback), ask()).tool_calls == [
        ToolCall(name="add", arguments={"a": 1}, id="call_1")
    ]


@streams
def test_thoughts_are_read_that_come_in_details_alone(answer_of: Ask, loopback: Loopback) -> None:
    def details(text: str) -> dict[str, Any]:
        return {"reasoning_details": [{"type": "reasoning.text", "text": text}]}

    loopback.reply(
        chunks=[
            openai_event(details("15 * ")),
            openai_event(details("27")),
            openai_event({"content": "405"}, "stop"),
            DONE,
        ]
    )

    answer = answer_of(_provider("openai", loopback), ask())

    assert answer.content == "405"
    assert answer.reasoning is not None
    assert answer.reasoning.text == "15 * 27"


def _response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "some-model-2026-01-01",
        "output": list(output),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "max_output_tokens": 100,
        "usage": {
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7,
        },
    }
    return {**fields, **more}


def _said(text: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": list(annotations)}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


@whole
@of_responses
def test_openais_responses_are_asked_for_and_read(answer_of: Ask, loopback: Loopback) -> None:
    called = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": '{"a": 1}'}
    loopback.reply(json=_response(_said("Hello"), {**called, "status": "completed"}))

    answer = answer_of(_provider("openai", loopback), ask(model="responses/some-model"))

    assert loopback.requests[0].path == "/responses"
    assert answer.content == "Hello"
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("add", {"a": 1})]
    assert (answer.metadata["finish_reason"], answer.finish_reason) == ("completed", "tool_calls")
    assert (answer.model, answer.metadata["response_id"]) == ("some-model-2026-01-01", "resp_1")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 4)


@whole
@of_responses
def test_all_thoughts_of_a_response_are_read(answer_of: Ask, loopback: Loopback) -> None:
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "One. "}, {"type": "summary_text", "text": "Two. "}],
        "content": [{"type": "reasoning_text", "text": "Three."}],
    }
    loopback.reply(json=_response(thought, _said("Hello")))

    answer = answer_of(_provider("openai", loopback), ask(model="responses/some-model"))

    assert answer.reasoning is not None
    assert answer.reasoning.text == "One. Two. Three."


@streams
@of_responses
def test_thoughts_of_a_streamed_response_are_read(answer_of: Ask, loopback: Loopback) -> None:
    def event(kind: str, **told: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': 1, **told})}\n\n"

    place = {"output_index": 0, "content_index": 0}
    loopback.reply(
        chunks=_cut(
            [
                event("response.created", response=_response(status="in_progress", usage=None)),
                event("response.reasoning_text.delta", item_id="rs_1", delta="Let me ", **place),
                event("response.reasoning_text.delta", item_id="rs_1", delta="see.", **place),
                event("response.output_text.delta", item_id="msg_1", delta="Hello", **place),
                event("response.completed", response=_response(_said("Hello"))),
            ]
        )
    )

    answer = answer_of(_provider("openai", loopback), ask(model="responses/gpt-4o"))

    assert answer.content == "Hello"
    assert answer.reasoning is not None
    assert answer.reasoning.text == "Let me see."
    assert answer.finish_reason == "stop"


@whole
@of_responses
def test_a_response_that_cites_a_file_is_read(answer_of: Ask, loopback: Loopback) -> None:
    cited = {"type": "file_citation", "index": 3, "file_id": "file_1", "filename": "a.txt"}
    loopback.reply(json=_response(_said("Hello", cited)))

    answer = answer_of(_provider("openai", loopback), ask(model="responses/some-model"))

    assert answer.content == "Hello"
    assert answer.metadata["annotations"] == [cited]


@whole
@of_responses
def test_a_response_that_says_nothing_yet_is_empty_and_not_finished(answer_of: Ask, loopback: Loopback) -> None:
    loopback.reply(json=_response(status="queued", usage=None))

    answer = answer_of(_provider("openai", loopback), ask(model="responses/some-model"))

    assert (answer.content, answer.finish_reason, answer.usage) == ("", "unknown", None)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_needs_no_mending_passes_byte_for_byte(size: int) -> None:
    wire = b'\r\nevent: x\r\ndata: {"functionCall": 1}\n\ndata: {"functionCall" broken\n\ndata: [DONE]'
    mender = Mender("gemini", {"content-type": "text/event-stream; charset=utf-8"})

    passed = b"".join(mender.feed(wire[start : start + size]) for start in range(0, len(wire), size))

    assert passed + mender.end() == wire


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/vnd.amazon.eventstream"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_what_cannot_be_read_is_passed_on_at_once(headers: dict[str, str]) -> None:
    mender = Mender("groq", headers)

    assert mender.feed(b'{"object": "chat.completion"') == b'{"object": "chat.completion"'
    assert mender.end() == b""


_ODD = "one\u2028two\u2029three\x85four data: [DONE] five"


@streams
@pytest.mark.parametrize("name", ["anthropic", "groq", "ollama"])
def test_a_text_may_hold_what_others_take_for_the_end_of_a_line_or_of_a_stream(
    name: str, answer_of: Ask, loopback: Loopback
) -> None:
    said = json.dumps(_ODD, ensure_ascii=False)
    as_anthropic = [anthropic_event(type="message_start", message={**anthropic_answer(), "content": []})]
    as_anthropic += [anthropic_event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})]
    as_anthropic += [anthropic_event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": "%"})]
    as_anthropic += [
        anthropic_event(type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})
    ]
    as_anthropic += [anthropic_event(type="message_stop")]
    as_ollama = [
        json.dumps({"model": "m", "message": {"role": "assistant", "content": "%"}, "done": False}) + "\n",
        json.dumps(
            {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
        ),
    ]
    kind, events = {
        "anthropic": ("text/event-stream", as_anthropic),
        "groq": ("text/event-stream", [openai_event({"content": "%"}), openai_event({}, "stop"), DONE]),
        "ollama": ("application/x-ndjson", as_ollama),
    }[name]
    wire = [event.replace('"%"', said) for event in events]
    loopback.always(chunks=_cut(wire), headers={"content-type": kind})

    assert answer_of(_provider(name, loopback), ask()).content == _ODD


@streams
def test_comments_between_the_events_of_gemini_say_nothing(answer_of: Ask, loopback: Loopback) -> None:
    event = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP", "index": 0}]}
    wire = [": keep-alive\n\n", f"data: {json.dumps(event)}\n\n", ": keep-alive\n\n"]
    loopback.reply(chunks=_cut(wire), headers={"content-type": "text/event-stream"})

    assert answer_of(_provider("gemini", loopback), ask(model="gemini-2.5-flash")).content == "Hello"
