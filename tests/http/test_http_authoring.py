"""What an author writes, and may get wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from homeostasis_llm import (
    AuthenticationError,
    ContentRefusedError,
    HTTPAnswer,
    HTTPRequest,
    InvalidRequestError,
    InvalidResponseError,
    KeyOutcome,
    LLMConnectionError,
    LLMError,
    LLMRequest,
    LLMResponse,
    QuotaExceededError,
    ServerError,
    ServerEvent,
    UnsuitableRequestError,
)

from ..loopback import Loopback
from .zorb import KEY, Zorb, asked

ANSWER = {
    "id": "1",
    "model": "zorb-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
}


class Reading(Zorb):
    """Reads an answer, and an event, as a test says."""

    def __init__(self, read: Callable[[Any], Any], base_url: str) -> None:
        super().__init__(KEY, base_url=base_url)
        self._read_it = read

    def read_response(self, answer: HTTPAnswer) -> LLMResponse:
        found: LLMResponse = self._read_it(answer)
        return found

    def read_event(self, event: ServerEvent) -> Any:
        return self._read_it(event)


def _raises(error: Exception) -> Callable[[Any], Any]:
    def read(_: Any) -> Any:
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda told: told.json["answer"], "KeyError: 'answer'"),
        (lambda told: told.json["choices"][7], "IndexError"),
        (lambda told: told.json.answer, "AttributeError"),
        (lambda told: told.json["choices"] + 1, "TypeError"),
        (lambda told: int(told.json["id"] + "x"), "ValueError"),
        (_raises(InvalidRequestError("LLMResponse.usage: no")), "makes no sense: LLMResponse.usage: no"),
    ],
)
def test_an_answer_of_another_form_is_named(read: Callable[[Any], Any], said: str, loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)
    loopback.reply(chunks=[b'data: {"id": "1", "choices": []}\n\n'])

    with Reading(read, loopback.url) as provider:
        with pytest.raises(InvalidResponseError, match=said) as caught:
            provider.complete(asked())
        with pytest.raises(InvalidResponseError, match=said):
            list(provider.complete_stream(asked()))

    assert (caught.value.provider, caught.value.model) == ("zorb", "zorb-1")


def test_an_author_s_own_error_passes_with_whose_it_is(loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)

    with (
        Reading(_raises(ContentRefusedError("filtered")), loopback.url) as provider,
        pytest.raises(ContentRefusedError, match="filtered") as caught,
    ):
        provider.complete(asked())

    assert (caught.value.provider, caught.value.model) == ("zorb", "zorb-1")


@pytest.mark.parametrize("given", [None, "Hello", {"content": "Hello"}])
def test_an_answer_of_a_wrong_type_is_named_with_its_method(given: object, loopback: Loopback) -> None:
    loopback.always(json=ANSWER)

    with Reading(lambda _: given, loopback.url) as provider:
        with pytest.raises(InvalidResponseError, match=rf"Reading\.read_response gave a {type(given).__name__}"):
            provider.complete(asked())
        with pytest.raises(InvalidResponseError, match=r"Reading\.read_response gave a"):
            asyncio.run(provider.acomplete(asked()))


@pytest.mark.parametrize("given", [b"Hello", {"text": "Hello"}, 7])
def test_an_event_read_as_something_else_is_named_with_its_method(given: object, loopback: Loopback) -> None:
    loopback.reply(chunks=["data: {}\n\n"])

    with (
        Reading(lambda _: given, loopback.url) as provider,
        pytest.raises(InvalidResponseError, match=rf"read_event gave a {type(given).__name__}"),
    ):
        list(provider.complete_stream(asked()))


def test_a_request_of_a_wrong_type_is_named_with_its_method() -> None:
    class Wrong(Zorb):
        def build_request(self, request: LLMRequest) -> Any:
            return {"model": request.model}

    with Wrong(KEY) as provider, pytest.raises(TypeError, match=r"Wrong\.build_request gave a dict, not an HTTPReq"):
        provider.complete(asked())


def test_a_missing_read_event_is_named(loopback: Loopback) -> None:
    class Unfinished(Zorb):
        read_event = Zorb.__mro__[1].read_event  # type: ignore[attr-defined]  # as if it had not been written

    loopback.reply(chunks=["data: {}\n\n"])

    with Unfinished(KEY, base_url=loopback.url) as provider, pytest.raises(LLMError, match="has no read_event"):
        list(provider.complete_stream(asked()))


def test_a_body_that_is_no_object_cannot_be_asked_to_stream_by_a_field_of_it() -> None:
    class Listing(Zorb):
        def build_request(self, request: LLMRequest) -> HTTPRequest:
            return HTTPRequest("/", json=[request.model])

    with Listing(KEY) as provider, pytest.raises(TypeError, match="stream_request of its own"):
        list(provider.complete_stream(asked()))


@pytest.mark.parametrize("auth", ["", "Bearer", "header", "query:", "none:x", "zorb:x"])
def test_a_way_to_show_the_key_that_is_none_is_named(auth: str) -> None:
    with Zorb(KEY, auth=auth) as provider, pytest.raises(InvalidRequestError, match="auth is"):
        provider.complete(asked())


@pytest.mark.parametrize(
    ("auth", "header", "query"),
    [
        ("bearer", ("authorization", f"Bearer {KEY}"), {}),
        ("scheme:Api-Key", ("authorization", f"Api-Key {KEY}"), {}),
        ("header:x-zorb-key", ("x-zorb-key", KEY), {}),
        ("query:key", ("authorization", None), {"key": [KEY]}),
        ("none", ("authorization", None), {}),
    ],
)
def test_the_key_is_shown_as_declared_in_answers_and_listings(
    auth: str, header: tuple[str, str | None], query: dict[str, list[str]], loopback: Loopback
) -> None:
    loopback.reply(json=ANSWER)
    loopback.reply(json={"data": [{"id": "b"}, {"id": "a"}]})

    with Zorb(KEY, base_url=loopback.url, auth=auth) as provider:
        provider.complete(asked())
        assert provider.get_available_models() == ["a", "b"]

    for request in loopback.requests:
        assert request.headers[header[0]] == header[1]
        assert request.query == query


def test_no_key_shows_none(loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)

    with Zorb(base_url=loopback.url) as provider:
        provider.complete(asked())

    assert loopback.requests[0].headers["authorization"] is None


def test_options_replace_what_the_class_says(loopback: Loopback) -> None:
    loopback.reply(json=ANSWER)

    with Zorb(
        KEY, base_url=f"{loopback.url}/gateway/", headers={"x-team": "blue"}, model_map={"fast": "zorb-mini"}
    ) as provider:
        provider.complete(asked(model="fast"))

    request = loopback.requests[0]
    assert request.path == "/gateway/v1/chat/completions"
    assert request.headers["x-team"] == "blue"
    assert request.json["model"] == "zorb-mini"
    assert Zorb.headers == {}


def test_an_option_that_is_none_is_named() -> None:
    with pytest.raises(InvalidRequestError, match="no option 'base_ur'"):
        Zorb(KEY, base_ur="https://zorb.example")


def test_a_request_subclass_arrives_as_it_is_also_where_its_model_is_mapped(loopback: Loopback) -> None:
    @dataclass
    class ZorbRequest(LLMRequest):
        mood: str = "calm"

    class Moody(Zorb):
        def build_request(self, request: LLMRequest) -> HTTPRequest:
            mood = request.mood if isinstance(request, ZorbRequest) else None
            return HTTPRequest("/", json={"mood": mood, "model": request.model})

    loopback.reply(json=ANSWER)
    request = ZorbRequest(messages=asked().messages, mood="glad")

    with Moody(KEY, base_url=loopback.url) as provider:
        provider.complete(request)

    assert loopback.requests[0].json == {"mood": "glad", "model": "zorb-1"}
    assert request.model is None


def test_what_the_api_lacks_is_refused_and_nothing_is_sent(loopback: Loopback) -> None:
    class Plain(Zorb):
        lacks: ClassVar[Collection[str]] = ("tools", "tool_choice", "seed", "response_format", "image")

    with Plain(KEY, base_url=loopback.url) as provider:
        for fields in ({"seed": 0}, {"response_format": "json"}, {"tools": [{"type": "zorb_search"}]}):
            with pytest.raises(UnsuitableRequestError, match=f"zorb has no {next(iter(fields))}"):
                provider.complete(asked(**fields))
        loopback.reply(json=ANSWER)
        provider.complete(asked(tools=[], tool_choice="none", response_format="text"))

    assert len(loopback.requests) == 1


def test_an_error_inside_a_good_answer_is_that_error(loopback: Loopback) -> None:
    loopback.reply(json={"error": {"message": "no credit", "code": "insufficient_quota"}})
    loopback.reply(json={**ANSWER, "error": None})

    with Zorb(KEY, base_url=loopback.url) as provider:
        with pytest.raises(QuotaExceededError, match="no credit"):
            provider.complete(asked())
        assert provider.complete(asked()).content == "Hello."


def test_an_author_may_read_errors_and_leave_the_rest(loopback: Loopback) -> None:
    class Own(Zorb):
        def read_error(self, answer: HTTPAnswer) -> LLMError | None:
            return ContentRefusedError(answer.json["why"]) if answer.status == 499 else None

    loopback.reply(status=499, json={"why": "not nice"})
    loopback.reply(status=500, json={})
    loopback.reply(status=499, body="no json")

    with Own(KEY, base_url=loopback.url) as provider:
        with pytest.raises(ContentRefusedError, match="not nice") as caught:
            provider.complete(asked())
        with pytest.raises(ServerError):
            provider.complete(asked())
        with pytest.raises(InvalidResponseError, match="no JSON"):
            provider.complete(asked())

    assert (caught.value.provider, caught.value.model, caught.value.status_code) == ("zorb", "zorb-1", 499)


def test_an_author_may_read_the_errors_of_streams_too(loopback: Loopback) -> None:
    class Own(Zorb):
        def read_error(self, answer: HTTPAnswer) -> LLMError | None:
            return ContentRefusedError(answer.json["oops"]["text"])

    loopback.reply(chunks=[b'event: error\ndata: {"oops": {"text": "not nice"}}\n\n'])
    loopback.reply(chunks=[b'event: error\ndata: {"message": "something else"}\n\n'])

    with Own(KEY, base_url=loopback.url) as provider:
        with pytest.raises(ContentRefusedError, match="not nice"):
            list(provider.complete_stream(asked()))
        with pytest.raises(LLMError, match="something else"):
            list(provider.complete_stream(asked()))


@pytest.mark.parametrize("models_path", ["/v1/models", None])
@pytest.mark.parametrize(
    ("status", "outcome", "valid"),
    [(200, "verified", True), (401, "rejected", False), (403, "no_permission", True), (500, "provider_down", None)],
)
def test_a_key_is_checked_by_the_listing_or_else_by_one_token(
    models_path: str | None, status: int, outcome: KeyOutcome, valid: bool | None, loopback: Loopback
) -> None:
    good = {"data": [{"id": "zorb-1"}]} if models_path else ANSWER
    loopback.always(status=status, json=good if status == 200 else {"error": {"message": "no"}})

    with Zorb("zorb-another-0123456789", base_url=loopback.url, models_path=models_path) as provider:
        if valid is None:
            with pytest.raises(ServerError):
                provider.validate_key(KEY)
        else:
            assert provider.validate_key(KEY) is valid
        assert provider.check_key(KEY).outcome == outcome
        assert provider.api_key == "zorb-another-0123456789"

    for request in loopback.requests:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.method == ("GET" if models_path else "POST")
        assert models_path or request.json["max_tokens"] == 1


def test_a_key_cannot_be_checked_where_nobody_listens() -> None:
    with Zorb(KEY, base_url="http://127.0.0.1:1") as provider:
        with pytest.raises(LLMConnectionError):
            provider.validate_key(KEY)
        assert provider.check_key(KEY).outcome == "unreachable"


def test_without_a_listing_the_default_model_is_the_list() -> None:
    with Zorb(KEY, models_path=None) as provider:
        assert provider.get_available_models() == ["zorb-1"]


def test_a_listing_that_is_refused_is_that_error(loopback: Loopback) -> None:
    loopback.reply(status=401, json={})

    with Zorb(KEY, base_url=loopback.url) as provider, pytest.raises(AuthenticationError):
        provider.get_available_models()
