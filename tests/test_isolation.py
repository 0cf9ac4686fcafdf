"""What conftest.py promises: tests cannot reach the network, the developer's keys, home or keyring."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest

from homeostasis_llm.catalog import ProviderFacts, all_facts

from . import offline
from .personal import is_personal

ELSEWHERE = "192.0.2.1"  # reserved for documentation (RFC 5737): it would lead nowhere if it got out


def _connect() -> None:
    with socket.socket() as connection:
        connection.connect((ELSEWHERE, 443))


def _connect_without_raising() -> None:
    with socket.socket() as connection:
        connection.connect_ex((ELSEWHERE, 443))


def _send_a_datagram() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as connection:
        connection.sendto(b"?", (ELSEWHERE, 53))


def _look_a_name_up() -> None:
    socket.getaddrinfo("llm.example", 443)


def _look_a_name_up_the_old_way() -> None:
    socket.gethostbyname("llm.example")


async def _open_a_stream() -> None:
    await asyncio.open_connection("llm.example", 443)


@pytest.fixture
def forgiven() -> Iterator[None]:
    """Attempts made on purpose."""
    before = len(offline.attempts)
    yield
    del offline.attempts[before:]


@pytest.mark.parametrize(
    "reach_out",
    [_connect, _connect_without_raising, _send_a_datagram, _look_a_name_up, _look_a_name_up_the_old_way],
)
@pytest.mark.usefixtures("forgiven")
def test_the_network_is_refused(reach_out: Callable[[], None]) -> None:
    before = len(offline.attempts)

    with pytest.raises(offline.NetworkRefusedError):
        reach_out()

    assert len(offline.attempts) == before + 1


@pytest.mark.usefixtures("forgiven")
async def test_the_network_is_refused_to_event_loops() -> None:
    with pytest.raises(offline.NetworkRefusedError):
        await _open_a_stream()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", None])
def test_loopback_is_open(name: str | None) -> None:
    assert socket.getaddrinfo(name, 80)


def test_a_test_fails_whose_code_swallowed_the_refusal(pytester: pytest.Pytester) -> None:
    root = Path(__file__).parent.parent
    pytester.makeconftest((root / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(
        """
        import socket

        def test_swallows():
            try:
                socket.getaddrinfo("llm.example", 443)
            except RuntimeError:
                pass
        """
    )
    pytester.makeini(f"[pytest]\npythonpath = {root}")

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*the network was reached for: socket.getaddrinfo to llm.example*"])


def test_child_processes_are_refused_the_network_too(child_environment: dict[str, str]) -> None:
    swallowing = (
        "import contextlib, socket\nwith contextlib.suppress(Exception): socket.getaddrinfo('llm.example', 443)"
    )

    child = subprocess.run(
        [sys.executable, "-c", swallowing], env=child_environment, capture_output=True, text=True, check=False
    )

    assert child.returncode == offline.REFUSED_IN_A_CHILD
    assert child.stderr == "refused: socket.getaddrinfo to llm.example\n"


def test_nothing_personal_is_in_the_environment() -> None:
    assert [name for name in os.environ if is_personal(name)] == []


@pytest.mark.parametrize("facts", all_facts().values(), ids=lambda facts: facts.name)
def test_no_provider_finds_a_key_or_an_address_in_the_environment(facts: ProviderFacts) -> None:
    assert [name for name in (*facts.env, *facts.base_url_env) if not is_personal(name)] == []


def test_home_is_empty_and_the_tests_own(home: Path) -> None:
    assert Path.home() == home == Path("~").expanduser()
    assert list(home.iterdir()) == []
    (home / "left behind").touch()


@pytest.mark.parametrize("attempt", [1, 2])
def test_the_keyring_is_in_memory_and_starts_empty(attempt: int) -> None:
    assert keyring.get_password("homeostasis", "openai") is None

    keyring.set_password("homeostasis", "openai", f"secret {attempt}")

    assert keyring.get_password("homeostasis", "openai") == f"secret {attempt}"
    with contextlib.suppress(ImportError):  # where SecretService exists, it is not what answered
        from keyring.backends import SecretService

        assert not isinstance(keyring.get_keyring(), SecretService.Keyring)
