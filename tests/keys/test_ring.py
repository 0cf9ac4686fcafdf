"""A key is in the keyring when the keyring has given it back, and never on its word alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from threading import Event
from typing import Any, ClassVar

import keyring
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import keyring.backends.Windows
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError
from pydantic import SecretStr

from homeostasis_llm import LLMError
from homeostasis_llm.keys import ring
from homeostasis_llm.keys.errors import KeyStorageError, KeyValidationError
from homeostasis_llm.keys.lookup import SERVICE, find_key
from homeostasis_llm.keys.store import forget_key, store_key

KEY = SecretStr("sk-QZJX-the-key-of-this-test")

UseKeyring = Callable[[KeyringBackend], None]

# keyring's own have no annotations.
NullKeyring: Any = keyring.backends.null.Keyring
FailKeyring: Any = keyring.backends.fail.Keyring


class Backend(KeyringBackend):
    """A keyring that keeps what it is given; tests override what shall go wrong."""

    priority = 0.1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own has no annotations
        self.kept: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        assert service == SERVICE
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        assert service == SERVICE
        self.kept[username] = password

    def delete_password(self, service: str, username: str) -> None:
        assert service == SERVICE
        if self.kept.pop(username, None) is None:
            raise PasswordDeleteError("not found")


class ReadOnly(Backend):
    def set_password(self, *_: str) -> None:
        raise NotImplementedError


class Deaf(Backend):
    def set_password(self, *_: str) -> None:
        pass


class Raising(Backend):
    error: ClassVar[BaseException]

    def set_password(self, *_: str) -> None:
        raise self.error


class Chain(keyring.backends.chainer.ChainerBackend):
    """keyring's own chain, over backends that a test chooses."""

    backends: list[KeyringBackend] = []  # noqa: RUF012  # keyring's is a class property
    priority = 0.1
    viable = False

    def __init__(self, *backends: KeyringBackend) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own has no annotations
        self.backends = list(backends)


def failure(label: str | None = None) -> KeyStorageError:
    with pytest.raises(KeyStorageError) as caught:
        store_key("openai", KEY, label)
    assert KEY.get_secret_value() not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_stored_key_is_found_again_and_its_place_is_told() -> None:
    place = store_key("OpenAI", KEY)

    assert place == "tests.memory_keyring.MemoryKeyring"
    assert keyring.get_password(SERVICE, "openai") == KEY.get_secret_value()
    found = find_key("openai")
    assert found is not None
    assert found.secret == KEY


def test_white_space_around_a_key_is_not_stored() -> None:
    store_key("openai", SecretStr(" sk-QZJX-1234\n"))

    assert keyring.get_password(SERVICE, "openai") == "sk-QZJX-1234"


@pytest.mark.parametrize("blank", ["", " \n"])
def test_an_empty_key_is_refused(blank: str) -> None:
    with pytest.raises(KeyValidationError, match="openai: the key is empty"):
        store_key("openai", SecretStr(blank))


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (NullKeyring, "keyring.backends.null.Keyring keeps nothing of what it is given"),
        (FailKeyring, "this system has no keyring"),
        (Deaf, "test_ring.Deaf keeps nothing of what it is given"),
        (ReadOnly, "none of its backends can store anything"),
    ],
)
def test_a_keyring_that_stores_nothing_is_an_error_that_names_it(
    backend: type[KeyringBackend], reason: str, use_keyring: UseKeyring
) -> None:
    use_keyring(backend())

    error = failure()

    assert isinstance(error, LLMError)
    assert error.provider == "openai"
    assert error.reason.endswith(reason)
    assert error.backend is not None
    assert error.backend in str(error)
    assert backend.__name__ in error.backend


def test_without_a_keyring_the_ways_out_are_told(use_keyring: UseKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("homeostasis_llm.keys.store.is_installed", lambda _: False)
    use_keyring(FailKeyring())

    error = failure()

    assert error.ways_out == (
        "install a keyring, such as gnome-keyring or KeePassXC, and run this in a desktop session",
        (
            "use an encrypted file: pip install 'homeostasis-llm[encrypted-file]', set "
            "PYTHON_KEYRING_BACKEND=keyrings.cryptfile.cryptfile.CryptFileKeyring, and its passphrase in "
            "HOMEOSTASIS_KEYRING_PASSWORD"
        ),
        "set the environment variable OPENAI_API_KEY",
        "name a file that holds it, and that only you can read, in HOMEOSTASIS_OPENAI_API_KEY_FILE",
        "have a password manager print it: api_key_command in [providers.openai] of the settings",
    )
    assert all(way in str(error) for way in error.ways_out)


def test_a_keyring_that_the_environment_chose_is_to_be_unchosen(
    use_keyring: UseKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    use_keyring(NullKeyring())

    error = failure()

    assert error.ways_out[0] == "unset PYTHON_KEYRING_BACKEND, which chooses keyring.backends.null.Keyring"


def test_a_chain_of_read_only_keyrings_stores_nothing_and_says_so(use_keyring: UseKeyring) -> None:
    chain = Chain(ReadOnly(), ReadOnly())
    chain.set_password(SERVICE, "openai", "x")  # type: ignore[no-untyped-call]  # keyring's own takes it for a success
    use_keyring(chain)

    assert failure().reason == "none of its backends can store anything"


def test_a_chain_stores_in_its_first_member_that_can(use_keyring: UseKeyring) -> None:
    first, second, third = ReadOnly(), Backend(), Backend()
    use_keyring(Chain(first, second, third))

    place = store_key("openai", KEY)

    assert place.endswith("test_ring.Backend")
    assert (second.kept, third.kept) == ({"openai": KEY.get_secret_value()}, {})


def test_a_chain_whose_first_member_has_another_key_says_so(use_keyring: UseKeyring) -> None:
    first = ReadOnly()
    first.kept["openai"] = "an older key"
    use_keyring(Chain(first, Backend()))

    assert failure().reason.endswith("test_ring.Backend gives back is not what it was given")


def test_a_member_of_a_chain_that_fails_hides_no_key_of_the_next(use_keyring: UseKeyring) -> None:
    class Locked(Backend):
        def get_password(self, *_: str) -> str | None:
            raise KeyringLocked("dismissed")

    other = Backend()
    other.kept["openai"] = KEY.get_secret_value()
    use_keyring(Chain(Locked(), other))

    kept, problem = ring.read(["openai"])
    assert (kept, problem) == ({"openai": KEY}, None)
    kept, problem = ring.read(["groq"])
    assert (kept, problem) == ({}, "the keyring is locked")


@pytest.mark.parametrize(
    ("error", "reason", "way"),
    [
        (KeyringLocked("dismissed"), "the keyring is locked", "unlock the keyring"),
        (PasswordSetError("no"), "the keyring failed: PasswordSetError: no", "install a keyring"),
        (
            RuntimeError(f"cannot send {KEY.get_secret_value()}"),
            "the keyring failed: RuntimeError: cannot send [key removed]",
            "",
        ),
    ],
)
def test_a_keyring_that_refuses_a_key_says_why(
    error: Exception, reason: str, way: str, use_keyring: UseKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Raising, "error", error, raising=False)
    use_keyring(Raising())

    told = failure()

    assert told.reason == reason
    assert told.ways_out[0].startswith(way)


def test_a_keyring_that_does_not_answer_a_write_is_waited_for_no_longer(use_keyring: UseKeyring) -> None:
    released, asked = Event(), Event()

    class Hanging(Backend):
        def set_password(self, *_: str) -> None:
            asked.set()
            released.wait()

    use_keyring(Hanging())
    try:
        with pytest.raises(ring.KeyringFailedError) as caught:
            ring.store("openai", KEY, seconds=0.05)
        assert caught.value.reason == "the keyring did not answer within 0.05 s; it may be waiting to be unlocked"
        assert asked.wait(60)
        assert failure().reason == "the keyring has still not answered an earlier question"
        with pytest.raises(
            KeyStorageError, match="openai: the key was not removed: the keyring has still not answered"
        ):
            forget_key("openai")
    finally:
        released.set()
        hanging = ring._hanging
        assert hanging is not None
        hanging._thread.join()


def test_removing_tells_whether_there_was_one(use_keyring: UseKeyring) -> None:
    store_key("openai", KEY)

    assert forget_key("OpenAI") is True
    assert find_key("openai") is None
    assert forget_key("openai") is False

    for useless in (NullKeyring(), FailKeyring()):
        use_keyring(useless)
        assert forget_key("openai") is False


def test_a_removed_key_is_gone_from_every_member_of_a_chain(use_keyring: UseKeyring) -> None:
    members = [Backend(), Backend()]
    for member in members:
        member.kept["openai"] = KEY.get_secret_value()
    use_keyring(Chain(*members))

    assert forget_key("openai") is True
    assert [member.kept for member in members] == [{}, {}]


def test_a_keyring_that_has_a_key_twice_loses_both(use_keyring: UseKeyring) -> None:
    class Twice(Backend):
        def delete_password(self, service: str, username: str) -> None:
            rest = self.kept[username].partition("|")[2]
            super().delete_password(service, username)
            if rest:
                self.kept[username] = rest

    backend = Twice()
    backend.kept["openai"] = "sk-one|sk-two"
    use_keyring(backend)

    assert forget_key("openai") is True
    assert backend.kept == {}


def test_a_key_that_stays_after_it_was_removed_is_an_error(use_keyring: UseKeyring) -> None:
    class Sticky(Backend):
        def delete_password(self, *_: str) -> None:
            pass

    backend = Sticky()
    backend.kept["openai"] = KEY.get_secret_value()
    use_keyring(backend)

    with pytest.raises(KeyStorageError, match="Sticky still has it after removing it"):
        forget_key("openai")


class FakeWin32Cred:
    """Windows' part of its credential store, as keyring calls it: the store itself is not to be had elsewhere."""

    CRED_TYPE_GENERIC = 1
    CRED_PERSIST_ENTERPRISE = 3

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def CredRead(self, Type: int, TargetName: str) -> dict[str, Any]:  # noqa: N802, N803, ARG002  # Windows' names
        if TargetName not in self.kept:
            raise FakeWin32Error(1168, "CredRead")
        return self.kept[TargetName]

    def CredWrite(self, credential: dict[str, Any], flags: int) -> None:  # noqa: N802, ARG002  # as above
        blob = credential["CredentialBlob"].encode("utf-16-le")
        if len(blob) > 2560:
            raise FakeWin32Error(1783, "CredWrite")  # RPC_X_BAD_STUB_DATA: what users were shown
        self.kept[credential["TargetName"]] = {**credential, "CredentialBlob": blob}


class FakeWin32Error(Exception):
    def __init__(self, winerror: int, funcname: str) -> None:
        super().__init__(winerror, funcname, "The stub received bad data.")
        self.winerror, self.funcname = winerror, funcname


@pytest.fixture
def windows(use_keyring: UseKeyring, monkeypatch: pytest.MonkeyPatch) -> FakeWin32Cred:
    store = FakeWin32Cred()
    module = keyring.backends.Windows
    monkeypatch.setattr(module, "win32cred", store, raising=False)
    monkeypatch.setattr(module, "pywintypes", type("pywintypes", (), {"error": FakeWin32Error}), raising=False)
    use_keyring(module.WinVaultKeyring())  # type: ignore[no-untyped-call]  # keyring's own has no annotations
    return store


def test_a_key_that_windows_has_no_room_for_is_refused_before_it_is_written(windows: FakeWin32Cred) -> None:
    with pytest.raises(KeyStorageError) as caught:
        store_key("openai", SecretStr("k" * 1281))

    assert caught.value.reason == (
        "the key is 1281 characters long, and the Windows Credential Manager takes 1280 at most"
    )
    assert windows.kept == {}

    assert store_key("openai", SecretStr("k" * 1280)) == "the Windows Credential Manager"


def test_on_windows_a_second_key_leaves_the_first_where_it_is_found(windows: FakeWin32Cred) -> None:
    store_key("openai", SecretStr("sk-QZJX-one"))
    store_key("groq", SecretStr("gsk-QZJX-two"))

    assert len(windows.kept) == 2
    found = [find_key(name) for name in ("openai", "groq")]
    assert [key and key.secret.get_secret_value() for key in found] == ["sk-QZJX-one", "gsk-QZJX-two"]


def test_a_keyring_in_plain_text_is_written_to_by_nobody(use_keyring: UseKeyring) -> None:
    file = pytest.importorskip("keyrings.cryptfile.file", reason="needs the extra encrypted-file")
    use_keyring(file.PlaintextKeyring())

    assert "PlaintextKeyring would write it to a file as it is" in failure().reason


def test_a_keyring_that_asks_at_the_terminal_is_not_asked(use_keyring: UseKeyring) -> None:
    file = pytest.importorskip("keyrings.cryptfile.file", reason="needs the extra encrypted-file")
    use_keyring(file.EncryptedKeyring())

    assert "EncryptedKeyring would ask for a passphrase at the terminal" in failure().reason
    kept, problem = ring.read(["openai"])
    assert kept == {}
    assert "would ask for a passphrase" in str(problem)


def test_a_backend_that_is_not_installed_is_a_problem_and_no_crash(child_environment: dict[str, str]) -> None:
    code = """
from homeostasis_llm.keys.lookup import key_status
from homeostasis_llm import APIKeyManager, KeyStorageError
print(key_status(["openai"])["openai"].keyring_problem)
try:
    APIKeyManager().set_key("openai", "sk-QZJX-1234", validate=False)
except KeyStorageError as error:
    print(error.reason)
"""
    environment = {**child_environment, "PYTHON_KEYRING_BACKEND": "no_such_package.Keyring"}

    child = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    said = "the keyring failed: ModuleNotFoundError: No module named 'no_such_package'"
    assert child.stdout == f"{said}\n{said}\n"
