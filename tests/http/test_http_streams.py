"""What comes of a stream beyond what the conformance rules say, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import pytest

from homeostasis_llm import (
    ContextLengthError,
    HTTPRequest,
    InvalidResponseError,
    LLMChunk,
    LLMConnectionError,
    LLMError,
    LLMRequest,
    LLMResponse,
    RateLimitError,
    ServerEvent,
    merge_chunks,
)
from homeostasis_llm.http.streaming import EventReader
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import answer, gzipped, split

from ..loopback import Loopback
from .zorb import KEY, Zorb, asked

Way = Callable[[Zorb], LLMResponse]


def _sync(provider: Zorb) -> LLMResponse:
    return merge_chunks(provider.complete_stream(asked())).to_response()


def _async(provider: Zorb) -> LLMResponse:
    async def read() -> LLMResponse:
        return merge_chunks([chunk async for chunk in provider.acomplete_stream(asked())]).to_response()

    return asyncio.run(read())


both_ways = pytest.mark.parametrize("way", [_sync, _async])


def _said(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: %b\n\n" % json.dumps({"id": "1", "model": "zorb-1", "choices": [choice]}).encode()


@both_ways
def test_a_stream_that_comes_byte_by_byte_and_packed_is_read(way: Way) -> None:
    with FaultServer() as server, Zorb(KEY, base_url=server.url) as provider:
        server.then(split(1, of=gzipped(of=answer("Grüße 🌍", chunks=3))))

        assert way(provider).content == "Grüße 🌍"


@both_ways
def test_an_answer_that_is_no_stream_is_read_as_one(way: Way, loopback: Loopback) -> None:
    message = {"role": "assistant", "content": "Hello."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    loopback.reply(json={"id": "1", "model": "zorb-1", "choices": [choice]})

    with Zorb(KEY, base_url=loopback.url) as provider:
        read = way(provider)

    assert (read.content, read.finish_reason) == ("Hello.", "stop")


@both_ways
def test_an_error_in_place_of_a_stream_is_that_error(way: Way, loopback: Loopback) -> None:
    loopback.reply(json={"error": {"message": "slower", "code": "rate_limit_exceeded"}})

    with Zorb(KEY, base_url=loopback.url) as provider, pytest.raises(RateLimitError, match="slower"):
        way(provider)


@both_ways
def test_a_page_in_place_of_a_stream_says_what_it_is(way: Way, loopback: Loopback) -> None:
    loopback.reply(body="<html>Please log in</html>", headers={"content-type": "text/html"})

    with Zorb(KEY, base_url=loopback.url) as provider, pytest.raises(InvalidResponseError, match="begins with '<html>"):
        way(provider)


@both_ways
def test_an_error_amid_a_stream_is_of_its_class_and_has_what_had_come(way: Way, loopback: Loopback) -> None:
    error = {"error": {"message": "too long", "code": "context_length_exceeded", "type": "invalid_request_error"}}
    loopback.reply(
        chunks=[_said("Hel"), _said("lo"), b"data: %b\n\n" % json.dumps(error).encode()],
        headers={"x-request-id": "req-7"},
    )

    with Zorb(KEY, base_url=loopback.url) as provider, pytest.raises(ContextLengthError, match="too long") as caught:
        way(provider)

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hello"
    assert (caught.value.provider, caught.value.model, caught.value.request_id) == ("zorb", "zorb-1", "req-7")


@both_ways
def test_an_event_named_error_is_one_whatever_it_says(way: Way, loopback: Loopback) -> None:
    loopback.reply(chunks=[_said("Hel"), b'event: error\ndata: {"message": "gone"}\n\n'])

    with Zorb(KEY, base_url=loopback.url) as provider, pytest.raises(LLMError, match="gone") as caught:
        way(provider)

    assert caught.value.retryable


@both_ways
def test_an_event_of_another_form_is_named_with_what_had_come(way: Way, loopback: Loopback) -> None:
    loopback.reply(chunks=[_said("Hel"), b"data: {}\n\n"])

    with Zorb(KEY, base_url=loopback.url) as provider, pytest.raises(InvalidResponseError, match="'model'") as caught:
        way(provider)

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hel"


@both_ways
def test_words_about_errors_are_no_error(way: Way, loopback: Loopback) -> None:
    loopback.reply(chunks=[_said('{"error": "said the model"}'), _said("", "stop")])

    with Zorb(KEY, base_url=loopback.url) as provider:
        assert way(provider).content == '{"error": "said the model"}'


class Terse(Zorb):
    """Events are text and nothing else, and then there are no more."""

    def build_request(self, request: LLMRequest) -> HTTPRequest:
        return HTTPRequest("/", json={"prompt": request.messages[0].text}, stream_says_its_end=False)

    def read_event(self, event: ServerEvent) -> Any:
        return event.json["value"]


@both_ways
def test_a_stream_that_never_says_its_end_ends_where_it_ends(way: Way, loopback: Loopback) -> None:
    loopback.reply(chunks=[b'data: {"value": "Hel"}\n\n', b'data: {"value": "lo"}\n\n'])

    with Terse(KEY, base_url=loopback.url) as provider:
        assert way(provider).content == "Hello"


@both_ways
def test_such_a_stream_is_broken_all_the_same_where_http_says_so(way: Way, loopback: Loopback) -> None:
    loopback.reply(chunks=[b'data: {"value": "Hel"}\n\n'], cut=True)

    with Terse(KEY, base_url=loopback.url) as provider, pytest.raises(LLMConnectionError) as caught:
        way(provider)

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hel"


class Growing(Zorb):
    """Each line repeats the text so far."""

    stream_format: ClassVar[Literal["sse", "ndjson", "none"]] = "ndjson"

    def event_reader(self, request: LLMRequest) -> EventReader:  # noqa: ARG002  # every stream grows alike
        before = ""

        def read(event: ServerEvent) -> LLMChunk:
            nonlocal before
            text = event.json["text"]
            new, before = text[len(before) :], text
            return LLMChunk(text=new, finish_reason="stop" if event.json.get("done") else None)

        return read


@both_ways
def test_what_reads_a_stream_may_remember_and_is_new_for_each(way: Way, loopback: Loopback) -> None:
    loopback.always(chunks=[b'{"text": "Hel"}\n', b'{"text": "Hello", "done": true}\n'])

    with Growing(KEY, base_url=loopback.url) as provider:
        assert [way(provider).content, way(provider).content] == ["Hello", "Hello"]


@both_ways
def test_a_provider_without_streams_answers_in_one_piece(way: Way, loopback: Loopback) -> None:
    class Whole(Zorb):
        stream_format: ClassVar[Literal["sse", "ndjson", "none"]] = "none"

    message = {"role": "assistant", "content": "Hello."}
    loopback.reply(
        json={
            "id": "1",
            "model": "zorb-1",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
    )

    with Whole(KEY, base_url=loopback.url) as provider:
        assert way(provider).content == "Hello."
    assert "stream" not in loopback.requests[0].json
