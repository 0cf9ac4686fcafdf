"""Nothing secret is saved: what names itself so is left out, and where a key is found all the same, nothing is."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from homeostasis_llm import ProviderFactory
from homeostasis_llm.testing.cassettes import Options, Rules, SecretFoundError, use_cassette
from tests.loopback import Loopback

KEY = "nobody/has+this=key-4711"
SHAPED = "sk-proj-" + "a1B2" * 8
"""Nobody's, but of the shape of a well-known provider's."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "it.yaml"


def record(loopback: Loopback, file: Path, options: Options | None = None, **asked: Any) -> str:
    with use_cassette(file, "once", options):
        httpx.request(**{"method": "POST", "url": f"{loopback.url}/v1", "json": {}, **asked})
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"Authorization": "Basic " + base64.b64encode(f"user:{KEY}".encode()).decode()},
        {"x-api-key": KEY},
        {"api-key": KEY},
        {"x-goog-api-key": KEY},
        {"cookie": f"session={KEY}; other=1"},
        {"proxy-authorization": f"Bearer {KEY}"},
        {"x-amz-security-token": KEY},
        {"ocp-apim-subscription-key": KEY},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_header_that_carries_a_key_is_left_out_and_the_key_known_from_then_on(
    headers: dict[str, str], loopback: Loopback, file: Path
) -> None:
    loopback.reply(json={"ok": True})
    loopback.reply(json={"echo": f"your key was {KEY}"})

    text = record(loopback, file, headers=headers)

    assert KEY not in text
    assert next(iter(headers)).lower() not in text.lower()
    with pytest.raises(SecretFoundError, match=r"exchanges\[0\]\.response\.json, line 2"):
        record(loopback, file.with_name("echo.yaml"), headers=headers)
    assert not file.with_name("echo.yaml").exists()


SPELLINGS = {
    "as it is": KEY,
    "in a URL": quote(KEY, safe=""),
    "in base64": base64.b64encode(KEY.encode()).decode(),
    "in base64 after other text": base64.b64encode(f"u:{KEY}".encode()).decode(),
    "in base64 of URLs": base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    "in JSON in JSON": json.dumps(json.dumps(KEY + '"')),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize(
    "place", ["request", "address", "path", "answer", "text", "stream", "packed", "binary", "header"]
)
def test_a_key_that_the_process_holds_is_found_in_every_place_and_spelling(
    place: str, spelling: str, loopback: Loopback, file: Path
) -> None:
    ProviderFactory.create_provider("openai", KEY)
    asked: dict[str, Any] = {}
    answer: dict[str, Any] = {"json": {"ok": 1}}
    match place:
        case "request":
            asked = {"json": {"messages": [{"content": f"Hi, {spelling}"}]}}
        case "address":
            asked = {"url": f"{loopback.url}/v1", "params": {"q": spelling}}
        case "path":
            asked = {"url": f"{loopback.url}/v1/{spelling.replace('/', '%2F').replace(chr(34), '')}/x"}
        case "answer":
            answer = {"json": {"deep": [{"er": spelling}]}}
        case "text":
            answer = {"body": f"a page\nwith {spelling}\n"}
        case "stream":
            answer = {"chunks": [f"data: {json.dumps({'t': spelling})}\n\n"]}
        case "packed":
            answer = {"body": gzip.compress(spelling.encode()), "headers": {"content-encoding": "gzip"}}
        case "binary":
            answer = {"body": b"\xff\xfe" + spelling.encode(), "headers": {"content-type": "application/octet-stream"}}
        case "header":
            answer = {"json": {}, "headers": {"x-ratelimit-of": spelling}}
    loopback.reply(**answer)

    with pytest.raises(
        SecretFoundError, match=r"not saved, for a key stands in .*exchanges\[0\]\.(request|response)\."
    ):
        record(loopback, file, **asked)

    assert list(file.parent.iterdir()) == []


def test_a_key_that_a_model_repeats_in_pieces_is_found(loopback: Loopback, file: Path) -> None:
    ProviderFactory.create_provider("openai", KEY)
    words = [KEY[start : start + 3] for start in range(0, len(KEY), 3)]
    loopback.reply(chunks=[f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n" for word in words])

    with pytest.raises(SecretFoundError, match=r"response\.sse, spread over several events"):
        record(loopback, file)


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "HOMEOSTASIS_MISTRAL_API_KEY", "MY_COMPANYS_SECRET"])
def test_a_key_in_the_environment_is_known_without_anybody_having_used_it(
    variable: str, loopback: Loopback, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, KEY)
    loopback.reply(json={"echo": KEY})

    with pytest.raises(SecretFoundError):
        record(loopback, file)


def test_somebody_elses_key_is_known_by_its_shape(loopback: Loopback, file: Path) -> None:
    loopback.reply(json={"text": f"use {SHAPED} for it"})

    with pytest.raises(SecretFoundError) as caught:
        record(loopback, file)

    assert SHAPED not in str(caught.value)


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "sig", "X-Amz-Signature", "client_secret"])
def test_a_parameter_of_an_address_that_is_called_like_a_secret_is_left_out(
    name: str, loopback: Loopback, file: Path
) -> None:
    loopback.reply(json={})

    text = record(loopback, file, url=f"{loopback.url}/v1?{name}={SHAPED}&alt=sse")

    assert SHAPED not in text
    assert f"{name}=[key removed]&alt=sse" in text
    with use_cassette(file):
        httpx.post(f"http://localhost/v1?alt=sse&{name}=another", json={})


@pytest.mark.parametrize("name", ["api_key", "apiKey", "access_token", "password", "client_secret", "authorization"])
def test_a_field_that_is_called_like_a_secret_is_left_out(name: str, loopback: Loopback, file: Path) -> None:
    loopback.reply(json={"token_type": "bearer", name: "of-nobodys-business"})

    text = record(loopback, file, json={"config": {name: "of-nobodys-business", "max_tokens": 7}})

    assert "of-nobodys-business" not in text
    assert '"max_tokens": 7' in text
    assert '"token_type": "bearer"' in text
    with use_cassette(file):
        httpx.post("http://localhost/v1", json={"config": {name: "another", "max_tokens": 7}})


def test_a_form_that_asks_for_a_token_is_kept_without_what_it_proves_itself_by(loopback: Loopback, file: Path) -> None:
    loopback.reply(json={})

    text = record(
        loopback, file, json=None, data={"grant_type": "jwt", "client_secret": "of-nobodys", "assertion": "x.y"}
    )

    assert "of-nobodys" not in text
    assert "x.y" not in text
    assert "grant_type=jwt" in text


def test_words_of_the_wire_that_only_sound_secret_are_kept(loopback: Loopback, file: Path) -> None:
    logprobs = {"token": " Paris", "logprob": -0.1, "key": "value", "prompt_tokens": 3, "total_tokens": 4}
    loopback.reply(json=logprobs)

    with use_cassette(file, "once"):
        httpx.post(loopback.url, json={})

    with use_cassette(file):
        assert httpx.post("http://localhost", json={}).json() == logprobs


def test_of_the_headers_of_an_answer_only_the_known_ones_are_kept(loopback: Loopback, file: Path) -> None:
    loopback.reply(
        json={},
        headers={
            "set-cookie": "session=1",
            "openai-organization": "acme",
            "openai-project": "proj",
            "x-request-id": "req_1",
            "x-ratelimit-remaining-requests": "59",
            "anthropic-ratelimit-tokens-remaining": "9",
            "x-of-mine": "1",
        },
    )

    text = record(loopback, file, Options(rules=Rules(keep_headers={"x-of-mine"})))

    assert "acme" not in text
    assert "cookie" not in text
    assert "openai-project" not in text
    for kept in ("x-request-id: req_1", "x-ratelimit-remaining-requests: '59'", "x-of-mine: '1'"):
        assert kept in text


def test_whose_account_it_is_is_left_out(loopback: Loopback, file: Path) -> None:
    loopback.reply(status=429, json={"message": "Rate limit in organization org-AbCdEfGhIjKlMnOp on tokens"})

    text = record(loopback, file, url=f"{loopback.url}/v1/projects/acme-secret-7/locations/eu")

    assert "org-AbCd" not in text
    assert "acme" not in text
    with use_cassette(file):
        httpx.post("http://localhost/v1/projects/another/locations/eu", json={})


def test_a_refused_key_that_the_provider_repeats_shortened_is_left_out(loopback: Loopback, file: Path) -> None:
    loopback.reply(status=401, json={"error": {"message": "Incorrect API key provided: sk-ab****************yz1."}})

    text = record(loopback, file)

    assert "sk-ab" not in text
    assert "Incorrect API key provided: [key removed]" in text


def test_a_project_has_more_of_its_own_removed_and_its_hosts_renamed(loopback: Loopback, file: Path) -> None:
    rules = Rules(scrub=[r"customer-\d+"], hosts={"localhost": "gateway.example"})
    loopback.reply(json={"name": "customer-77"})

    text = record(loopback, file, Options(rules=rules), json={"about": "customer-4711"})

    assert "customer-" not in text
    with use_cassette(file, options=Options(rules=rules)):
        httpx.post("http://localhost/v1", json={"about": "customer-1"})


def test_a_user_in_an_address_is_left_out(loopback: Loopback, file: Path) -> None:
    loopback.reply(json={})

    text = record(loopback, file, url=loopback.url.replace("http://", f"http://me:{quote(KEY, safe='')}@") + "/v1")

    assert "me:" not in text
    assert "url: http://localhost/v1" in text
