"""What the tests of keys share: keyrings of any behaviour in the place of the one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend

from homeostasis_llm.keys import encrypted_file


@pytest.fixture
def use_keyring() -> Iterator[Callable[[KeyringBackend], None]]:
    """Sets the keyring of this process, until the test is over."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture(autouse=True)
def _no_passphrase() -> Iterator[None]:
    """The passphrase that one test gives is unknown to the next."""
    yield
    encrypted_file.use_passphrase(None)
