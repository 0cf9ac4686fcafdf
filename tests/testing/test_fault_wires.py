"""What the fault server's good answers look like, on the wire and to real clients."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from homeostasis_llm import Tool, ToolCall, astream_chunks, merge_chunks, stream_chunks
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import Step, answer

from .asking import KEY, events, post, provider, request, text_of

both = pytest.mark.parametrize("name", ["openai", "anthropic"])

CALLS = [
    ToolCall(id="call_1", name="weather", arguments={"city": "Zürich", "days": 3}),
    ToolCall(id="call_2", name="now"),
]


@both
def test_an_answer_reads_the_same_streamed_and_whole(name: str, server: FaultServer) -> None:
    server.always(answer("Grüße, 世界 🌍!", usage=(5, 9)))
    asked = provider(server, name)

    whole = asked.complete(request())
    *_, last = chunks = list(stream_chunks(asked, request()))

    assert whole.content == "".join(chunk.text for chunk in chunks) == "Grüße, 世界 🌍!"
    assert whole.model == "some-model"
    assert whole.usage is not None
    assert last.usage is not None
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (5, 9)
    assert (last.usage.input_tokens, last.usage.output_tokens) == (5, 9)


@both
def test_async_clients_are_answered_too(name: str, server: FaultServer) -> None:
    async def ask() -> tuple[str, str]:
        asked = provider(server, name)
        whole = await asked.acomplete(request())
        return whole.content, "".join([chunk.text async for chunk in astream_chunks(asked, request())])

    server.always(answer("Hello there"))

    assert asyncio.run(ask()) == ("Hello there", "Hello there")


@both
@pytest.mark.parametrize("text", [None, "Let me look."], ids=["alone", "after text"])
def test_tool_calls_arrive_whole_and_in_fragments(name: str, text: str | None, server: FaultServer) -> None:
    server.always(answer(text, tool_calls=CALLS))
    asked = provider(server, name)
    tools = [Tool(name="weather", parameters={"type": "object", "properties": {}})]

    whole = asked.complete(request(tools=tools))
    streamed = merge_chunks(stream_chunks(asked, request(tools=tools))).to_response()

    for found in (whole, streamed):
        assert found.content == (text or "")
        assert [(call.id, call.name, call.arguments) for call in found.tool_calls] == [
            (call.id, call.name, call.arguments) for call in CALLS
        ]
        assert found.finish_reason == "tool_calls"


@both
@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
def test_the_finish_reason_is_told_in_the_dialects_own_word(name: str, finish: str, server: FaultServer) -> None:
    server.always(answer("x", finish=finish))

    told = post(server, name).json()

    theirs = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
    if name == "openai":
        assert told["choices"][0]["finish_reason"] == finish
    else:
        assert told["stop_reason"] == theirs[finish]


@both
@pytest.mark.parametrize("streamed", [True, False])
def test_usage_may_be_untold_or_the_dialects_own_object(name: str, streamed: bool, server: FaultServer) -> None:
    server.then(answer("x", usage=None), answer("x", usage={"output_tokens": 0, "strange": 1}))

    untold, strange = (
        post(server, name, stream=streamed, stream_options={"include_usage": True}).text for _ in range(2)
    )

    assert "usage" not in untold
    assert '"strange"' in strange


@pytest.mark.parametrize("wanted", [True, False])
def test_openais_stream_tells_the_usage_in_a_chunk_of_its_own_when_asked_to(wanted: bool, server: FaultServer) -> None:
    server.always(answer("a b", usage=(3, 2)))

    body = post(server, stream=True, stream_options={"include_usage": wanted}).content

    *before, last = events(body)
    assert body.endswith(b"data: [DONE]\n\n")
    assert before[0]["choices"][0]["delta"]["role"] == "assistant"
    if wanted:
        assert last["choices"] == []
        assert last["usage"]["total_tokens"] == 5
        assert {event["usage"] for event in before} == {None}
    else:
        assert last["choices"][0]["finish_reason"] == "stop"
        assert not [event for event in events(body) if "usage" in event]


def test_anthropics_stream_has_its_events_in_order(server: FaultServer) -> None:
    server.always(answer("a b", tool_calls=CALLS[1:], usage=(3, 2)))

    body = post(server, "anthropic", stream=True).text

    named = [line.removeprefix("event: ") for line in body.split("\n") if line.startswith("event: ")]
    assert named == [event["type"] for event in events(body.encode())]
    assert named == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    told = {event["type"]: event for event in events(body.encode())}
    assert told["message_start"]["message"]["usage"]["input_tokens"] == 3
    assert told["message_delta"] == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    }


@both
@pytest.mark.parametrize(
    ("step", "pieces"),
    [
        (answer("one two  three"), ["one", " two", " ", " three"]),
        (answer("abcdef", chunks=3), ["ab", "cd", "ef"]),
        (answer(chunks=["a", "bc"]), ["a", "bc"]),
        (answer("abc", chunks=["a", "bc"]), ["a", "bc"]),
        (answer(""), []),
    ],
)
def test_a_text_is_cut_as_told(step: Step, pieces: list[str], name: str, server: FaultServer) -> None:
    server.always(step)

    told = events(post(server, name, stream=True).content)

    texts = [event["choices"][0]["delta"].get("content") for event in told if event.get("choices")]
    if name == "anthropic":
        texts = [event["delta"]["text"] for event in told if event["type"] == "content_block_delta"]
    assert [text for text in texts if text] == pieces


@pytest.mark.parametrize("arguments", [{"text": "ab", "chunks": ["a"]}, {"text": "ab", "chunks": 3}, {"delay": -1}])
def test_an_answer_that_cannot_be_is_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"^(answer|delay): "):
        answer(**arguments)


@both
def test_real_characters_are_sent_not_escapes(name: str, server: FaultServer) -> None:
    server.always(answer("é🌍"))

    for streamed in (True, False):
        assert "é🌍".encode() in post(server, name, stream=streamed).content


@both
def test_every_answer_has_an_id_of_its_own(name: str, server: FaultServer) -> None:
    first, second = post(server, name), post(server, name)

    assert first.json()["id"] != second.json()["id"]
    header = "x-request-id" if name == "openai" else "request-id"
    assert first.headers[header] != second.headers[header]


@both
def test_models_are_listed(name: str) -> None:
    with FaultServer(models=["one", "two"]) as server:
        assert provider(server, name).get_available_models() == ["one", "two"]
        assert provider(server, name).validate_key(KEY)


@both
def test_an_address_that_the_api_does_not_have_is_not_found(name: str, server: FaultServer) -> None:
    headers = {"anthropic-version": "2023-06-01"} if name == "anthropic" else {}

    found = httpx.post(f"{server.url}/v1/nothing", json={}, headers=headers)

    assert found.status_code == 404
    assert "error" in found.json()


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"text"', b'{"model": 3, "stream": "yes"}', b"[" * 100_000])
def test_a_body_that_says_nothing_is_answered_all_the_same(body: bytes, server: FaultServer) -> None:
    found = httpx.post(f"{server.url}/chat/completions", content=body)

    assert found.json()["model"] == "fault-model"


def test_a_stream_may_take_its_time(server: FaultServer) -> None:
    server.always(answer(chunks=["a", "b"], between=60))

    with httpx.stream("POST", f"{server.url}/chat/completions", json={"stream": True}) as found:
        first = next(found.iter_raw())  # would take a minute if the events came together

    assert text_of(first) == ""
