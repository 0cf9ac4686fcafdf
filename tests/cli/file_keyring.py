"""A keyring that lasts from one process to the next, in a file of the test's home, and costs no time."""

from __future__ import annotations

import json
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class FileKeyring(KeyringBackend):
    """Keeps everything as it is: for made-up keys alone."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._keep({**self._kept(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        kept = self._kept()
        if kept.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("not found")
        self._keep(kept)

    def _kept(self) -> dict[str, str]:
        file = self._file()
        kept: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return kept

    def _keep(self, kept: dict[str, str]) -> None:
        self._file().write_text(json.dumps(kept), encoding="utf-8")

    def _file(self) -> Path:
        return Path.home() / "test-keyring.json"
