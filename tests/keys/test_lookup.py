"""Where a key is looked for, in which order, and what happens where the keyring does not answer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, current_thread
from threading import enumerate as enumerate_threads

import keyring
import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from homeostasis_llm.catalog import all_facts
from homeostasis_llm.keys.lookup import SERVICE, env_names, find_key, key_status
from homeostasis_llm.redaction import redact


class Backend(KeyringBackend):
    """A keyring that a test gives its behaviour."""

    priority = 0.1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own has no annotations
        self.kept: dict[str, str] = {}
        self.asked: list[str] = []
        self.threads: set[str] = set()
        self.raises: BaseException | None = None
        self.hangs_at: str | None = None
        self.hangs = Event()
        self.released = Event()

    def get_password(self, service: str, username: str) -> str | None:
        assert service == SERVICE
        self.asked.append(username)
        self.threads.add(current_thread().name)
        if username == self.hangs_at:
            self.hangs.set()
            self.released.wait()
        if self.raises is not None:
            raise self.raises
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def backend() -> Iterator[Backend]:
    before = keyring.get_keyring()
    own = Backend()
    keyring.set_keyring(own)
    yield own
    own.released.set()
    _wait_for_the_asking_thread()
    keyring.set_keyring(before)


@pytest.fixture(params=[keyring.backends.fail.Keyring, keyring.backends.null.Keyring])
def useless(request: pytest.FixtureRequest) -> Iterator[type[KeyringBackend]]:
    before = keyring.get_keyring()
    keyring.set_keyring(request.param())
    yield request.param
    keyring.set_keyring(before)


def _wait_for_the_asking_thread() -> None:
    for thread in enumerate_threads():
        if thread.name == "homeostasis-keyring":
            thread.join()


def _key(provider: str) -> str | None:
    found = find_key(provider)
    return None if found is None else found.secret.get_secret_value()


def test_each_place_is_asked_in_order_and_the_first_key_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_password(SERVICE, "gemini", "from the keyring")
    assert _key("gemini") == "from the keyring"

    monkeypatch.setenv("GEMINI_API_KEY", "from the second variable")
    assert _key("gemini") == "from the second variable"

    monkeypatch.setenv("GOOGLE_API_KEY", "from the first variable")
    assert _key("gemini") == "from the first variable"

    monkeypatch.setenv("HOMEOSTASIS_GEMINI_API_KEY", "from our variable")
    assert _key("gemini") == "from our variable"


def test_the_place_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_password(SERVICE, "groq", "key-1")
    monkeypatch.setenv("OPENAI_API_KEY", "key-2")

    found = key_status(["groq", "openai", "xai"])

    assert [status.found and status.found.source for status in found.values()] == [
        "keyring",
        "environment variable OPENAI_API_KEY",
        None,
    ]
    assert found["xai"].variables == ("HOMEOSTASIS_XAI_API_KEY", "XAI_API_KEY")


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_variable_counts_as_absent(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_API_KEY", empty)
    monkeypatch.setenv("OPENAI_API_KEY", "key-1")

    assert _key("openai") == "key-1"


def test_an_empty_entry_of_the_keyring_counts_as_absent(backend: Backend) -> None:
    backend.kept["openai"] = ""

    assert find_key("openai") is None


def test_white_space_around_a_key_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " key-1\n")

    assert _key("openai") == "key-1"


@pytest.mark.parametrize("spelling", ["Together-AI", "together_ai", "TOGETHER", "together"])
def test_a_key_is_found_under_every_spelling_and_alias(spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_key(spelling) is None

    keyring.set_password(SERVICE, "together_ai", "key-1")
    assert _key(spelling) == "key-1"

    monkeypatch.setenv("HOMEOSTASIS_TOGETHER_AI_API_KEY", "key-2")
    assert _key(spelling) == "key-2"


@pytest.mark.parametrize(
    ("provider", "variables"),
    [
        ("openai", ("HOMEOSTASIS_OPENAI_API_KEY", "OPENAI_API_KEY")),
        ("google", ("HOMEOSTASIS_GEMINI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY")),
        ("vertex_ai", ("HOMEOSTASIS_VERTEX_AI_API_KEY",)),
        ("nano-gpt", ("HOMEOSTASIS_NANO_GPT_API_KEY", "NANOGPT_API_KEY")),  # as litellm's table has it
        ("codestral", ("HOMEOSTASIS_CODESTRAL_API_KEY", "CODESTRAL_API_KEY")),  # as litellm names most of them
        ("my.llm", ("HOMEOSTASIS_MY_LLM_API_KEY", "MY_LLM_API_KEY")),  # as anybody would call it
    ],
)
def test_the_variables_of_a_provider(provider: str, variables: tuple[str, ...]) -> None:
    assert env_names(provider) == variables


def test_no_two_providers_share_our_variable() -> None:
    ours = [env_names(name)[0] for name in all_facts()]

    assert len(ours) == len(set(ours))


def test_the_keyring_is_not_even_imported_where_a_variable_has_the_key(child_environment: dict[str, str]) -> None:
    code = """
import sys
from homeostasis_llm.keys.lookup import find_key
assert find_key("openai") and "keyring" not in sys.modules
assert find_key("groq") is None and "keyring" in sys.modules
"""

    subprocess.run([sys.executable, "-c", code], env={**child_environment, "OPENAI_API_KEY": "key-1"}, check=True)


def test_a_key_that_was_found_is_kept_out_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "open sesame")
    keyring.set_password(SERVICE, "groq", "alibaba and more")

    found = key_status(["openai", "groq"])

    assert "open sesame" not in redact("refused: open sesame")
    assert "alibaba and more" not in redact("refused: alibaba and more")
    assert "sesame" not in repr(found)
    assert "alibaba" not in repr(found)


def test_a_system_without_a_keyring_is_said_to_have_none(useless: type[KeyringBackend]) -> None:
    status = key_status(["openai"])["openai"]

    assert status.found is None
    fails = useless is keyring.backends.fail.Keyring
    assert status.keyring_problem == ("this system has no keyring" if fails else None)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (KeyringLocked("Failed to unlock the collection!"), "the keyring is locked"),
        (RuntimeError("the bus\nis gone"), "the keyring failed: RuntimeError: the bus is gone"),
        (ValueError(), "the keyring failed: ValueError"),
        (SystemExit(3), "the keyring failed: SystemExit: 3"),
    ],
)
def test_a_keyring_that_fails_is_no_crash_and_says_why(error: BaseException, problem: str, backend: Backend) -> None:
    backend.raises = error

    status = key_status(["openai"])["openai"]

    assert (status.found, status.keyring_problem) == (None, problem)


def test_what_a_failing_keyring_says_holds_no_key(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "open sesame")
    backend.raises = RuntimeError("cannot decode 'open sesame'")

    status = key_status(["openai", "groq"])["groq"]

    assert status.keyring_problem == "the keyring failed: RuntimeError: cannot decode '[key removed]'"


def test_a_keyring_package_that_cannot_be_imported_is_no_crash(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    (tmp_path / "keyring").mkdir()
    (tmp_path / "keyring" / "__init__.py").write_text("raise ImportError('half installed')")
    code = """
from homeostasis_llm.keys.lookup import key_status
print(key_status(["openai"])["openai"].keyring_problem)
"""
    path = os.pathsep.join((str(tmp_path), child_environment["PYTHONPATH"]))

    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**child_environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert child.stdout == "keyring cannot be imported: ImportError: half installed\n"


def test_a_keyring_that_does_not_answer_is_waited_for_once(backend: Backend) -> None:
    backend.hangs_at = "openai"

    first = key_status(["openai"], timeout=0.05)["openai"]
    second = key_status(["openai"], timeout=20)["openai"]

    assert first.keyring_problem == ("the keyring did not answer within 0.05 s; it may be waiting to be unlocked")
    assert second.keyring_problem == "the keyring has still not answered an earlier question"
    assert backend.hangs.wait(60)
    assert backend.asked == ["openai"]


def test_a_keyring_that_hung_is_asked_again_once_it_has_answered(backend: Backend) -> None:
    backend.hangs_at = "openai"
    backend.kept["groq"] = "key-1"
    assert find_key("openai", timeout=0.05) is None

    assert backend.hangs.wait(60)
    backend.released.set()
    _wait_for_the_asking_thread()

    assert _key("groq") == "key-1"


def test_many_providers_cost_one_visit_and_one_wait(backend: Backend) -> None:
    backend.kept = {"anthropic": "key-1"}
    backend.hangs_at = "groq"

    statuses = key_status(["anthropic", "groq", "openai", "xai"], timeout=0.5)

    assert backend.asked == ["anthropic", "groq"]
    assert len(backend.threads) == 1
    assert statuses["anthropic"].found is not None
    assert statuses["anthropic"].keyring_problem is None
    assert all("did not answer" in (statuses[name].keyring_problem or "") for name in ("groq", "openai", "xai"))


def test_one_provider_is_asked_for_once_whatever_its_spellings(backend: Backend) -> None:
    backend.kept["gemini"] = "key-1"

    statuses = key_status(["gemini", "google", "Gemini"])

    assert backend.asked == ["gemini"]
    assert [status.found is not None for status in statuses.values()] == [True, True, True]
