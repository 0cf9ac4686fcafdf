"""What every test stands on, in tests/ and adapters/: nothing of the developer's, and no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from homeostasis_llm import redaction
from tests import offline
from tests.loopback import Loopback
from tests.personal import is_personal

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parent

# For as long as it takes: a busy machine is no reason to fail.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

offline.refuse_the_network()


@pytest.fixture(scope="session", autouse=True)
def _impersonal_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the developer's is in the environment, for fixtures of any scope and for child processes."""
    with pytest.MonkeyPatch.context() as environment:
        for name in list(os.environ):
            if is_personal(name):
                environment.delenv(name)
        environment.setenv("PYTHON_KEYRING_BACKEND", "tests.memory_keyring.MemoryKeyring")
        _move_home(environment, tmp_path_factory.mktemp("home"))
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own empty home directory; `~` and the XDG directories are below it."""
    own = tmp_path_factory.mktemp("home")
    _move_home(monkeypatch, own)
    return own


@pytest.fixture(autouse=True)
def _own_keyring() -> Iterator[None]:
    """Each test starts with an empty keyring; keyring itself is only loaded by the tests that use it."""
    yield
    if "keyring" in sys.modules:
        import keyring

        from tests.memory_keyring import MemoryKeyring

        if isinstance(kept := keyring.get_keyring(), MemoryKeyring):
            kept.clear()


@pytest.fixture(autouse=True)
def _no_key_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are known for the life of the process; a test's made-up one may be a word of another's text."""
    monkeypatch.setattr(redaction, "_known", {})


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """A test fails that reached for the network, also where the code under test swallowed the refusal."""
    before = len(offline.attempts)
    yield
    if reached := offline.attempts[before:]:
        pytest.fail(f"the network was reached for: {'; '.join(reached)}")


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    """A real HTTP server on a free local port; a test scripts its answers and reads what it was sent."""
    with Loopback() as server:
        yield server


@pytest.fixture
def child_environment() -> dict[str, str]:
    """The environment for a process that a test starts: it is kept from the network like the test."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {
        **inherited,
        "PYTHON_KEYRING_BACKEND": os.environ["PYTHON_KEYRING_BACKEND"],
        "PYTHONPATH": os.pathsep.join((str(ROOT / "tests" / "child"), str(ROOT))),
        "PYTHONWARNINGS": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _move_home(environment: pytest.MonkeyPatch, home: Path) -> None:
    environment.setenv("HOME", str(home))
    environment.setenv("USERPROFILE", str(home))
    for kind, folder in (
        ("CONFIG", ".config"),
        ("DATA", ".local/share"),
        ("CACHE", ".cache"),
        ("STATE", ".local/state"),
    ):
        environment.setenv(f"XDG_{kind}_HOME", str(home / folder))
