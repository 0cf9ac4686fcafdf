"""A Secret Service of one's own: Debian's gnome-keyring on a bus that nobody else is on."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

NEEDED = {"dbus-daemon": "dbus", "dbus-send": "dbus", "gnome-keyring-daemon": "gnome-keyring"}
"""The programs, with Debian's packages that have them."""

_PATIENCE = 60
"""Seconds for the service to come up."""


class SecretService:
    """The service, and processes that have it for their keyring."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        # Paths of sockets may have 107 characters, so they lie by themselves.
        address = f"unix:path={folder / 'bus'}"
        unwanted = {"PYTHON_KEYRING_BACKEND", "DISPLAY", "WAYLAND_DISPLAY"}
        self.environment = {name: given for name, given in environment.items() if name not in unwanted}
        self.environment |= {
            "DBUS_SESSION_BUS_ADDRESS": address,
            "XDG_RUNTIME_DIR": str(folder),
            # keyring leaves its connection open where it finds a locked collection.
            "PYTHONWARNINGS": "error,ignore::ResourceWarning",
        }
        self._bus = self._started("dbus-daemon", "--session", "--nofork", f"--address={address}")
        self._wait_until_it_answers("org.freedesktop.DBus")
        self._service = self._started(
            "gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets", typed=b"the passphrase"
        )
        self._wait_until_it_answers("org.freedesktop.secrets")

    def run(self, code: str, *arguments: str) -> Any:
        """What a new process prints, which is JSON."""
        return self.result(self.start(code, *arguments))

    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        """A new process; its arguments are in `sys.argv`."""
        command = [sys.executable, "-c", code, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def result(self, process: subprocess.Popen[str]) -> Any:
        """What it prints, which is JSON, and nothing beside it."""
        printed, complained = process.communicate(timeout=_PATIENCE)
        assert (process.returncode, complained) == (0, "")
        return json.loads(printed)

    def stop_answering(self) -> None:
        """Leave it there, and deaf."""
        self._service.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        self._service.send_signal(signal.SIGCONT)
        for process in (self._service, self._bus):
            process.terminate()
            process.wait(_PATIENCE)

    def _started(self, *command: str, typed: bytes = b"") -> subprocess.Popen[bytes]:
        nowhere = subprocess.DEVNULL
        with TemporaryFile() as keyboard:
            keyboard.write(typed)
            keyboard.seek(0)
            return subprocess.Popen(command, env=self.environment, stdin=keyboard, stdout=nowhere, stderr=nowhere)

    def _wait_until_it_answers(self, name: str) -> None:
        asked = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
        asked += ["org.freedesktop.DBus.NameHasOwner", f"string:{name}"]
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            answer = subprocess.run(asked, env=self.environment, capture_output=True, text=True, check=False)
            if "boolean true" in answer.stdout:
                return
            time.sleep(0.02)
        pytest.fail(f"{name} did not come up")


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory, child_environment: dict[str, str]) -> Iterator[SecretService]:
    """It is unlocked, and has nothing in it."""
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if missing:
        pytest.skip(f"needs a Secret Service of its own (Debian: apt-get install {' '.join(missing)})")
    own = SecretService(tmp_path_factory.mktemp("bus"), child_environment)
    yield own
    own.close()
