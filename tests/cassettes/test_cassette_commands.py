"""`homeostasis llm cassettes …`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from homeostasis_llm import LLMProviderInterface, LLMRequest, LLMResponse, ProviderFactory
from homeostasis_llm.cli import homeostasis
from homeostasis_llm.testing.cassettes import use_cassette
from homeostasis_llm.testing.cassettes.file_format import Answer, Exchange, Recording, read, write
from homeostasis_llm.testing.cassettes.matching import Sent
from homeostasis_llm.testing.cassettes.matrix import CASES, WRONG_KEY
from tests.loopback import Loopback

ROOT = Path(__file__).parents[2]
KEY = "sk-proj-" + "a1B2" * 8
"""Nobody's, but of the shape of a well-known provider's."""


def run(*arguments: str) -> Result:
    words = ["llm", "cassettes", *arguments]
    return CliRunner().invoke(homeostasis, words, prog_name="homeostasis", catch_exceptions=False)


def a_recording(url: str = "http://localhost/v1", model: str = "m", **facts: Any) -> Recording:
    sent = Sent("POST", url, json.dumps({"model": model}).encode(), "application/json")
    answer = Answer(status=200, headers={"content-type": ["application/json"]}, body=b'{"a": 1}')
    return Recording(exchanges=[Exchange(sent=sent, answer=answer)], **facts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "cassettes"
    made.mkdir()
    (tmp_path / "test_it.py").write_text(
        "class TestIt:\n    async def test_there(self): ...\n\nclass TestMore(TestIt): ...\n\ndef test_here(): ...\n"
    )
    return made


def test_the_recordings_of_this_repository_are_in_order() -> None:
    result = run("check", str(ROOT / "cassettes"), "--root", str(ROOT))

    assert result.stdout == ""
    assert result.exit_code == 0


@pytest.mark.parametrize(
    "test",
    [
        "test_it.py::test_here",
        "test_it.py::test_here[a-b]",
        "test_it.py::TestIt::test_there",
        "test_it.py::TestMore::test_there",
        "",
    ],
)
def test_a_recording_whose_test_is_there_is_in_order(test: str, folder: Path) -> None:
    write(a_recording(test=test), folder / "it.yaml")

    result = run("check")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 recordings in cassettes, no problems." in result.stderr


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("gone.py::test_here", "its test is gone: there is no gone.py"),
        ("test_it.py::test_gone", "its test is gone: test_it.py has no test_gone"),
        ("test_it.py::TestIt::test_here", "its test is gone: test_it.py has no TestIt::test_here"),
    ],
)
def test_a_recording_whose_test_is_gone_is_found(test: str, told: str, folder: Path) -> None:
    write(a_recording(test=test), folder / "it.yaml")

    result = run("check")

    assert result.exit_code == 1
    assert f"unused  {told}" in result.stdout


def test_a_key_that_got_into_a_recording_by_hand_is_found_and_not_shown(folder: Path) -> None:
    write(a_recording(), folder / "it.yaml")
    text = (folder / "it.yaml").read_text(encoding="utf-8").replace('"a": 1', f'"a": "{KEY}"')
    (folder / "it.yaml").write_text(text, encoding="utf-8")

    checked, shown = run("check"), run("show", str(folder / "it.yaml"))

    assert checked.exit_code == 1
    assert "secret  a key stands in exchanges[0].response.json, line 2" in checked.stdout
    assert KEY not in checked.output + shown.output


def test_a_key_of_the_environment_is_found_in_a_recording(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(a_recording(note="made with of-nobody-4711"), folder / "it.yaml")
    monkeypatch.setenv("ACME_API_KEY", "of-nobody-4711")

    assert "secret  a key stands in note" in run("check").stdout


def test_a_file_that_cannot_be_read_is_found_and_the_others_are_checked_too(folder: Path) -> None:
    (folder / "a.yaml").write_text("version: 1\nexchanges: []\n")
    write(a_recording(test="gone.py::test"), folder / "b" / "c.yaml")

    lines = run("check").stdout.splitlines()

    assert [line.split()[:2] for line in lines[1:]] == [
        ["cassettes/a.yaml", "format"],
        ["cassettes/b/c.yaml", "unused"],
    ]
    assert "it was cut off" in lines[1]


def test_a_recording_of_plain_vcrpy_is_found_with_the_keys_it_has_kept(folder: Path) -> None:
    (folder / "it.yaml").write_text(
        "version: 1\ninteractions:\n- request:\n    method: GET\n    uri: http://x/\n    body: null\n"
        f"    headers: {{authorization: [Bearer {KEY}]}}\n"
        "  response:\n    status: {code: 200, message: OK}\n    headers: {}\n    body: {string: hi}\n"
    )

    told = run("check").stdout

    assert "is of plain vcrpy, which leaves secrets in" in told
    assert "secret  a key stands in file, line 7" in told


def test_a_model_that_its_provider_no_longer_lists_is_found(folder: Path) -> None:
    listed = "gpt-4o"
    for name, url, model in (
        ("old", "https://api.openai.com/v1/chat/completions", "gpt-of-the-past"),
        ("listed", "https://api.openai.com/v1/chat/completions", listed),
        ("unknown_host", "https://gateway.example/v1", "gpt-of-the-past"),
    ):
        write(a_recording(url, model), folder / f"{name}.yaml")

    lines = run("check").stdout.splitlines()[1:]

    assert [line.split()[0] for line in lines] == ["cassettes/old.yaml"]
    assert lines[0].endswith("stale  OpenAI no longer lists the model gpt-of-the-past")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "test_an_answer_is_read[openai-multi_turn]",
            ["user: My name is Ada.", "assistant: Hello Ada!", "→ 200 OK", "ended by: stop", '"prompt_tokens": 49'],
        ),
        ("test_an_answer_is_read[openai-streamed]", ["events", "assistant: The capital of France is Paris."]),
        ("test_an_answer_is_read[anthropic-streamed]", ["assistant: The capital of France is Paris.", "end_turn"]),
        ("test_an_answer_is_read[anthropic-system_prompt]", ["system: You are a parrot."]),
        ("test_an_answer_is_read[anthropic-wrong_key]", ["→ 401 Unauthorized", "Invalid API Key"]),
        ("test_a_call_is_read[tools]", ["note: The model is too small", 'calls: get_weather({ "city": "Paris" })']),
        ("test_a_call_is_read[tools_streamed]", ["tool: get_weather", 'calls: get_weather({ "city": "Paris" })']),
        ("test_a_call_is_read[tool_result]", ['assistant calls: get_weather({"city": "Paris"})', "tool: Sunny"]),
        ("test_the_responses_wire_is_as_documented[plain]", ["user: What is", "assistant: The capital of France"]),
        ("test_the_responses_wire_is_as_documented[streamed]", ["assistant: The capital of France is Paris.\n"]),
    ],
)
def test_a_recording_is_shown_as_a_conversation(name: str, told: list[str]) -> None:
    shown = run("show", str(ROOT / "cassettes" / "test_recorded_llama_cpp" / f"{name}.yaml")).stdout

    for words in told:
        assert words in shown


def test_other_wires_are_shown_too(tmp_path: Path) -> None:
    wires = [
        (
            {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            },
            {
                "candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
                "usageMetadata": {"a": 1},
            },
            ["system: Be brief.", "user: Hi", "assistant: Hello", "ended by: STOP", 'usage: {"a": 1}'],
        ),
        (
            {
                "system": [{"type": "text", "text": "Be brief."}],
                "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            },
            {"content": [{"type": "tool_use", "name": "look", "input": {"a": 1}}], "stop_reason": "tool_use"},
            ["system: Be brief.", "user: Hi", 'calls: look({"a": 1})', "ended by: tool_use"],
        ),
    ]
    for number, (asked, told, words) in enumerate(wires):
        sent = Sent("POST", "http://localhost/", json.dumps(asked).encode())
        answer = Answer(status=200, headers={"content-type": ["application/json"]}, body=json.dumps(told).encode())
        write(Recording(exchanges=[Exchange(sent=sent, answer=answer)]), tmp_path / f"{number}.yaml")

        shown = run("show", str(tmp_path / f"{number}.yaml")).stdout

        assert [word for word in words if word not in shown] == []


def test_a_page_is_shown_as_it_is(tmp_path: Path) -> None:
    answer = Answer(status=502, headers={"content-type": ["text/html"]}, body=b"<h1>Bad Gateway</h1>")
    write(Recording(exchanges=[Exchange(sent=Sent("GET", "http://x/", b""), answer=answer)]), tmp_path / "it.yaml")

    assert "→ 502 Bad Gateway\n   <h1>Bad Gateway</h1>" in run("show", str(tmp_path / "it.yaml")).stdout


def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text("hello: 1\n")

    result = run("show", str(tmp_path / "it.yaml"))

    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path}/it.yaml: is no recording of ours or of vcrpy's: it has no `exchanges`\n"


PARIS = {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}], "model": "m"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("stream", [False, True])
def test_one_question_is_recorded_for_a_report(
    stream: bool, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-nobody-4711")
    chunk = {"choices": [{"delta": {"content": "Paris"}, "finish_reason": "stop", "index": 0}]}
    loopback.always(**({"chunks": [f"data: {json.dumps(chunk)}\n\n"]} if stream else {"json": PARIS}))

    words = (
        "record",
        "-p",
        "openai",
        "--base-url",
        f"{loopback.url}/v1",
        "--prompt",
        "Where?",
        "--system",
        "Be brief.",
    )
    result = run(*words, "--max-tokens", "9", *(["--stream"] if stream else []))

    assert (result.exit_code, result.stdout) == (0, "openai.yaml\n")
    assert "of-nobody-4711" not in Path("openai.yaml").read_text(encoding="utf-8")
    assert loopback.requests[0].headers["authorization"] == "Bearer of-nobody-4711"
    shown = run("show", "openai.yaml").stdout
    for told in ("user: Where?", "system: Be brief.", "assistant: Paris"):
        assert told in shown


@pytest.mark.usefixtures("folder")
def test_a_failure_is_recorded_too_for_that_is_what_a_report_is_about(loopback: Loopback) -> None:
    loopback.always(status=500, json={"error": {"message": "it broke"}})
    ProviderFactory.create_provider("openai", "of-nobody-4711")

    words = ("record", "-p", "openai", "--base-url", f"{loopback.url}/v1", "--prompt", "Hi", "-o", "report.yaml")
    result = run(*words)

    assert (result.exit_code, result.stdout) == (0, "report.yaml\n")
    assert "it broke" in result.stderr
    assert read(Path("report.yaml")).exchanges[0].answer.status == 500


@pytest.mark.usefixtures("folder")
def test_who_sends_nothing_cannot_be_recorded() -> None:
    class Inside(LLMProviderInterface):
        name = "inside"
        default_model = "m"

        def complete(self, request: LLMRequest) -> LLMResponse:  # noqa: ARG002
            return LLMResponse(content="Hi")

        def validate_key(self, api_key: str) -> bool:  # noqa: ARG002
            return True

        def get_available_models(self) -> list[str]:
            return []

    ProviderFactory.register("inside", Inside)
    inside = run("record", "-p", "inside", "--prompt", "Hi")
    ProviderFactory.unregister("inside")

    assert inside.exit_code == 1
    assert inside.stderr == "Error: inside has sent nothing over HTTP, so there is nothing to record\n"
    assert list(Path().glob("*.yaml")) == []


@pytest.mark.usefixtures("folder")
def test_that_nobody_answers_is_recorded_too() -> None:
    result = run("record", "-p", "openai", "--base-url", "http://127.0.0.1:1/v1", "--prompt", "Hi")

    assert (result.exit_code, result.stdout) == (0, "openai.yaml\n")
    assert "→ no answer: ConnectError: [Errno 111] Connection refused" in run("show", "openai.yaml").stdout


@pytest.mark.usefixtures("folder")
def test_the_matrix_is_recorded_case_by_case_and_what_is_not_as_it_should_be_is_told(loopback: Loopback) -> None:
    loopback.always(json={**PARIS, "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    words = ("record", "-p", "openai", "--base-url", f"{loopback.url}/v1", "--model", "m", "--matrix")
    result = run(*words)

    files = {file.stem for file in Path("cassettes/matrix/openai").glob("*.yaml")}
    assert files == {case.name for case in CASES if not case.costly}
    assert result.exit_code == 1
    rows = {line.split()[0]: line for line in result.stdout.splitlines()[1:]}
    assert rows["plain"].endswith("ok")
    assert "ended by stop" in rows["length_cut"]
    assert "no AuthenticationError" in rows["wrong_key"]
    assert any(request.headers["authorization"] == f"Bearer {WRONG_KEY}" for request in loopback.requests)
    with use_cassette(Path("cassettes/matrix/openai/plain.yaml")):
        provider = ProviderFactory.create_provider("openai", "any", base_url="http://localhost/v1", default_model="m")
        assert provider.complete(CASES[0].request).content == "Paris"


@pytest.mark.parametrize("words", [(), ("--prompt", "Hi", "--matrix")])
def test_it_is_either_a_prompt_or_the_matrix(words: tuple[str, ...]) -> None:
    result = run("record", "-p", "openai", *words)

    assert result.exit_code == 2
    assert "Give either --prompt or --matrix." in result.stderr


def test_without_what_tests_need_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "vcr" else object())

    result = run("check", str(ROOT / "cassettes"))

    assert result.exit_code == 1
    assert result.stderr == "Error: Recordings need vcr: pip install 'homeostasis-llm[testing]'\n"
