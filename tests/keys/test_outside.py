"""Keys from a file and from a command: bounded in time and size, never printed, and trouble is told."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from threading import enumerate as enumerate_threads

import pytest

from homeostasis_llm import APIKeyMissingError, ProviderFactory
from homeostasis_llm.config import config_path
from homeostasis_llm.keys import key_command
from homeostasis_llm.keys.errors import SourceTroubleError
from homeostasis_llm.keys.key_command import read_key_command
from homeostasis_llm.keys.key_file import read_key_file
from homeostasis_llm.keys.lookup import Where, find_key, key_status
from homeostasis_llm.keys.store import store_key

KEY = "sk-QZJX-the-key-of-this-test"

Set = Callable[..., None]


@pytest.fixture
def settings() -> Set:
    """Writes the settings of OpenAI as TOML has them."""

    def write(**given: object) -> None:
        path = config_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{name} = {told!r}\n" for name, told in given.items())
        path.write_text(f"[providers.openai]\n{lines}", encoding="utf-8")

    return write


def script(folder: Path, text: str) -> list[str]:
    """The words that run a Python program."""
    file = folder / "program.py"
    file.write_text(text)
    return [sys.executable, str(file)]


def source() -> str | None:
    found = find_key("openai")
    return None if found is None else found.source


def problem() -> str | None:
    return key_status(["openai"])["openai"].problem


# ------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("content", [KEY, f"{KEY}\n", f"{KEY}\r\n", f"\ufeff{KEY}\n"])
def test_a_key_is_read_from_a_file_without_the_line_break_at_its_end(content: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(content.encode())

    assert read_key_file(file).get_secret_value() == KEY


def test_the_environments_file_comes_before_that_of_the_settings(
    tmp_path: Path, settings: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).write_text(f"sk-QZJX-{name}\n")
    settings(api_key_file=str(tmp_path / "second"))
    assert source() == f"file {tmp_path / 'second'}"

    monkeypatch.setenv("HOMEOSTASIS_OPENAI_API_KEY_FILE", str(tmp_path / "first"))
    assert source() == f"file {tmp_path / 'first'}"

    store_key("openai", read_key_file(tmp_path / "second"))
    assert source() == "keyring"


def test_a_file_may_be_named_from_the_home_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "key").write_text(KEY)
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_API_KEY_FILE", "~/key")

    assert source() == f"file {home / 'key'}"


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"x" * 65537, "is larger than any key; it must hold the key and nothing else"),
        (b"OPENAI_API_KEY=sk-1\nGROQ_API_KEY=gsk-2\n", "has several lines; it must hold the key and nothing else"),
        (b"\xff\xfes\x00k", "is not UTF-8 text"),
    ],
)
def test_a_file_that_holds_no_key_alone_is_a_problem(content: bytes, trouble: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(SourceTroubleError) as caught:
        read_key_file(file)

    assert str(caught.value) == f"the file {file} {trouble}"


def test_a_file_of_64_kib_is_read(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"x" * 65536)

    assert len(read_key_file(file).get_secret_value()) == 65536


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_ordinary_file_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    else:
        place.mkdir()

    with pytest.raises(SourceTroubleError, match=r"is no ordinary file|cannot be read: Is a directory"):
        read_key_file(place)


def test_a_missing_file_is_told_to_whoever_asks_for_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_API_KEY_FILE", str(tmp_path / "gone"))

    trouble = f"the file {tmp_path / 'gone'} cannot be read: No such file or directory"
    assert problem() == trouble
    with pytest.raises(APIKeyMissingError) as caught:
        ProviderFactory.create_provider("openai")
    assert trouble in str(caught.value)


def test_a_path_that_is_none_is_a_problem() -> None:
    with pytest.raises(SourceTroubleError, match="is no path"):
        read_key_file(Path("a\0b"))


def test_a_file_on_a_disk_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeostasis_llm.keys.key_file.SECONDS", 0.0)
    monkeypatch.setattr("homeostasis_llm.keys.key_file._read", lambda _: time.sleep(0.2))

    with pytest.raises(SourceTroubleError, match="did not come within 0 s"):
        read_key_file(tmp_path / "key")


# ---------------------------------------------------------------------------------------------------- commands


def test_a_command_is_run_without_a_shell_and_its_first_line_counts(tmp_path: Path) -> None:
    words = script(tmp_path, "import sys\nprint('', sys.argv[1], 'url: https://example.org', sep='\\n')")

    assert read_key_command([*words, "$HOME;`id` *"]).get_secret_value() == "$HOME;`id` *"


def test_a_command_of_the_settings_gives_the_key_where_nothing_before_it_does(tmp_path: Path, settings: Set) -> None:
    words = script(tmp_path, f"print({KEY!r})")
    settings(api_key_command=shlex.join(words))

    assert source() == f"command {sys.executable}"
    assert ProviderFactory.create_provider("openai").api_key == KEY

    file = tmp_path / "key"
    file.write_text("sk-QZJX-of-a-file")
    settings(api_key_command=words, api_key_file=str(file))
    assert source() == f"file {file}"


def test_a_command_is_not_run_where_something_before_it_has_the_key(
    tmp_path: Path, settings: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(api_key_command=script(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\nprint({KEY!r})"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-QZJX-of-the-environment")

    assert source() == "environment variable OPENAI_API_KEY"
    assert not (tmp_path / "ran").exists()
    monkeypatch.delenv("OPENAI_API_KEY")
    assert key_status(["openai"], where=Where(outside=False))["openai"].found is None
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("program", "trouble"),
    [
        ("import sys; sys.exit('not signed in\\nsecond line')", "ended with status 1: not signed in"),
        ("import sys; sys.stderr.write('\\n\\x1b[31m no\\x07\\n'); sys.exit(3)", "ended with status 3: [31m no"),
        ("import os; os._exit(4)", "ended with status 4"),
        ("print()", "printed nothing"),
        ("import sys; sys.stdout.write('x' * 70_000)", "printed more than any key has"),
        ("while True: print('x' * 1000)", "printed more than any key has"),
    ],
)
def test_a_command_that_gives_no_key_is_a_problem(program: str, trouble: str, tmp_path: Path) -> None:
    words = script(tmp_path, program)

    with pytest.raises(SourceTroubleError) as caught:
        read_key_command(words, seconds=60)

    assert str(caught.value) == f"the command {words[0]} {trouble}"


def test_what_a_command_complains_of_holds_no_key(tmp_path: Path) -> None:
    program = "import sys; print('QZJXkey'); sys.exit('+ echo QZJXkey sk-abcdefgh12345678')"

    with pytest.raises(SourceTroubleError) as caught:
        read_key_command(script(tmp_path, program))

    assert str(caught.value).endswith("ended with status 1: + echo [key removed] [key removed]")


@pytest.mark.parametrize("program", ["no-such-program-of-ours", ""])
def test_a_command_that_is_not_there_is_a_problem(program: str) -> None:
    with pytest.raises(SourceTroubleError, match=rf"the command {program} cannot be run: \w+"):
        read_key_command([program])


def test_a_command_that_may_not_be_run_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_text("no program")

    with pytest.raises(SourceTroubleError, match="cannot be run: Permission denied"):
        read_key_command([str(file)])


def test_a_command_finds_nothing_to_read_on_its_standard_input(tmp_path: Path) -> None:
    words = script(tmp_path, "import sys; print('read:' + sys.stdin.read())")

    assert read_key_command(words, seconds=60).get_secret_value() == "read:"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no terminals of that kind")
def test_a_command_has_no_terminal_to_ask_at(tmp_path: Path) -> None:
    words = script(tmp_path, "open('/dev/tty')")

    with pytest.raises(SourceTroubleError, match="ended with status 1"):
        read_key_command(words, seconds=60)


@pytest.mark.skipif(os.name != "posix", reason="there the processes of a command cannot be found again")
def test_a_command_that_does_not_end_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    ready = tmp_path / "pids"

    with pytest.raises(SourceTroubleError, match=r"the command sh did not end within 1 s"):
        read_key_command(["sh", "-c", f"sleep 600 & echo $$ $! >{shlex.quote(str(ready))}; wait"], seconds=1)

    for pid in map(int, ready.read_text().split()):
        assert not _runs(pid)


def _runs(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.01)
    return True


def test_an_agent_that_a_command_leaves_behind_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_command, "_GRACE", 0.2)
    program = f"""
import subprocess, sys
agent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "pid")!r}, "w").write(str(agent.pid))
agent.returncode = 0  # no warning that it still runs
print({KEY!r}, flush=True)
"""
    try:
        assert read_key_command(script(tmp_path, program), seconds=60).get_secret_value() == KEY
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)
        for thread in _readers():
            thread.join()


def _readers() -> list[Thread]:
    return [thread for thread in enumerate_threads() if thread.name == "homeostasis-key-command"]


def test_nothing_that_a_command_prints_is_logged_or_printed(
    tmp_path: Path, settings: Set, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    settings(api_key_command=script(tmp_path, f"import sys; print({KEY!r}); sys.stderr.write('a note\\n')"))

    assert source() is not None
    assert KEY not in caplog.text
    assert capfd.readouterr() == ("", "")


# --------------------------------------------------------------------------------------------- a password manager


@pytest.fixture
def password_store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store of `pass` under a key of gpg that is thrown away afterwards."""
    for program in ("pass", "gpg"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: apt-get install pass gnupg)")
    keys = home / ".gnupg"
    keys.mkdir(mode=0o700)
    # Sockets of gpg's agent lie beside the keys, and their paths may have 107 characters.
    monkeypatch.setenv("GNUPGHOME", str(keys))
    monkeypatch.setenv("PASSWORD_STORE_DIR", str(home / "store"))
    make = [
        "gpg",
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-generate-key",
        "trial@example.org",
        "future-default",
    ]
    for command in (make, ["pass", "init", "trial@example.org"]):
        subprocess.run(command, check=True, capture_output=True)
    yield
    subprocess.run(["gpgconf", "--kill", "all"], check=True, capture_output=True)  # noqa: S607  # wherever it is


@pytest.mark.usefixtures("password_store")
def test_a_key_comes_out_of_pass(settings: Set) -> None:
    subprocess.run(
        ["pass", "insert", "--multiline", "llm/openai"],  # noqa: S607  # wherever it is
        input=f"{KEY}\nuser: somebody\n",
        text=True,
        check=True,
        capture_output=True,
    )
    settings(api_key_command="pass show llm/openai")

    found = find_key("openai")
    assert found is not None
    assert (found.secret.get_secret_value(), found.source) == (KEY, "command pass")

    settings(api_key_command="pass show llm/unknown")
    assert problem() == "the command pass ended with status 1: Error: llm/unknown is not in the password store."
