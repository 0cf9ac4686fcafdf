"""How the program behaves as a process: streams, terminals, pipes that close, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.loopback import Loopback

from .conftest import SENT_KEY, Start
from .test_ask import sse

pytestmark = pytest.mark.usefixtures("scripted")

PATIENCE = 180.0
"""Seconds after which a process that should have ended has failed the test."""


def ended(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, int]:
    stdout, stderr = process.communicate(timeout=PATIENCE)
    return stdout, stderr, process.returncode


def read(descriptor: int, ending: bytes) -> bytes:
    """What comes out of a terminal until `ending`, or until its other side is closed."""
    text = b""
    while not text.endswith(ending):
        try:
            piece = os.read(descriptor, 1024)
        except OSError:  # Linux says so when nobody holds the other side any more
            break
        if not piece:
            break
        text += piece
    return text


@pytest.mark.parametrize("asked", [("scripted", "waits"), ("llama_cpp", None)], ids=["scripted", "llama_cpp"])
def test_an_answer_is_printed_as_it_comes_and_ctrl_c_ends_it_without_a_traceback(
    asked: tuple[str, str | None], start: Start
) -> None:
    provider, model = asked
    question = ["llm", "ask", "Write a very long story about a cat.", "-p", provider]

    with start(*question, *(["-m", model] if model else []), stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)  # it is far from its end: that would be minutes away
        process.send_signal(signal.SIGINT)
        rest, stderr, exit_code = ended(process)

    assert first
    assert (first + rest).endswith(b"\n")
    assert exit_code == 130
    assert stderr == b"\n"


def test_ctrl_c_ends_a_wait_for_a_server_too(
    start: Start, loopback: Loopback, child_environment: dict[str, str]
) -> None:
    child_environment |= {"OPENAI_API_KEY": SENT_KEY, "OPENAI_BASE_URL": f"{loopback.url}/v1"}
    loopback.reply(chunks=[*sse("wait for", end=False), 600.0])

    with start("llm", "ask", "hi", "-m", "openai:gpt-test", stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        first = process.stdout.read(8)
        process.send_signal(signal.SIGINT)
        rest, stderr, exit_code = ended(process)

    assert (first, rest, stderr, exit_code) == (b"wait for", b"\n", b"\n", 130)


def test_a_closed_pipe_ends_the_answer_without_a_traceback(start: Start) -> None:
    with start("llm", "ask", "hi", "-p", "scripted", "-m", "endless", stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        _, stderr, exit_code = ended(process)

    assert first == b"and on\n"
    assert stderr == b""
    assert exit_code == 1


def test_piped_text_and_a_closed_standard_input_are_told_apart(start: Start) -> None:
    question = ("llm", "ask", "What?", "-p", "scripted", "-m", "repeats the question")

    with start(*question) as process:
        piped, _ = process.communicate(b"This.\n", timeout=PATIENCE)
    # 0 is closed in the new process only.
    with start(*question, stdin=None, preexec_fn=lambda: os.close(0)) as process:
        closed, stderr, exit_code = ended(process)

    assert piped == b"This.\n\nWhat?\n"
    assert (closed, stderr, exit_code) == (b"What?\n", b"", 0)


def test_a_terminal_is_not_waited_for_where_there_is_a_prompt(start: Start) -> None:
    ours, theirs = os.openpty()
    try:
        with start("llm", "ask", "What?", "-p", "scripted", stdin=theirs) as process:
            answered = ended(process)
        with start("llm", "ask", "-p", "scripted", stdin=theirs) as process:
            refused = ended(process)
    finally:
        os.close(ours)
        os.close(theirs)

    assert answered == (b"Hello, world\n", b"", 0)
    assert refused[2] == 2
    assert b"Missing argument 'PROMPT'" in refused[1]


@pytest.mark.parametrize("how", [(), ("--no-stream",)])
def test_a_terminal_is_given_nothing_to_act_on(how: tuple[str, ...], start: Start) -> None:
    question = ("llm", "ask", "hi", "-p", "scripted", "-m", "escapes", *how)
    ours, theirs = os.openpty()
    try:
        with start(*question, stdin=subprocess.DEVNULL, stdout=theirs) as process:
            os.close(theirs)
            shown = read(ours, b"0m\r\n")
            _, stderr, exit_code = ended(process)
    finally:
        os.close(ours)

    with start(*question, stdin=subprocess.DEVNULL) as process:
        piped, _, _ = ended(process)

    assert (shown, stderr, exit_code) == (b"red [31mbell\tand\r\nmore0m\r\n", b"", 0)
    assert piped == "red \x1b[31mbell\x07\tand\nmore\x9b0m\n".encode()


def test_what_the_output_cannot_spell_is_no_reason_to_stop(start: Start, child_environment: dict[str, str]) -> None:
    child_environment["PYTHONIOENCODING"] = "ascii"

    with start("llm", "ask", "hi", "-p", "scripted", "-m", "accents", stdin=subprocess.DEVNULL) as process:
        stdout, stderr, exit_code = ended(process)

    assert (stdout, stderr, exit_code) == (b"na?ve ? ??\n", b"", 0)


def test_a_file_is_a_pipe_too(start: Start, tmp_path: Path) -> None:
    (tmp_path / "question").write_text("from a file", encoding="utf-8")

    with (
        (tmp_path / "question").open("rb") as question,
        start("llm", "ask", "-p", "scripted", "-m", "repeats the question", stdin=question) as process,
    ):
        assert ended(process) == (b"from a file\n", b"", 0)


def test_it_runs_without_a_standard_output(start: Start) -> None:
    with start(
        "llm", "ask", "hi", "-p", "scripted", stdin=subprocess.DEVNULL, stdout=None, preexec_fn=lambda: os.close(1)
    ) as process:
        assert ended(process)[1:] == (b"", 0)
