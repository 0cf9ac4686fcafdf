"""The encrypted file: nobody is prompted, nothing is half written, and no process loses another's keys."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from homeostasis_llm.keys import encrypted_file, ring
from homeostasis_llm.keys.bounded import Attempt
from homeostasis_llm.keys.encrypted_file import BACKEND, PASSPHRASE, EncryptedFile, use_passphrase
from homeostasis_llm.keys.errors import KeyStorageError
from homeostasis_llm.keys.lookup import SERVICE, find_key, key_status
from homeostasis_llm.keys.store import forget_key, store_key
from tests.mounting import mounting

cryptfile: Any = pytest.importorskip("keyrings.cryptfile.cryptfile", reason="needs the extra encrypted-file")

KEY = SecretStr("sk-QZJX-the-key-of-this-test")

# Deriving a key is meant to be slow, which is what these say: no test needs it to be.
CHEAP = """
from keyrings.cryptfile.cryptfile import CryptFileKeyring
CryptFileKeyring.time_cost, CryptFileKeyring.memory_cost = 1, 1024
"""


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cryptfile.CryptFileKeyring, "time_cost", 1)
    monkeypatch.setattr(cryptfile.CryptFileKeyring, "memory_cost", 1024)


@pytest.fixture
def path(tmp_path: Path, use_keyring: Callable[[KeyringBackend], None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file will be; there is none yet. It is the keyring of this test, and has its passphrase."""
    backend = cryptfile.CryptFileKeyring()
    backend.file_path = str(tmp_path / "own" / "keys.cfg")
    use_keyring(backend)
    monkeypatch.setenv(PASSPHRASE, "open sesame")
    return Path(backend.file_path)


def problem() -> str | None:
    return key_status(["openai"])["openai"].keyring_problem


def test_a_key_is_kept_for_its_owner_alone_and_not_in_plain_text(path: Path) -> None:
    place = store_key("openai", KEY)

    assert place == f"the encrypted file {path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert KEY.get_secret_value() not in path.read_text()
    assert sorted(left.name for left in path.parent.iterdir() if left.suffix != ".lock") == ["keys.cfg"]

    encrypted_file._read.clear()  # as another process would find it
    found = find_key("openai")
    assert found is not None
    assert found.secret == KEY


def test_the_library_that_made_the_file_reads_it_too(path: Path) -> None:
    store_key("openai", KEY)

    plain = cryptfile.CryptFileKeyring()
    plain.file_path = str(path)
    plain.keyring_key = "open sesame"
    assert plain.get_password(SERVICE, "openai") == KEY.get_secret_value()


def test_keys_are_removed_one_by_one(path: Path) -> None:
    store_key("openai", KEY)
    store_key("groq", SecretStr("gsk-QZJX-other"))

    assert forget_key("openai") is True
    assert forget_key("openai") is False
    assert find_key("openai") is None
    assert find_key("groq") is not None
    assert path.exists()


def test_without_its_passphrase_a_file_says_what_it_needs_and_what_it_has_not(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_key("groq", KEY)
    encrypted_file._read.clear()
    monkeypatch.delenv(PASSPHRASE)

    assert problem() is None  # that it has no such key, can be seen without
    assert (
        key_status(["groq"])["groq"].keyring_problem
        == f"the encrypted file {path} needs its passphrase: set HOMEOSTASIS_KEYRING_PASSWORD"
    )
    with pytest.raises(KeyStorageError) as caught:
        store_key("openai", KEY)
    assert caught.value.backend == BACKEND
    assert caught.value.reason.endswith("needs its passphrase: set HOMEOSTASIS_KEYRING_PASSWORD")
    assert not any("keyring" in way for way in caught.value.ways_out)


def test_a_file_that_nobody_has_a_passphrase_for_is_not_begun(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE, "  ")

    with pytest.raises(KeyStorageError):
        store_key("openai", KEY)

    assert not path.parent.exists()


def test_a_wrong_passphrase_is_told_apart_and_changes_nothing(path: Path) -> None:
    store_key("openai", KEY)
    before = path.read_bytes()
    use_passphrase("close sesame")

    wrong = f"the passphrase for the encrypted file {path} is wrong; see HOMEOSTASIS_KEYRING_PASSWORD"
    assert problem() == wrong
    with pytest.raises(KeyStorageError) as caught:
        store_key("groq", KEY)
    assert caught.value.reason == wrong
    assert path.read_bytes() == before


def test_a_passphrase_that_somebody_was_asked_for_comes_before_the_environment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE, "of the environment")
    use_passphrase("of the prompt")
    store_key("openai", KEY)

    use_passphrase(None)
    assert "is wrong" in str(problem())
    use_passphrase(SecretStr("of the prompt"))
    assert problem() is None
    assert path.exists()


def test_who_wants_to_ask_for_the_passphrase_is_told_whether_it_is_needed(
    path: Path, monkeypatch: pytest.MonkeyPatch, use_keyring: Callable[[KeyringBackend], None]
) -> None:
    monkeypatch.delenv(PASSPHRASE)
    file = ring.encrypted_file()
    assert file is not None
    assert (file.path, file.exists, file.has_passphrase) == (path, False, False)

    use_passphrase("open sesame")
    store_key("openai", KEY)
    assert (file.exists, file.has_passphrase) == (True, True)

    from tests.memory_keyring import MemoryKeyring

    use_keyring(MemoryKeyring())
    assert ring.encrypted_file() is None


@pytest.mark.parametrize("content", [b"no section\n", b"\xff\xfe\x00", b"[a\n"])
def test_a_damaged_file_is_a_problem_and_stays_as_it_is(content: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content)

    assert problem() == f"the encrypted file {path} is damaged"
    with pytest.raises(KeyStorageError):
        store_key("openai", KEY)
    assert path.read_bytes() == content


def test_what_was_decrypted_is_decrypted_again_when_the_file_has_changed(path: Path) -> None:
    store_key("openai", KEY)
    assert find_key("openai") is not None

    plain = cryptfile.CryptFileKeyring()
    plain.file_path = str(path)
    plain.keyring_key = "open sesame"
    plain.set_password(SERVICE, "openai", "sk-QZJX-of-another-program")

    found = find_key("openai")
    assert found is not None
    assert found.secret.get_secret_value() == "sk-QZJX-of-another-program"


def test_a_link_to_the_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    target = tmp_path / "elsewhere.cfg"
    path.symlink_to(target)

    store_key("openai", KEY)

    assert path.is_symlink()
    assert target.exists()


def test_threads_that_store_at_once_lose_none(path: Path) -> None:
    names = ["openai", "groq", "xai"]
    threads = [Thread(target=store_key, args=(name, SecretStr(f"sk-QZJX-{name}"))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [find_key(name) for name in names]
    assert [key and key.secret.get_secret_value() for key in found] == [f"sk-QZJX-{name}" for name in names]
    assert path.exists()


CHILD = """
import sys
from pydantic import SecretStr
from homeostasis_llm.keys.store import store_key
for name in sys.argv[1:]:
    store_key(name, SecretStr(f"sk-QZJX-{name}"))
"""


@pytest.fixture
def environment(child_environment: dict[str, str]) -> dict[str, str]:
    """For a process that finds no keyring but the encrypted file, in the home directory of the test."""
    return {**child_environment, "PYTHON_KEYRING_BACKEND": BACKEND, PASSPHRASE: "open sesame"}


def run(code: str, *arguments: str, before: tuple[str, ...] = (), **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-c", CHEAP + code, *arguments], capture_output=True, text=True, check=True, **how
    )


def test_processes_that_store_at_once_lose_none(environment: dict[str, str]) -> None:
    groups = [["openai", "groq"], ["xai", "mistral"]]
    children = [subprocess.Popen([sys.executable, "-c", CHEAP + CHILD, *names], env=environment) for names in groups]
    assert [child.wait() for child in children] == [0, 0]

    code = """
import json, sys
from homeostasis_llm.keys.lookup import key_status
found = key_status(sys.argv[1:], timeout=60)
print(json.dumps({name: status.found and status.found.secret.get_secret_value() for name, status in found.items()}))
"""
    names = [name for group in groups for name in group]
    found = json.loads(run(code, *names, env=environment).stdout)
    assert found == {name: f"sk-QZJX-{name}" for name in names}


def test_a_process_without_a_terminal_or_a_keyring_is_never_prompted(environment: dict[str, str]) -> None:
    """With the extra installed and no keyring, keyring itself makes a chain of which two members would prompt."""
    run(CHILD, "openai", env=environment)
    code = """
import keyring
from homeostasis_llm import APIKeyManager
print(type(keyring.get_keyring()).__name__)
manager = APIKeyManager()
print(manager.get_key("openai"))
print(manager.get_status("openai").problem)
"""
    alone = {name: given for name, given in environment.items() if name not in {PASSPHRASE, "PYTHON_KEYRING_BACKEND"}}
    alone |= {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}

    child = run(code, env=alone, stdin=subprocess.DEVNULL, timeout=60, start_new_session=True)

    kind, key, trouble = child.stdout.splitlines()
    assert (kind, key) == ("ChainerBackend", "None")
    assert trouble.endswith("needs its passphrase: set HOMEOSTASIS_KEYRING_PASSWORD")
    assert child.stderr == ""


def test_a_process_that_is_killed_while_it_writes_leaves_the_file_as_it_was(
    environment: dict[str, str], home: Path
) -> None:
    code = """
import shutil, sys, time
from pydantic import SecretStr
from homeostasis_llm.keys import encrypted_file
from homeostasis_llm.keys.store import store_key
def linger(path):
    print("written", flush=True)
    time.sleep(600)
encrypted_file._onto_the_disk = linger
store_key("groq", SecretStr("gsk-QZJX-half"))
"""
    run(CHILD, "openai", env=environment)
    file = next(home.rglob("cryptfile_pass.cfg"))
    before = file.read_bytes()
    command = [sys.executable, "-c", CHEAP + code]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGKILL)

    assert file.read_bytes() == before
    assert len(list(file.parent.glob(".*.tmp"))) == 1
    run(CHILD, "groq", env=environment)
    assert list(file.parent.glob(".*.tmp")) == []
    assert file.read_bytes() != before


@pytest.mark.skipif(not mounting(), reason="this system lets nobody mount a file system, not even for themselves")
@pytest.mark.parametrize(
    ("options", "what"),
    [("size=64k", "No space left on device"), ("ro", "Read-only file system")],
)
def test_a_full_disk_and_a_read_only_home_lose_no_key_and_are_told(
    options: str, what: str, environment: dict[str, str], tmp_path: Path
) -> None:
    code = """
import os, pathlib, subprocess, sys
import keyring
from keyrings.cryptfile.cryptfile import CryptFileKeyring
from pydantic import SecretStr
from homeostasis_llm.keys import encrypted_file
from homeostasis_llm.keys.errors import KeyStorageError
from homeostasis_llm.keys.lookup import find_key
from homeostasis_llm.keys.store import store_key
folder, options = pathlib.Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=True)
backend = CryptFileKeyring()
backend.file_path = str(folder / "keys.cfg")
keyring.set_keyring(backend)
store_key("openai", SecretStr("sk-QZJX-first"))
before = (folder / "keys.cfg").read_bytes()
if options == "ro":
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
else:
    with open(folder / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 512)
        except OSError:
            pass
try:
    store_key("groq", SecretStr("gsk-QZJX-second"))
except KeyStorageError as error:
    print(error.reason)
encrypted_file._read.clear()
print(before == (folder / "keys.cfg").read_bytes(), find_key("openai").secret.get_secret_value())
print(sorted(os.listdir(folder)))
"""
    child = run(code, str(tmp_path), options, env=environment, before=mounting())

    reason, kept, left = child.stdout.splitlines()
    assert reason == f"the encrypted file {tmp_path}/keys.cfg cannot be written: {what}"
    assert kept == "True sk-QZJX-first"
    assert ".tmp" not in left


def test_a_file_that_another_process_holds_is_not_waited_for_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(encrypted_file, "_LOCK_SECONDS", 0.05)
    path.parent.mkdir()
    with FileLock(f"{path}.lock"), pytest.raises(KeyStorageError) as caught:
        store_key("openai", KEY)

    assert caught.value.reason == f"another program has been changing {path} for 0.05 s"


def test_a_file_that_may_not_be_read_is_a_problem(path: Path) -> None:
    path.parent.mkdir()
    path.mkdir()  # which nobody can read as a file, root included

    assert problem() == f"the encrypted file {path} cannot be read: Is a directory"


def test_the_passphrase_is_in_no_text() -> None:
    use_passphrase("open sesame")
    file = EncryptedFile(cryptfile.CryptFileKeyring())

    assert "sesame" not in f"{file} {file!r} {vars(file)} {encrypted_file._given!r}"


def test_a_slow_machine_is_given_the_time_to_open_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_key("openai", KEY)
    encrypted_file._read.clear()
    opening, go_on, waited = Event(), Event(), list[float]()
    opened = EncryptedFile._opened

    def slowly(self: EncryptedFile, *what: Any) -> Any:
        opening.set()
        go_on.wait(60)
        return opened(self, *what)

    class Impatient(Attempt[Any]):
        def finished_within(self, seconds: float) -> bool:
            waited.append(seconds)
            if seconds == encrypted_file.BUSY_SECONDS:
                go_on.set()
                return super().finished_within(seconds)
            super().finished_within(0)
            assert opening.wait(60)
            return False

    monkeypatch.setattr(EncryptedFile, "_opened", slowly)
    monkeypatch.setattr(ring, "Attempt", Impatient)

    assert ring.read(["openai"], seconds=5.0) == ({"openai": KEY}, None)
    assert waited == [5.0, 60.0]
    assert path.exists()
