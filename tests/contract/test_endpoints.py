"""One plain question to a provider over HTTP, asked of a real server."""

from __future__ import annotations

import gzip
import json
import pickle
import socket
from typing import Any

import pytest

from homeostasis_llm import (
    AuthenticationError,
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMError,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    Timeout,
)
from homeostasis_llm.catalog import ProviderFacts, all_facts
from homeostasis_llm.endpoints import (
    Endpoint,
    ask,
    base_url_from_environment,
    key_endpoint,
    models_endpoint,
    read_models,
)
from homeostasis_llm.errors import Cause
from homeostasis_llm.redaction import MASK

from ..loopback import Loopback, Scripted
from . import wild

KEY = "made-up+key/of=an-endpoint"


def at(loopback: Loopback, auth: str = "bearer", provider: str = "openai", path: str = "/v1/models") -> Endpoint:
    return Endpoint(provider, f"{loopback.url}{path}", auth)


def refused(endpoint: Endpoint, key: str = KEY, **options: Any) -> LLMError:
    """The error of a question that fails; nothing of an HTTP client hangs on it, and no key."""
    with pytest.raises(LLMError) as caught:
        ask(endpoint, key, **options)
    error = caught.value
    assert error.provider == endpoint.provider
    assert error.__context__ is None
    assert error.__cause__ is None or isinstance(error.__cause__, Cause)
    assert len(str(error).splitlines()) == 1
    assert "of=an-endpoint" not in f"{error} {error!r} {error.__cause__} {error.facts()}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  # what we have just pickled ourselves
    return error


# Showing the key.


def test_a_key_is_shown_as_a_bearers(loopback: Loopback) -> None:
    loopback.reply(body='{"data": []}')

    assert ask(at(loopback), KEY) == b'{"data": []}'

    [request] = loopback.requests
    assert (request.method, request.path, request.query) == ("GET", "/v1/models", {})
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_key_is_shown_in_a_header_of_the_providers_own(loopback: Loopback) -> None:
    loopback.reply(body="{}")

    ask(at(loopback, "header:x-api-key", "anthropic"), KEY)

    [request] = loopback.requests
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["authorization"] is None


def test_a_key_is_shown_in_the_query(loopback: Loopback) -> None:
    loopback.reply(body="{}")

    ask(at(loopback, "query:key"), KEY)

    [request] = loopback.requests
    assert request.query == {"key": [KEY]}
    assert request.headers["authorization"] is None


def test_a_key_in_the_query_leaves_the_rest_of_it(loopback: Loopback) -> None:
    loopback.reply(body="{}")

    ask(at(loopback, "query:key", path="/v1/models?pageSize=1000"), KEY)

    [request] = loopback.requests
    assert request.query == {"pageSize": ["1000"], "key": [KEY]}


@pytest.mark.parametrize(("auth", "key"), [("none", KEY), ("bearer", ""), ("header:x-api-key", ""), ("query:key", "")])
def test_no_key_is_shown_where_none_is_wanted_or_there(auth: str, key: str, loopback: Loopback) -> None:
    loopback.reply(body="{}")

    ask(at(loopback, auth), key)

    [request] = loopback.requests
    assert request.query == {}
    assert request.headers["authorization"] is None
    assert request.headers["x-api-key"] is None


def test_headers_of_ones_own_go_along_and_count_more(loopback: Loopback) -> None:
    loopback.reply(body="{}")

    ask(at(loopback), KEY, headers={"X-Team": "tea", "Authorization": "Basic own"})

    [request] = loopback.requests
    assert request.headers["x-team"] == "tea"
    assert request.headers.get_all("authorization") == ["Basic own"]


def test_an_answer_that_is_packed_is_unpacked(loopback: Loopback) -> None:
    loopback.reply(body=gzip.compress(b'{"data": []}'), headers={"content-encoding": "gzip"})

    assert ask(at(loopback), KEY) == b'{"data": []}'


def test_an_answer_in_chunks_is_read_whole(loopback: Loopback) -> None:
    loopback.reply(chunks=["ab", "cd"])

    assert ask(at(loopback), KEY) == b"abcd"


# What may go wrong.


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, ModelNotFoundError),
        (429, RateLimitError),
        (500, ServerError),
        (503, OverloadedError),
    ],
)
def test_a_failed_answer_becomes_the_error_it_means(status: int, kind: type[LLMError], loopback: Loopback) -> None:
    loopback.reply(
        status=status,
        json={"error": {"message": f"No, not with {KEY}.", "code": "odd"}},
        headers={"Retry-After": "7", "x-request-id": "r_1"},
    )

    error = refused(at(loopback))

    assert type(error) is kind
    assert (error.status_code, error.code, error.retry_after, error.request_id) == (status, "odd", 7.0, "r_1")
    assert str(error) == f"openai answered {status}: No, not with {MASK}."
    assert len(loopback.requests) == 1


def test_a_redirect_is_not_followed_with_the_key(loopback: Loopback) -> None:
    loopback.reply(status=302, headers={"location": f"{loopback.url}/elsewhere"})

    error = refused(at(loopback))

    assert type(error) is InvalidRequestError
    assert "redirect" in str(error)
    assert [request.path for request in loopback.requests] == ["/v1/models"]


def test_silence_is_a_timeout(loopback: Loopback) -> None:
    loopback.reply(delay=60.0)

    error = refused(at(loopback), timeout=Timeout(total=0.05))

    assert type(error) is LLMTimeoutError
    assert str(error) == f"openai: no answer from {loopback.url}/v1/models in time"
    assert "httpx.ReadTimeout" in str(error.__cause__)


def test_silence_after_a_beginning_is_a_timeout(loopback: Loopback) -> None:
    loopback.reply(chunks=["{", 60.0, "}"])

    assert type(refused(at(loopback), timeout=Timeout(total=0.05))) is LLMTimeoutError


def test_a_wait_for_the_first_byte_may_be_shorter(loopback: Loopback) -> None:
    loopback.reply(delay=60.0)

    assert type(refused(at(loopback), timeout=Timeout(first_byte=0.05))) is LLMTimeoutError


def test_an_answer_that_drips_in_ends_in_time(loopback: Loopback) -> None:
    """Each wait is short enough, all together would take minutes."""
    loopback.reply(chunks=[" ", 0.02] * 10_000)

    assert type(refused(at(loopback), timeout=Timeout(total=0.2))) is LLMTimeoutError


@pytest.mark.parametrize("broken", [{"drop": True}, {"cut": True, "body": "half"}, {"cut": True, "chunks": ["half"]}])
def test_a_broken_connection_is_one(broken: Scripted, loopback: Loopback) -> None:
    loopback.reply(**broken)

    error = refused(at(loopback))

    assert type(error) is LLMConnectionError
    assert error.retryable
    assert error.status_code is None


def test_nobody_at_the_address_is_no_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens

        error = refused(Endpoint("openai", f"http://127.0.0.1:{taken.getsockname()[1]}/models", "bearer"))

    assert type(error) is LLMConnectionError


@pytest.mark.parametrize(
    "url", ["example.org/models", "ftp://example.org", "http://[::1", "http://127.0.0.1:port", "://"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    error = refused(Endpoint("openai", url, "bearer"))

    assert type(error) is InvalidRequestError
    assert f"{url} is no web address" in str(error)


def test_an_answer_that_cannot_be_unpacked_is_unreadable(loopback: Loopback) -> None:
    loopback.reply(body=b"not packed at all", headers={"content-encoding": "gzip"})

    assert type(refused(at(loopback))) is InvalidResponseError


@pytest.mark.parametrize("key", [f"{KEY}\n", f"two {KEY}", f"{KEY}’"])
def test_a_key_that_no_header_can_carry_is_not_sent(key: str, loopback: Loopback) -> None:
    with pytest.raises(InvalidRequestError, match="api_key: contains a line break"):
        ask(at(loopback), key)

    assert loopback.requests == []


# Where to ask.


def facts(**known: Any) -> ProviderFacts:
    return ProviderFacts(**{"name": "openai", "title": "OpenAI", "env": (), "auth": "bearer", **known})


@pytest.mark.parametrize(
    ("base", "path", "own", "url"),
    [
        ("https://a.example/v1", "/models", None, "https://a.example/v1/models"),
        ("https://a.example/v1/", "models", None, "https://a.example/v1/models"),
        ("https://a.example/v1", "/models", "http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1/models"),
        ("https://a.example/v1", "https://b.example/api/tags", None, "https://b.example/api/tags"),
        ("https://a.example/v1", "https://b.example/api/tags", "http://127.0.0.1:1/v1", "http://127.0.0.1:1/api/tags"),
        ("https://a.example/v1", "https://b.example/m?all=1", "http://127.0.0.1:1", "http://127.0.0.1:1/m?all=1"),
        (None, "/models", "http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/models"),
    ],
)
def test_a_listing_is_below_the_base_url(base: str | None, path: str, own: str | None, url: str) -> None:
    endpoint = models_endpoint(facts(base_url=base, models_path=path), own)

    assert endpoint == Endpoint("openai", url, "bearer")


@pytest.mark.parametrize(
    "known",
    [
        {"base_url": "https://a.example"},
        {"models_path": "/models"},
        {"base_url": "https://a.example", "models_path": "/models", "auth": "aws"},
        {"base_url": "https://a.example", "models_path": "/models", "auth": "google"},
    ],
)
def test_where_nothing_is_listed_nothing_is_asked(known: dict[str, Any]) -> None:
    assert models_endpoint(facts(**known)) is None


def test_a_listing_that_anybody_may_read_tells_nothing_of_a_key() -> None:
    listing = {"base_url": "https://a.example", "models_path": "/models"}

    assert key_endpoint(facts(**listing)) == models_endpoint(facts(**listing))
    assert key_endpoint(facts(**listing, models_public=True)) is None
    elsewhere = key_endpoint(facts(**listing, models_public=True, key_check_path="/key"))
    assert elsewhere == Endpoint("openai", "https://a.example/key", "bearer")


@pytest.mark.parametrize("name", all_facts())
def test_every_known_provider_is_asked_at_the_users_own_address(name: str, loopback: Loopback) -> None:
    loopback.always(json={"data": [{"id": "some-model"}]})
    endpoint = models_endpoint(all_facts()[name], f"{loopback.url}/own")

    if endpoint is not None:
        assert read_models(ask(endpoint, KEY), name) == ["some-model"]
        [request] = loopback.requests
        if endpoint.auth != "none":
            shown = [*request.headers.values(), *(told for found in request.query.values() for told in found)]
            assert {KEY, f"Bearer {KEY}"} & set(shown)


def test_the_environment_may_name_the_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    known = facts(base_url_env=("OPENAI_BASE_URL", "OPENAI_API_BASE"))
    assert base_url_from_environment("openai", known) is None

    monkeypatch.setenv("OPENAI_API_BASE", "https://third.example")
    assert base_url_from_environment("openai", known) == "https://third.example"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://second.example")
    assert base_url_from_environment("openai", known) == "https://second.example"
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", "https://first.example")
    assert base_url_from_environment("openai", known) == "https://first.example"
    assert base_url_from_environment("openai", None) == "https://first.example"
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", " ")
    assert base_url_from_environment("openai", known) == "https://second.example"


# Reading a listing.


@pytest.mark.parametrize(
    "listing",
    [
        {"object": "list", "data": [{"id": "b", "object": "model"}, {"id": "a", "object": "model"}]},
        {"data": [{"type": "model", "id": "b", "display_name": "B"}, {"id": "a"}], "has_more": False},
        {"models": [{"name": "models/b", "displayName": "B"}, {"name": "models/a"}], "nextPageToken": "x"},
        {"models": [{"name": "b", "model": "b", "size": 1}, {"name": "a", "model": "a"}]},
        {"modelSummaries": [{"modelId": "b", "modelArn": "arn"}, {"modelId": "a"}]},
        {"resources": [{"model_id": "b", "label": "B"}, {"model_id": "a"}], "total_count": 2},
        [{"id": "b", "type": "chat"}, {"id": "a"}],
        ["b", "a", "b"],
        {"data": ["b", "a"]},
        {"data": [{"id": "b"}, {"id": "a"}, {"id": ""}, {"id": None}, {}, None, 5]},
    ],
)
def test_a_listing_of_any_form_is_read(listing: object) -> None:
    assert read_models(json.dumps(listing).encode(), "openai") == ["a", "b"]


@pytest.mark.parametrize("empty", ["[]", '{"data": []}', '{"models": [], "data": null}'])
def test_an_empty_listing_is_one(empty: str) -> None:
    assert read_models(empty.encode(), "openai") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"data": [',
        b"{}",
        b"5",
        b"null",
        b'"a"',
        b'{"data": {"id": "a"}}',
        b"\xff\xfe",
        b"[" * 200_000,
    ],
)
def test_a_listing_that_is_none_is_unreadable(body: bytes) -> None:
    with pytest.raises(InvalidResponseError) as caught:
        read_models(body, "openai")

    assert str(caught.value).startswith("openai gave a list of models that cannot be read: ")
    assert caught.value.provider == "openai"
    assert len(str(caught.value).splitlines()) == 1


@wild.needs_the_wild
@pytest.mark.parametrize(
    "record",
    [r for r in wild.records() if r["api"] == "models"],
    ids=lambda record: f"{record['provider']}-{record['id']}",
)
def test_a_recorded_listing_is_read(record: wild.Record) -> None:
    assert read_models(wild.body(record), record["provider"]) == sorted(set(record["expected"]["models"]))
