"""Nobody waits because of a recording, unless they ask to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeostasis_llm import LLMMessage, LLMRequest, ProviderFactory, RateLimitError
from homeostasis_llm.testing.cassettes import Options, use_cassette
from tests.loopback import Loopback

LONG_AGO = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "it.yaml"


def record(loopback: Loopback, file: Path, headers: dict[str, str], body: Any) -> None:
    loopback.reply(status=429, json=body, headers=headers)
    with use_cassette(file, "once"):
        httpx.get(loopback.url)


def play(file: Path, timing: Any = "at once") -> httpx.Response:
    with use_cassette(file, options=Options(timing=timing)):
        return httpx.get("http://localhost")


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "20"},
        {"retry-after": "0.5"},
        {"retry-after-ms": "20000"},
        {"retry-after": "Thu, 29 Feb 2024 12:01:00 GMT", "date": "Thu, 29 Feb 2024 12:00:00 GMT"},
        {"retry-after": "Thu, 29 Feb 2024 12:01:00 GMT"},
    ],
)
def test_who_was_told_to_wait_is_told_to_go_on(headers: dict[str, str], loopback: Loopback, file: Path) -> None:
    record(loopback, file, headers, {})
    told = next(name for name in headers if name.startswith("retry"))

    assert headers[told] in file.read_text(encoding="utf-8")
    assert play(file).headers[told] == "0"


def test_waits_in_the_body_of_an_error_are_none_either(loopback: Loopback, file: Path) -> None:
    body = {"error": {"details": [{"@type": "RetryInfo", "retryDelay": "37s"}], "retry_after": 3}, "estimated_time": 20}
    record(loopback, file, {}, body)

    played = play(file).json()

    assert played["error"]["details"][0] == {"@type": "RetryInfo", "retryDelay": "0s"}
    assert played["error"]["retry_after"] == played["estimated_time"] == 0
    assert play(file, "recorded").json() == body


def test_an_answer_that_is_no_error_keeps_such_words(loopback: Loopback, file: Path) -> None:
    loopback.reply(json={"retry_after": 3})
    with use_cassette(file, "once"):
        httpx.get(loopback.url)

    assert play(file).json() == {"retry_after": 3}


def test_in_its_own_time_a_wait_is_as_long_as_it_was_and_counts_from_now(loopback: Loopback, file: Path) -> None:
    until = LONG_AGO + timedelta(seconds=90)
    headers = {"retry-after": format_datetime(until, usegmt=True), "date": format_datetime(LONG_AGO, usegmt=True)}
    record(loopback, file, headers, {})
    # The server adds a date of its own, of today; ours is the one that counts.
    text = file.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.strip().startswith(("date:", "- ")) or "GMT" not in line]
    assert "Thu, 29 Feb 2024 12:01:30 GMT" in text
    dated = "\n".join(lines).replace(
        "      retry-after:", "      date: Thu, 29 Feb 2024 12:00:00 GMT\n      retry-after:"
    )
    file.write_text(dated + "\n", encoding="utf-8")

    answer = play(file, "recorded")

    date, retry = (parsedate_to_datetime(answer.headers[name]) for name in ("date", "retry-after"))
    assert retry - date == timedelta(seconds=90)
    assert abs(datetime.now(UTC) - date) < timedelta(minutes=5)


def test_a_chat_model_that_retries_does_not_wait_in_a_replay(
    loopback: Loopback, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    loopback.reply(status=429, json={"error": {"message": "slow down"}}, headers={"retry-after": "40"})
    loopback.reply(json={"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}]})

    def ask(url: str) -> str:
        with ProviderFactory.create_provider("openai", "k-1", base_url=url, default_model="m") as provider:
            return str(provider.as_chat_model(max_retries=1).invoke("Hi").content)

    with use_cassette(file, "once"):
        assert ask(f"{loopback.url}/v1") == "Paris"
    waited_while_recording = [wait for wait in slept if wait > 1]
    slept.clear()

    with use_cassette(file):
        assert ask("http://localhost/v1") == "Paris"

    assert waited_while_recording == [40]
    assert [wait for wait in slept if wait > 0] == []


def test_the_fact_itself_can_be_had(loopback: Loopback, file: Path) -> None:
    loopback.reply(status=429, json={"error": {"message": "slow down"}}, headers={"retry-after": "40"})
    request = LLMRequest(messages=[LLMMessage(role="user", content="Hi")])
    with use_cassette(file, "once"), pytest.raises(RateLimitError):
        ProviderFactory.create_provider("openai", "k-1", base_url=f"{loopback.url}/v1").complete(request)

    waits = []
    for timing in ("at once", "recorded"):
        with use_cassette(file, options=Options(timing=timing)), pytest.raises(RateLimitError) as caught:
            ProviderFactory.create_provider("openai", "k-1", base_url="http://localhost/v1").complete(request)
        waits.append(caught.value.retry_after)

    assert waits == [0, 40]
    assert json.dumps(waits) == "[0.0, 40.0]"
