"""A recording answers what it was made for, and nothing else; what differs is told."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeostasis_llm.testing.cassettes import (
    NotPlayedError,
    NotRecordedError,
    Options,
    UnreadableCassetteError,
    use_cassette,
)
from tests.loopback import Loopback

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0.0, "stream": False}


@pytest.fixture
def file(loopback: Loopback, tmp_path: Path) -> Path:
    loopback.always(json={"answer": 1})
    path = tmp_path / "it.yaml"
    with use_cassette(path, "once"):
        httpx.post(f"{loopback.url}/v1/chat?b=2&a=1&empty=", json=BODY)
    return path


def play(file: Path, options: Options | None = None, **differing: Any) -> None:
    asked = {"method": "POST", "url": "http://localhost/v1/chat?b=2&a=1&empty=", "json": BODY, **differing}
    with use_cassette(file, options=options):
        httpx.request(**asked)


@pytest.mark.parametrize(
    "differing",
    [
        {"url": "http://127.0.0.1:4711/v1/chat?a=1&b=2&empty="},
        {"url": "http://[::1]/v1/chat?empty=&a=1&b=2"},
        {"json": dict(reversed(BODY.items()))},
        {"json": {**BODY, "temperature": 0}},
        {"headers": {"authorization": "Bearer another", "user-agent": "another"}},
    ],
)
def test_who_asks_the_same_is_answered(differing: dict[str, Any], file: Path) -> None:
    play(file, **differing)


def test_a_docstring_that_python_has_indented_otherwise_is_the_same(loopback: Loopback, tmp_path: Path) -> None:
    def asking(description: str, content: str = "Hello") -> dict[str, Any]:
        return {"content": content, "tools": [{"function": {"description": description}}]}

    loopback.always(json={})
    path = tmp_path / "it.yaml"
    with use_cassette(path, "once"):
        httpx.post(loopback.url, json=asking("Add.\n\n        a: the first\n          of two\n    ", "x\n  y"))

    with use_cassette(path):
        httpx.post("http://localhost", json=asking("Add.\n\na: the first\n  of two", "x\n  y"))
    others = asking("Add.\n\na: the first\nof two", "x\n  y"), asking("Add.\n\na: the first\n  of two", "x\ny")
    for differing in others:
        with pytest.raises(NotRecordedError), use_cassette(path):
            httpx.post("http://localhost", json=differing)


@pytest.mark.parametrize(
    ("differing", "told"),
    [
        ({"method": "PUT"}, "method: sent 'PUT', recorded 'POST'"),
        ({"url": "https://localhost/v1/chat?b=2&a=1&empty="}, "scheme: sent 'https', recorded 'http'"),
        ({"url": "http://example.com/v1/chat?b=2&a=1&empty="}, "host: sent 'example.com', recorded 'localhost'"),
        ({"url": "http://localhost/v2/chat?b=2&a=1&empty="}, "path: sent '/v2/chat', recorded '/v1/chat'"),
        ({"url": "http://localhost/v1/chat?b=3&a=1&empty="}, "query: sent"),
        ({"url": "http://localhost/v1/chat?b=2&a=1"}, "query: sent"),
        ({"json": {**BODY, "temperature": 0.7}}, "temperature: sent 0.7, recorded 0.0"),
        ({"json": {**BODY, "temperature": False}}, "temperature: sent false, recorded 0.0"),
        ({"json": {**BODY, "stream": 0}}, "stream: sent 0, recorded false"),
        ({"json": {**BODY, "top_p": None}}, "top_p: sent null, not recorded"),
        ({"json": {"model": "m", "messages": [], "temperature": 0}}, "stream: not sent, recorded false"),
        (
            {"json": {**BODY, "messages": [{"role": "user", "content": "Bye"}]}},
            'messages.0.content: sent "Bye", recorded "Hello"',
        ),
    ],
)
def test_what_differs_from_the_nearest_recording_is_told(differing: dict[str, Any], told: str, file: Path) -> None:
    with pytest.raises(NotRecordedError) as caught:
        play(file, **differing)

    assert told in str(caught.value)
    assert str(file) in str(caught.value)


def test_of_a_long_text_only_the_lines_that_differ_are_shown(loopback: Loopback, tmp_path: Path) -> None:
    lines = [f"line {number} of a long prompt" for number in range(200)]
    loopback.reply(json={})
    with use_cassette(tmp_path / "it.yaml", "once"):
        httpx.post(loopback.url, json={"prompt": "\n".join(lines)})
    lines[100] = "another line"

    with pytest.raises(NotRecordedError) as caught:
        play(tmp_path / "it.yaml", url="http://localhost", json={"prompt": "\n".join(lines)})

    assert "-line 100 of a long prompt" in str(caught.value)
    assert "+another line" in str(caught.value)
    assert len(str(caught.value).splitlines()) < 15


def test_the_nearest_of_several_is_shown(loopback: Loopback, tmp_path: Path) -> None:
    loopback.always(json={})
    with use_cassette(tmp_path / "it.yaml", "once"):
        httpx.get(f"{loopback.url}/models")
        httpx.post(f"{loopback.url}/chat", json={"a": 1, "b": 2, "c": 3})
        httpx.post(f"{loopback.url}/chat", json={"a": 7, "b": 8, "c": 9})

    with pytest.raises(NotRecordedError, match="c: sent 4, recorded 3"):
        play(tmp_path / "it.yaml", url="http://localhost/chat", json={"a": 1, "b": 2, "c": 4})


def test_what_is_to_be_ignored_may_differ_and_nothing_else(file: Path) -> None:
    options = Options(ignore=["metadata.run_id", "messages.*.id"])
    message = {"role": "user", "content": "Hello", "id": "x"}

    play(file, options, json={**BODY, "messages": [message]})
    with pytest.raises(NotRecordedError, match=r"messages\.0\.name"):
        play(file, options, json={**BODY, "messages": [{**message, "name": "y"}]})


def test_forms_and_files_are_compared_by_what_they_hold(loopback: Loopback, tmp_path: Path) -> None:
    loopback.always(json={})
    upload = {"file": ("a.txt", b"what is in it", "text/plain")}
    with use_cassette(tmp_path / "it.yaml", "once"):
        httpx.post(loopback.url, data={"a": "1", "b": "2"})
        httpx.post(loopback.url, files=upload)  # with another boundary each time

    with use_cassette(tmp_path / "it.yaml"):
        httpx.post("http://localhost", data={"b": "2", "a": "1"})
        httpx.post("http://localhost", files=upload)
    with pytest.raises(NotRecordedError):
        play(tmp_path / "it.yaml", url="http://localhost", json=None, files={"file": ("a.txt", b"other", "text/plain")})


def test_a_recording_that_is_not_played_to_its_end_fails(loopback: Loopback, tmp_path: Path) -> None:
    loopback.always(json={})
    with use_cassette(tmp_path / "it.yaml", "once"):
        httpx.get(f"{loopback.url}/one")
        httpx.get(f"{loopback.url}/two")

    with pytest.raises(NotPlayedError, match=r"not asked by the test: 2\. GET http://localhost/two"):
        play(tmp_path / "it.yaml", method="GET", url="http://localhost/one", json=None)


def test_an_answer_plays_once(file: Path) -> None:
    def play_twice() -> None:
        with use_cassette(file):
            for _ in range(2):
                httpx.post("http://localhost/v1/chat?b=2&a=1&empty=", json=BODY)

    with pytest.raises(NotRecordedError, match="Nothing is recorded that has not been played already"):
        play_twice()


def test_a_refusal_that_the_code_under_test_has_swallowed_is_found_all_the_same(file: Path) -> None:
    def swallow() -> None:
        with use_cassette(file):
            httpx.post("http://localhost/v1/chat?b=2&a=1&empty=", json=BODY)
            with contextlib.suppress(BaseException):  # what code under test should never do
                httpx.get("http://localhost/elsewhere")

    with pytest.raises(NotRecordedError, match="/elsewhere"):
        swallow()


def test_code_that_tries_again_on_every_exception_does_not_try_again_here(file: Path) -> None:
    tries = 0

    def insist() -> None:
        nonlocal tries
        with use_cassette(file):
            for _ in range(3):
                tries += 1
                with contextlib.suppress(Exception):  # as a failover does
                    httpx.get("http://localhost/elsewhere")

    with pytest.raises(NotRecordedError):
        insist()

    assert tries == 1


def test_where_nothing_is_recorded_the_command_that_records_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotRecordedError, match=r"There is no such file.*pytest --record-mode=once"):
        play(tmp_path / "none.yaml")


def test_times_that_do_not_fit_the_pieces_are_refused(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace("arrived: [", "arrived: [0.1, "), encoding="utf-8")

    with pytest.raises(UnreadableCassetteError, match="arrived: has 2 times for 1 pieces"):
        play(file)
