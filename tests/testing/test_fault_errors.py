"""The fault server's errors, as providers of ours understand them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Literal

import httpx
import pytest

from homeostasis_llm import (
    AuthenticationError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    LLMError,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import Step, empty, error, error_event

from .asking import KEY, PATHS, asked, post, provider, request

both = pytest.mark.parametrize("name", ["openai", "anthropic"])

STATUSES: list[tuple[Step, type[LLMError]]] = [
    (error(400), InvalidRequestError),
    (error(401), AuthenticationError),
    (error(402), QuotaExceededError),
    (error(402, reason="insufficient_quota"), QuotaExceededError),
    (error(403), PermissionDeniedError),
    (error(404), ModelNotFoundError),
    (error(408), LLMTimeoutError),
    (error(409), InvalidRequestError),
    (error(413), InvalidRequestError),
    (error(418), InvalidRequestError),
    (error(422), InvalidRequestError),
    (error(429), RateLimitError),
    (error(429, reason="insufficient_quota"), QuotaExceededError),
    (error(500), ServerError),
    (error(502), ServerError),
    (error(503), OverloadedError),
    (error(504), LLMTimeoutError),
    (error(529), OverloadedError),
    (error(599), ServerError),
]


def _caught(server: FaultServer, name: str, step: Step, *, streamed: bool = False) -> LLMError:
    server.then(step)
    asks = provider(server, name)
    with pytest.raises(LLMError) as caught:
        list(asks.complete_stream(request())) if streamed else asks.complete(request())
    return caught.value


@both
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("step", "kind"), STATUSES, ids=lambda found: str(getattr(found, "said", "")) or None)
def test_every_error_is_understood_by_real_clients(
    step: Step, kind: type[LLMError], name: str, streamed: bool, server: FaultServer
) -> None:
    found = _caught(server, name, step, streamed=streamed)

    assert type(found) is kind
    assert found.status_code == getattr(step.said, "status", None)
    assert found.request_id is not None
    assert server.count == 1


@both
def test_a_prompt_that_is_too_long_is_told_in_each_dialects_way(name: str, server: FaultServer) -> None:
    assert type(_caught(server, name, error(400, reason="context_length"))) is ContextLengthError


def test_a_reason_counts_more_than_an_unusual_status_for_it(server: FaultServer) -> None:
    server.always(error(413, reason="context_length"))

    found = post(server)

    assert found.status_code == 413
    assert found.json()["error"]["code"] == "context_length_exceeded"


def test_a_refused_prompt_is_told_by_openais_code(server: FaultServer) -> None:
    assert type(_caught(server, "openai", error(400, reason="content_filter"))) is ContentRefusedError


@both
def test_an_error_names_the_model_that_was_asked_for(name: str, server: FaultServer) -> None:
    assert "some-model" in str(_caught(server, name, error(404)))


def test_openai_repeats_no_more_of_a_wrong_key_than_its_ends(server: FaultServer) -> None:
    server.always(error(401))

    told = httpx.post(f"{server.url}/chat/completions", json=asked(), headers={"authorization": f"Bearer {KEY}"}).text

    assert "sk-********6789" in told
    assert KEY not in told
    assert KEY[:12] not in told


@both
@pytest.mark.parametrize(
    ("body", "sent"),
    [("plain", b"plain"), (b"\xff\x00", b"\xff\x00"), ("", b""), ({"detail": "no"}, b'{"detail": "no"}')],
)
def test_an_error_has_the_body_it_is_given(
    body: str | bytes | dict[str, str], sent: bytes, name: str, server: FaultServer
) -> None:
    server.always(error(500, body))

    assert post(server, name).content == sent


@both
@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
def test_the_wait_is_understood_in_each_form(
    name: str, form: Literal["seconds", "date", "milliseconds"], server: FaultServer
) -> None:
    server.then(error(429, retry_after=7, retry_form=form))

    with pytest.raises(RateLimitError) as caught:
        provider(server, name).complete(request())

    assert caught.value.retry_after == 7.0


def test_each_form_of_the_wait_is_a_header_of_its_own() -> None:
    with FaultServer(clock=lambda: 1_700_000_000.0) as server:
        server.then(
            error(429, retry_after=1.5),
            error(429, retry_after=90, retry_form="date"),
            error(429, retry_after=1.5, retry_form="milliseconds"),
            error(429, retry_after=90, retry_form="ratelimit_reset"),
            error(429, retry_after=0.25, retry_form="ratelimit_reset"),
            error(429),
        )
        seconds, date, milliseconds, long, short, nothing = (post(server).headers for _ in range(6))
        server.then(error(429, retry_after=90, retry_form="ratelimit_reset"))
        theirs = post(server, "anthropic").headers

    assert seconds["retry-after"] == "1.5"
    assert date["retry-after"] == "Tue, 14 Nov 2023 22:14:50 GMT"
    assert date["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert milliseconds["retry-after-ms"] == "1500"
    assert long["x-ratelimit-reset-requests"] == long["x-ratelimit-reset-tokens"] == "1m30s"
    assert short["x-ratelimit-reset-requests"] == "250ms"
    assert datetime.fromisoformat(theirs["anthropic-ratelimit-requests-reset"]).timestamp() == 1_700_000_090.0
    assert [headers for headers in (long, theirs, nothing) if "retry-after" in headers] == []


@both
def test_headers_may_be_added_and_replaced(name: str, server: FaultServer) -> None:
    server.always(error(500, headers={"X-Should-Retry": "false", "Content-Type": "text/weird"}))

    found = post(server, name).headers

    assert found["x-should-retry"] == "false"
    assert found.get_list("content-type") == ["text/weird"]


@both
@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (error_event(500), ServerError),
        (error_event(529), OverloadedError),
        (error_event(429), RateLimitError),
        (error_event(429, reason="insufficient_quota"), QuotaExceededError),
    ],
    ids=lambda found: str(getattr(found, "broken", "")) or None,
)
def test_an_error_amid_a_stream_comes_after_its_chunks(
    step: Step, kind: type[LLMError], name: str, server: FaultServer
) -> None:
    if (name, kind) == ("openai", OverloadedError):
        kind = ServerError  # OpenAI has no word for it
    found = _caught(server, name, step, streamed=True)

    assert type(found) is kind
    assert found.partial is not None
    assert found.partial.content == "Grüße"


@both
def test_an_error_may_be_the_first_thing_a_stream_says(name: str, server: FaultServer) -> None:
    found = _caught(server, name, error_event(500, after_chunks=0), streamed=True)

    assert found.partial is None or found.partial.content == ""


@both
def test_an_error_may_come_with_a_good_status(name: str, server: FaultServer) -> None:
    server.always(error_event(429))

    found = post(server, name)

    assert found.status_code == 200
    assert "error" in found.json()


@pytest.mark.parametrize("status", [0, 200, 299, 600])
def test_a_status_that_is_no_errors_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="300 to 599"):
        error(status)


@both
def test_an_error_has_the_same_words_in_async_code(name: str, server: FaultServer) -> None:
    server.always(error(429, retry_after=3))

    with pytest.raises(RateLimitError) as caught:
        asyncio.run(provider(server, name).acomplete(request()))

    assert caught.value.retry_after == 3.0


@both
def test_an_error_may_have_no_body(name: str, server: FaultServer) -> None:
    server.then(empty(503))

    found = httpx.post(f"{server.url}{PATHS[name]}", json=asked(name))

    assert (found.status_code, found.content) == (503, b"")
