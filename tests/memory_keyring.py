"""A keyring in memory, in place of the developer's own."""

from __future__ import annotations

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class MemoryKeyring(KeyringBackend):
    """Forgets everything with the process; `clear()` does so at once."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own has no annotations
        self._stored: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._stored.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._stored[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self._stored.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")

    def clear(self) -> None:
        self._stored.clear()
