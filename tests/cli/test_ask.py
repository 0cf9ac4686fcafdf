"""`homeostasis llm ask`: what is sent, what is printed, and what is said when it fails."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import keyring
import pytest

from homeostasis_llm.cli.choice import choose
from homeostasis_llm.keys.lookup import SERVICE
from tests.loopback import Loopback

from .conftest import SENT_KEY, Run

pytestmark = pytest.mark.usefixtures("scripted")


def sse(*texts: str, end: bool = True) -> list[bytes | str | float]:
    """A stream of chat completions that says `texts`."""
    chunks = [_chunk({"content": text}) for text in texts]
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    ending = [_chunk({}, finish_reason="stop"), _chunk(None, usage=usage)]
    return [
        *(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks + (ending if end else [])),
        *(["data: [DONE]\n\n"] * end),
    ]


def _chunk(delta: dict[str, str] | None, finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-test-1",
        "choices": choices,
    }
    return {**chunk, **more}


COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-test-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


# ------------------------------------------------------------------------------------------------- what is printed


def test_the_answer_is_all_that_stands_on_standard_output(run: Run) -> None:
    asked = run("llm", "ask", "hi", "-p", "scripted")

    assert (asked.stdout, asked.stderr, asked.exit_code) == ("Hello, world\n", "", 0)


def test_an_answer_that_ends_its_line_gets_no_second_end(run: Run) -> None:
    streamed = run("llm", "ask", "hi", "-p", "scripted", "-m", "line")
    whole = run("llm", "ask", "hi", "-p", "scripted", "-m", "line", "--no-stream")

    assert streamed.stdout == whole.stdout == "ends its line\n"


@pytest.mark.parametrize("how", [(), ("--no-stream",)])
def test_an_answer_without_text_prints_nothing(how: tuple[str, ...], run: Run) -> None:
    asked = run("llm", "ask", "hi", "-p", "scripted", "-m", "nothing", *how)

    assert (asked.stdout, asked.exit_code) == ("", 0)


def test_whole_and_streamed_answers_read_the_same(run: Run) -> None:
    assert run("llm", "ask", "hi", "-p", "scripted", "--no-stream").stdout == "Hello, world\n"


def test_json_is_one_object_with_all_that_is_known(run: Run) -> None:
    asked = run("llm", "ask", "hi", "-p", "scripted", "--json")

    answer = json.loads(asked.stdout)
    assert asked.stdout.count("\n") == 1
    assert answer["content"] == "Hello, world"
    assert answer["provider"] == "scripted"
    assert answer["model"] == "plain-1"
    assert answer["finish_reason"] == "stop"
    assert answer["usage"]["input_tokens"] == 5
    assert answer["usage"]["total_tokens"] == 8
    assert "raw" not in answer["usage"]
    assert answer["tool_calls"] == []
    assert answer["latency"] == 0.25
    assert answer["cost"] == 0.000012


def test_verbose_says_on_standard_error_who_answered_and_what_it_took(run: Run) -> None:
    asked = run("llm", "ask", "hi", "-p", "scripted", "-v")

    assert asked.stdout == "Hello, world\n"
    tried, account = asked.stderr.splitlines()
    assert re.fullmatch(r"scripted answered in \d\.\d\d s: the request prefers it", tried)
    assert account == "scripted:plain-1, 5 tokens read, 3 tokens written, 0.25 s, $0.000012, ended by: stop"


def test_an_answer_that_was_cut_short_is_told_apart(run: Run) -> None:
    asked = run("llm", "ask", "hi", "-p", "scripted", "-m", "cut short")

    assert asked.stdout == "no more\n"
    assert asked.stderr == "The answer ended early: length.\n"


# --------------------------------------------------------------------------------------------------- what is sent


def test_what_is_asked_is_what_is_sent(run: Run, openai: Loopback) -> None:
    openai.reply(chunks=sse("Par", "is."))

    asked = run(
        *("llm", "ask", "The capital of France?", "-m", "openai:gpt-test", "--system", "Be brief."),
        *("--temperature", "0", "--max-tokens", "7"),
    )

    assert (asked.stdout, asked.stderr) == ("Paris.\n", "")
    (request,) = openai.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {SENT_KEY}"
    assert request.json["model"] == "gpt-test"
    assert request.json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "The capital of France?"},
    ]
    assert request.json["temperature"] == 0.0
    assert 7 in {request.json.get("max_tokens"), request.json.get("max_completion_tokens")}
    assert request.json["stream"] is True


def test_no_stream_asks_for_none(run: Run, openai: Loopback) -> None:
    openai.reply(json=COMPLETION)

    asked = run("llm", "ask", "The capital of France?", "-p", "openai", "-m", "gpt-test", "--no-stream", "-v")

    assert asked.stdout == "Paris.\n"
    assert asked.stderr.splitlines()[-1].startswith("openai:gpt-test-1, 9 tokens read, 2 tokens written, ")
    assert not openai.requests[0].json.get("stream")


@pytest.mark.parametrize("lane", ["direct", "full"])
def test_verbose_says_by_which_lane_litellm_was_called(
    lane: str, run: Run, openai: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEOSTASIS_LITELLM_LANE", lane)
    openai.reply(json=COMPLETION)
    openai.reply(json=COMPLETION)

    asked = run("llm", "ask", "Where?", "-p", "openai", "-m", "gpt-test", "--no-stream", "-v")
    quiet = run("llm", "ask", "Where?", "-p", "openai", "-m", "gpt-test", "--no-stream")

    assert asked.stderr.splitlines()[-1].endswith(f", {lane} lane")
    assert quiet.stderr == ""


def test_a_schema_is_sent_along(run: Run, openai: Loopback, tmp_path: Path) -> None:
    openai.reply(chunks=sse('{"city": "Paris"}'))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    (tmp_path / "city.json").write_text(json.dumps(schema), encoding="utf-8")

    asked = run("llm", "ask", "Where?", "-m", "openai:gpt-test", "--json-schema", str(tmp_path / "city.json"))

    assert asked.stdout == '{"city": "Paris"}\n'
    sent = openai.requests[0].json["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"] == schema


@pytest.mark.parametrize(
    ("arguments", "stdin", "question"),
    [
        (["hi"], None, "hi"),
        (["hi"], "", "hi"),
        ([], "piped\n", "piped"),
        (["-"], "piped\n", "piped\n"),
        (["What is this?"], "some text\n", "some text\n\nWhat is this?"),
        (["hi"], "\ufeffwith a mark", "with a mark\n\nhi"),
    ],
)
def test_the_prompt_comes_from_the_argument_from_a_pipe_or_from_both(
    arguments: list[str], stdin: str | None, question: str, run: Run
) -> None:
    asked = run("llm", "ask", *arguments, "-p", "scripted", "-m", "repeats the question", stdin=stdin)

    assert asked.stdout.removesuffix("\n") == question.removesuffix("\n")


# ---------------------------------------------------------------------------------------------------- who answers


def test_a_key_in_the_environment_decides_who_answers_and_only_verbose_says_so(run: Run, openai: Loopback) -> None:
    openai.always(chunks=sse("Paris."))

    quiet, verbose = run("llm", "ask", "Where?"), run("llm", "ask", "Where?", "-v")

    assert (quiet.stdout, quiet.stderr) == ("Paris.\n", "")
    assert re.match(r"openai answered in .* s: its key was found\n", verbose.stderr)
    assert SENT_KEY not in verbose.output


def test_the_active_provider_goes_before_any_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SENT_KEY)
    run("llm", "set-active-provider", "scripted")

    asked = run("llm", "ask", "hi", "-v")

    assert asked.stdout == "Hello, world\n"
    assert re.match(r"scripted answered in .* s: it is the active provider\n", asked.stderr)


@pytest.mark.parametrize("variable", ["AZURE_API_KEY", "CLOUDFLARE_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"])
def test_who_needs_to_be_told_more_than_a_key_is_not_chosen(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, SENT_KEY)

    assert choose(None, None).first == "llama_cpp"


@pytest.mark.parametrize(
    ("provider", "model", "chosen"),
    [
        ("openai", "gpt-test", ("openai", "openai:gpt-test")),
        ("openai", "openai:gpt-test", ("openai", "openai:gpt-test")),
        ("ollama", "llama3:8b", ("ollama", "ollama:llama3:8b")),
        (None, "ollama:llama3:8b", ("ollama", "ollama:llama3:8b")),
        (None, "OpenAI:gpt-test", ("openai", "OpenAI:gpt-test")),
    ],
)
def test_a_model_may_name_its_provider(provider: str | None, model: str, chosen: tuple[str, str]) -> None:
    choice = choose(provider, model)

    assert (choice.first, choice.preferred) == chosen
    assert (choice.model, choice.note) == (None, None)


def test_makers_of_models_go_before_those_who_run_the_models_of_others(
    run: Run, openai: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    openai.always(chunks=sse("Paris."))
    for variable in ("HF_TOKEN", "AZURE_API_KEY", "GROQ_API_KEY", "WANDB_API_KEY"):
        monkeypatch.setenv(variable, f"other-{SENT_KEY}")

    asked = run("llm", "ask", "Where?", "-v")

    assert asked.stderr.startswith("openai answered in ")


def test_a_model_without_its_provider_goes_to_the_one_whose_key_is_found(run: Run, openai: Loopback) -> None:
    openai.reply(chunks=sse("Paris."))

    run("llm", "ask", "Where?", "-m", "gpt-test")

    assert openai.requests[0].json["model"] == "gpt-test"


def test_a_key_in_the_keyring_counts_where_the_environment_has_none(
    run: Run, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{loopback.url}/v1")
    keyring.set_password(SERVICE, "openai", SENT_KEY)
    loopback.reply(chunks=sse("Paris."))

    asked = run("llm", "ask", "Where?", "-v")

    assert re.match(r"openai answered in .* s: its key was found\n", asked.stderr)
    assert loopback.requests[0].headers["authorization"] == f"Bearer {SENT_KEY}"


def test_without_any_key_the_embedded_model_answers_and_says_so_in_one_line(run: Run) -> None:
    asked = run("llm", "ask", "What is the capital of France?")

    assert asked.exit_code == 0, asked.stderr
    assert "Paris" in asked.stdout
    assert asked.stderr == (
        "llama_cpp answers: no key was found; this is a small model in this process, for trying things.\n"
    )


def test_the_embedded_model_keeps_to_a_schema(run: Run, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}
    (tmp_path / "schema.json").write_text(json.dumps(schema), encoding="utf-8")

    asked = run("llm", "ask", "A city in France?", "-p", "llama_cpp", "--json-schema", str(tmp_path / "schema.json"))

    assert isinstance(json.loads(asked.stdout)["city"], str)


def test_without_key_and_without_embedded_model_one_line_tells_the_ways_out(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from homeostasis_llm.cli import choice

    monkeypatch.setattr(choice, "EMBEDDED", "not_installed")  # uninstalling it would do the same

    asked = run("llm", "ask", "hi")

    assert (asked.exit_code, asked.stdout) == (1, "")
    assert asked.stderr.count("\n") == 1
    for way_out in ("OPENAI_API_KEY", "homeostasis llm providers", "pip install homeostasis-llm-llama-cpp"):
        assert way_out in asked.stderr


# ----------------------------------------------------------------------------------------------------- what fails


@pytest.mark.parametrize(("status", "says"), [(401, "key"), (404, "model"), (429, "rate"), (500, "openai")])
@pytest.mark.parametrize("how", [(), ("--no-stream",), ("--json",)])
def test_a_failure_is_one_line_on_standard_error(
    status: int, says: str, how: tuple[str, ...], *, run: Run, openai: Loopback, home: Path
) -> None:
    folder = home / ".config" / "homeostasis-llm"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("failover = {max_retries = 0}\n", encoding="utf-8")
    openai.always(status=status, json={"error": {"message": f"rate, model or key {SENT_KEY}\nrefused", "type": "x"}})

    asked = run("llm", "ask", "hi", "-m", "openai:gpt-test", *how)

    assert (asked.exit_code, asked.stdout) == (1, "")
    assert asked.stderr.startswith("Error: ")
    assert asked.stderr.count("\n") == 1
    assert says in asked.stderr
    assert SENT_KEY not in asked.output
    assert len(openai.requests) == 1


def test_what_had_come_before_a_stream_broke_stays(run: Run) -> None:
    asked = run("llm", "ask", "hi", "-p", "scripted", "-m", "breaks")

    assert asked.exit_code == 1
    assert asked.stdout == "half an ans\n"
    assert asked.stderr == "Error: scripted: the connection broke in the [31mmiddle\n"


def test_a_provider_that_hangs_up_midway_is_an_error_and_no_answer(run: Run, openai: Loopback) -> None:
    openai.reply(chunks=sse("half an", " ans", end=False), cut=True)

    asked = run("llm", "ask", "hi", "-m", "openai:gpt-test")

    assert asked.exit_code == 1
    assert asked.stdout == "half an ans\n"
    assert asked.stderr.startswith("Error: ")
    assert asked.stderr.count("\n") == 1


def test_a_providers_own_mistake_is_told_as_its_own(run: Run) -> None:
    asked = run("llm", "ask", "hi", "-p", "scripted", "-m", "bug")

    assert (asked.exit_code, asked.stdout) == (1, "")
    assert asked.stderr == "Error: scripted raised ZeroDivisionError: division by zero\n"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["hi", "-p", "opnai"], 1, "did you mean 'openai'?"),
        (["hi", "-m", "opnai:gpt-test"], 1, "did you mean 'openai'?"),
        (["hi", "-m", ":gpt-test"], 1, "PROVIDER:MODEL"),
        (["hi", "-m", "openai:"], 1, "PROVIDER:MODEL"),
        (["hi", "-m", ""], 1, "--model: is empty"),
        (["hi", "-p", " "], 1, "--provider: is empty"),
        (["hi", "-p", "openai"], 1, "OPENAI_API_KEY"),
        (["hi", "--prvider", "openai"], 2, "Did you mean '--provider'?"),
        (["hi", "--temperature", "warm"], 2, "'warm' is not a valid float"),
        (["hi", "--temperature", "-1"], 2, "-1.0 is not in the range x>=0"),
        (["hi", "-p", "scripted", "--temperature", "nan"], 1, "LLMRequest.temperature"),
        (["hi", "--max-tokens", "many"], 2, "'many' is not a valid integer"),
        (["hi", "--max-tokens", "0"], 2, "0 is not in the range x>=1"),
        (["hi", "--json-schema", "no-such-file.json"], 2, "'no-such-file.json' does not exist"),
        (["hi", "--json-schema", "."], 2, "is a directory"),
        (["hi", "there"], 2, "unexpected extra argument (there)"),
        ([], 2, "Missing argument 'PROMPT'"),
        ([""], 2, "The prompt is empty"),
        (["  \n"], 2, "The prompt is empty"),
        (["-"], 2, "The prompt is empty"),
    ],
)
def test_a_mistake_in_an_argument_is_named(arguments: list[str], exit_code: int, says: str, run: Run) -> None:
    asked = run("llm", "ask", *arguments)

    assert (asked.exit_code, asked.stdout) == (exit_code, "")
    assert says in asked.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no UTF-8 text"),
        (b"[]", "JSONSchema.schema"),
        (b'{"type": "strnig"}', "is no JSON schema"),
    ],
)
def test_a_file_without_a_schema_is_named(content: bytes, says: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_bytes(content)

    asked = run("llm", "ask", "hi", "-p", "scripted", "--json-schema", str(tmp_path / "schema.json"))

    assert (asked.exit_code, asked.stdout) == (1, "")
    assert asked.stderr.startswith(f"Error: {tmp_path / 'schema.json'}")
    assert says in asked.stderr
    assert asked.stderr.count("\n") == 1


@pytest.mark.parametrize("stdin", [b"\x89PNG\r\n\x1a\n", b"text\x00with a zero", "naïve".encode("utf-16")])
@pytest.mark.parametrize("prompt", [["-"], [], ["What is this?"]])
def test_what_is_no_text_is_refused(stdin: bytes, prompt: list[str], run: Run) -> None:
    asked = run("llm", "ask", *prompt, "-p", "scripted", stdin=stdin)

    assert (asked.exit_code, asked.stdout) == (1, "")
    assert asked.stderr == "Error: Standard input is no UTF-8 text.\n"
