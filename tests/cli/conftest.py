"""Ways to run `homeostasis`: in this process, and as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from click.testing import CliRunner, Result
from keyring.backend import KeyringBackend

from homeostasis_llm.cli import homeostasis
from tests.loopback import Loopback

Run = Callable[..., Result]
UseKeyring = Callable[[KeyringBackend], None]
Start = Callable[..., "subprocess.Popen[bytes]"]

SENT_KEY = "secret-0123456789"


@pytest.fixture
def run() -> Run:
    """Run `homeostasis` in this process. A bug is raised, as its traceback would be shown."""

    def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(homeostasis, arguments, input=stdin, prog_name="homeostasis", catch_exceptions=False)

    return run


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child_environment: dict[str, str]) -> Path:
    """A folder that Python finds installed distributions in, here and in the processes that `start` starts."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    child_environment["PYTHONPATH"] += f"{os.pathsep}{folder}"
    return folder


def install(folder: Path, distribution: str, **entry_points: str) -> None:
    """Put into `folder` what an installer leaves of a distribution whose plugins are `entry_points`."""
    metadata = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"{name} = {target}" for name, target in entry_points.items()]
    text = "\n".join(["[homeostasis_llm.providers]", *lines, ""])
    (metadata / "entry_points.txt").write_text(text, encoding="utf-8")


@pytest.fixture
def scripted(plugins: Path) -> None:
    """The provider of scripted.py is installed."""
    install(plugins, "scripted-llm", scripted="tests.cli.scripted:Scripted", silent="tests.cli.scripted:Silent")


@pytest.fixture
def picky(plugins: Path) -> None:
    """The provider of picky.py is installed."""
    install(plugins, "picky-llm", picky="tests.cli.picky:Picky")


@pytest.fixture
def use_keyring() -> Iterator[UseKeyring]:
    """Sets the keyring of this process, until the test is over."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture
def openai(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """The provider openai, with a key in the environment, at a server that answers as told."""
    monkeypatch.setenv("OPENAI_API_KEY", SENT_KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{loopback.url}/v1")
    return loopback


@pytest.fixture
def start(child_environment: dict[str, str]) -> Start:
    """Start `homeostasis` in a process of its own, with pipes unless told otherwise."""

    def start(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        program = Path(sys.executable).with_name("homeostasis")
        return subprocess.Popen([program, *arguments], env=child_environment, **{**pipes, **options})  # type: ignore[call-overload,no-any-return]  # options are what Popen takes

    return start
