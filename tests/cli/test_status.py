"""`homeostasis llm ask` while providers fail, and `status` and `reset-health` about it; each command starts anew."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Loopback

from .conftest import SENT_KEY, Run, Start
from .sessions import homeostasis
from .test_ask import COMPLETION, sse

DOWN: dict[str, Any] = {"status": 500, "json": {"error": {"message": "out of order"}}}

SETTINGS = """
active_provider = "openai"
fallback_order = ["groq"]
[failover]
max_retries = 0
base_delay = 0.0
max_delay = 0.0
{failover}
[providers.openai]
default_model = "gpt-test"
[providers.groq]
default_model = "llama-test"
"""


@pytest.fixture
def settings(home: Path) -> Path:
    """openai is asked first, groq next; nobody twice."""
    path = home / ".config" / "homeostasis-llm" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(SETTINGS.format(failover=""), encoding="utf-8")
    return path


@pytest.fixture
def environment(child_environment: dict[str, str]) -> dict[str, str]:
    """That of processes that are started."""
    return child_environment


@pytest.fixture
def first(
    settings: Path,  # noqa: ARG001  # without it, others would be asked
    openai: Loopback,
    environment: dict[str, str],
) -> Loopback:
    """The provider that is asked first, and fails."""
    environment |= {"OPENAI_API_KEY": SENT_KEY, "OPENAI_BASE_URL": f"{openai.url}/v1"}
    openai.always(**DOWN)
    return openai


@pytest.fixture
def second(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """The provider that is asked next, and answers streams."""
    with Loopback() as server:
        set_here = {"GROQ_API_KEY": f"other-{SENT_KEY}", "HOMEOSTASIS_GROQ_BASE_URL": f"{server.url}/v1"}
        for name, setting in set_here.items():
            monkeypatch.setenv(name, setting)
        environment |= set_here
        server.always(chunks=sse("Paris."))
        yield server


def break_down(run: Run, server: Loopback) -> None:
    """Ask until nobody lets a request through to it any more."""
    for _ in range(30):
        before = len(server.requests)
        run("llm", "ask", "Where?", "-p", "openai")
        if len(server.requests) == before:
            return
    pytest.fail("its breaker does not open")


# -------------------------------------------------------------------------------------------------------------- ask


def test_the_next_provider_answers_and_one_line_says_why(run: Run, first: Loopback, second: Loopback) -> None:
    asked = run("llm", "ask", "Where?")

    assert (asked.stdout, asked.exit_code) == ("Paris.\n", 0)
    assert asked.stderr == "groq answered: openai failed (server_error 500).\n"
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_the_answer_of_the_first_is_told_without_a_word(run: Run, first: Loopback, second: Loopback) -> None:
    first.always(chunks=sse("Paris."))

    asked = run("llm", "ask", "Where?")

    assert (asked.stdout, asked.stderr) == ("Paris.\n", "")
    assert second.requests == []


def test_verbose_tells_whom_it_took_a_line_each(run: Run, first: Loopback, second: Loopback) -> None:
    asked = run("llm", "ask", "Where?", "-v")

    failed, answered, account = asked.stderr.splitlines()
    assert re.fullmatch(r"openai failed \(server_error 500\) in .* s: it is the active provider", failed)
    assert re.fullmatch(r"groq answered in .* s: openai failed: server_error", answered)
    assert account.startswith("groq:")
    assert len(first.requests) == len(second.requests) == 1


def test_json_has_whom_it_took(run: Run, first: Loopback, second: Loopback) -> None:
    second.always(json=COMPLETION)

    asked = run("llm", "ask", "Where?", "--json")

    attempts = json.loads(asked.stdout)["attempts"]
    assert [(attempt["provider"], attempt["outcome"], attempt["status"]) for attempt in attempts] == [
        ("openai", "failed", 500),
        ("groq", "answered", None),
    ]
    assert first.requests


@pytest.mark.parametrize("who", [("-p", "openai"), ("-m", "openai:gpt-test")])
def test_who_is_named_is_asked_alone(who: tuple[str, str], run: Run, first: Loopback, second: Loopback) -> None:
    asked = run("llm", "ask", "Where?", *who, "-v")

    assert (asked.exit_code, asked.stdout) == (1, "")
    tried, error = asked.stderr.splitlines()
    assert tried.startswith("openai:gpt-test failed" if "-m" in who else "openai failed")
    assert error == "Error: openai answered 500: out of order"
    assert (len(first.requests), second.requests) == (1, [])


def test_who_is_named_is_only_the_first_where_that_is_said(run: Run, first: Loopback, second: Loopback) -> None:
    asked = run("llm", "ask", "Where?", "-p", "openai", "-m", "gpt-other", "--fallback")

    assert (asked.stdout, asked.exit_code) == ("Paris.\n", 0)
    assert asked.stderr == "groq answered: openai failed (server_error 500).\n"
    assert first.requests[0].json["model"] == "gpt-other"
    assert second.requests[0].json["model"] == "llama-test"


def test_without_fallback_nobody_else_is_asked(run: Run, first: Loopback, second: Loopback) -> None:
    forbidden = run("llm", "ask", "Where?", "--no-fallback")
    run("llm", "set-fallback-enabled", "no")
    off = run("llm", "ask", "Where?")
    allowed = run("llm", "ask", "Where?", "--fallback")

    assert (forbidden.exit_code, off.exit_code, allowed.exit_code) == (1, 1, 0)
    assert forbidden.stderr == off.stderr == "Error: openai answered 500: out of order\n"
    assert (len(first.requests), len(second.requests)) == (3, 1)


def test_who_keeps_failing_is_not_asked_and_that_is_told_too(run: Run, first: Loopback, second: Loopback) -> None:
    break_down(run, first)
    before = len(first.requests)

    asked = run("llm", "ask", "Where?")

    assert asked.stdout == "Paris.\n"
    assert re.fullmatch(r"groq answered: openai (keeps failing|was not asked, for it keeps failing)\.\n", asked.stderr)
    assert len(first.requests) == before
    assert second.requests


def test_an_answer_that_begins_anew_is_told_whole_to_a_pipe(
    run: Run, first: Loopback, second: Loopback, settings: Path
) -> None:
    settings.write_text(SETTINGS.format(failover='on_break = "restart"'), encoding="utf-8")
    first.always(json={}, cut=True)
    second.always(json=COMPLETION)

    asked = run("llm", "ask", "Where?")

    assert asked.stdout == "Paris.\n"
    assert not second.requests[0].json.get("stream")


def test_a_stream_that_breaks_is_gone_on_with_where_that_is_set(
    run: Run, first: Loopback, second: Loopback, settings: Path
) -> None:
    settings.write_text(SETTINGS.format(failover='on_break = "continue"'), encoding="utf-8")
    first.always(chunks=sse("The capital of France is Par", end=False), cut=True)
    second.always(chunks=sse("is."))

    asked = run("llm", "ask", "Where?")

    assert asked.stdout == "The capital of France is Paris.\n"
    assert asked.stderr == "groq answered: openai broke off (connection).\n"


# ------------------------------------------------------------------------------------------------------------ status


def test_who_was_never_asked_is_untried(run: Run, first: Loopback, second: Loopback) -> None:
    shown = run("llm", "status")

    assert [line.split()[:3] for line in shown.stdout.splitlines()] == [
        ["PROVIDER", "STATE", "SUCCESS"],
        ["openai", "untried", "-"],
        ["groq", "untried", "-"],
    ]
    assert first.requests == second.requests == []


def test_what_one_command_found_out_another_shows(run: Run, first: Loopback, second: Loopback) -> None:
    break_down(run, first)
    run("llm", "ask", "Where?")

    shown = run("llm", "status")

    _, openai, groq = shown.stdout.splitlines()
    assert re.match(r"openai +open +0% +- +- +\S+ +in \d+ s +server_error: openai answered 500: out of order$", openai)
    assert re.match(r"groq +closed +100% +\d+\.\d\d s +\d+\.\d\d s +", groq)
    assert SENT_KEY not in shown.output
    assert second.requests


def test_status_is_json_for_programs(run: Run, first: Loopback) -> None:
    break_down(run, first)

    told = json.loads(run("llm", "status", "--json").stdout)

    assert told["providers"]["openai"]["state"] == "open"
    assert told["order"] == ["openai"]


def test_watched_through_a_pipe_it_is_one_object_a_line(start: Start, first: Loopback) -> None:
    watch = start("llm", "status", "--watch", "--json")
    try:
        assert watch.stdout is not None
        lines = [json.loads(watch.stdout.readline()) for _ in range(2)]
    finally:
        watch.kill()
        watch.communicate()

    assert [line["order"] for line in lines] == [["openai"], ["openai"]]
    assert first.requests == []


def test_without_anybody_to_ask_it_says_what_to_do(run: Run) -> None:
    shown = run("llm", "status")

    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "set-key" in shown.stderr


# ------------------------------------------------------------------------------------------------------ reset-health


@pytest.mark.parametrize(("who", "says"), [(["OpenAI"], "openai"), ([], "All providers")])
def test_who_is_reset_is_asked_again_at_once(who: list[str], says: str, run: Run, first: Loopback) -> None:
    break_down(run, first)
    first.always(chunks=sse("Paris."))

    reset = run("llm", "reset-health", *who)
    asked = run("llm", "ask", "Where?", "-p", "openai")

    assert reset.stdout == f"{says}: asked again as if nothing had happened.\n"
    assert (asked.stdout, asked.exit_code) == ("Paris.\n", 0)


def test_an_unknown_name_is_not_reset(run: Run) -> None:
    reset = run("llm", "reset-health", "opnai")

    assert reset.exit_code == 1
    assert "did you mean 'openai'?" in reset.stderr


# -------------------------------------------------------------------------------------------------------- terminals


def test_the_table_is_drawn_for_a_terminal_and_follows_what_happens(
    run: Run, first: Loopback, environment: dict[str, str]
) -> None:
    with homeostasis("llm", "status", "--watch", environment=environment) as session:
        session.expect("untried")
        break_down(run, first)
        session.expect("server_error: openai answered 500: out of order")
        with homeostasis("llm", "reset-health", environment=environment) as reset:
            reset.expect("All providers: asked again as if nothing had happened.")
            assert reset.ended() == 0
        session.expect("untried")
        session.press(b"\x03")
        exit_code = session.ended()

    assert exit_code == 130
    assert "────" in session.shown
    assert "Traceback" not in session.shown


def test_the_table_is_drawn_once_without_watching(first: Loopback, environment: dict[str, str]) -> None:
    with homeostasis("llm", "status", environment=environment) as session:
        session.expect("untried")
        exit_code = session.ended()

    assert exit_code == 0
    assert "────" in session.shown
    assert first.requests == []


def test_a_failover_is_told_at_a_terminal(first: Loopback, second: Loopback, environment: dict[str, str]) -> None:
    second.always(json=COMPLETION)

    with homeostasis("llm", "ask", "Where?", "--no-stream", environment=environment) as session:
        session.expect("Paris.")
        session.expect("groq answered: openai failed (server_error 500).")
        exit_code = session.ended()

    assert exit_code == 0
    assert (len(first.requests), len(second.requests)) == (1, 1)
