"""Keys in a real Secret Service: unlocked, locked, deaf and absent. Each process is one that a user would start."""

from __future__ import annotations

import pytest

from .conftest import SecretService

STORE = """
import json, sys
from homeostasis_llm import APIKeyManager
manager = APIKeyManager()
places = [manager.set_key(name, f"sk-QZJX-{name}{label}", validate=False, label=label or None)
          for name, _, label in (word.partition("#") for word in sys.argv[1:])]
print(json.dumps(places))
"""

READ = """
import json, sys
from homeostasis_llm import APIKeyManager
manager = APIKeyManager()
print(json.dumps({name: manager.get_key(name) for name in sys.argv[1:]}))
"""

TROUBLE = """
import json
from homeostasis_llm import APIKeyManager, KeyStorageError
from homeostasis_llm.keys.lookup import key_status
manager = APIKeyManager()
told = {"read": manager.get_status("openai").problem, "get_key": manager.get_key("openai")}
for name, change in (
    ("set_key", lambda: manager.set_key("openai", "sk-QZJX-1234", validate=False)),
    ("remove_key", lambda: manager.remove_key("openai")),
):
    try:
        change()
    except KeyStorageError as error:
        told[name] = str(error)
        told["ways_out"] = error.ways_out or told["ways_out"]
print(json.dumps(told))
"""


def test_a_stored_key_is_read_by_another_process_until_it_is_removed(service: SecretService) -> None:
    assert service.run(STORE, "openai", "openai#backup") == ["the Secret Service", "the Secret Service"]

    assert service.run(READ, "openai", "groq") == {"openai": "sk-QZJX-openai", "groq": None}
    listed = service.run("""
import json
from homeostasis_llm import APIKeyManager
manager = APIKeyManager()
keys = [key.source for key in manager.find_keys("openai")]
print(json.dumps([manager.list_keys()["openai"], keys, manager.remove_key("openai"), manager.remove_key("openai")]))
""")
    assert listed == [
        {"environment": False, "external_secrets": False, "encrypted_storage": True},
        ["keyring", "keyring, label backup"],
        True,
        False,
    ]
    assert service.run(READ, "openai") == {"openai": "sk-QZJX-openaibackup"}


def test_processes_that_store_at_once_lose_none(service: SecretService) -> None:
    groups = [["openai", "groq", "xai"], ["mistral", "cohere", "deepseek"]]
    processes = [service.start(STORE, *names) for names in groups]
    for process in processes:
        service.result(process)

    names = [name for group in groups for name in group]
    assert service.run(READ, *names) == {name: f"sk-QZJX-{name}" for name in names}


def test_a_locked_one_is_told_as_locked(service: SecretService) -> None:
    service.run(STORE, "openai")
    service.run("""
import contextlib, secretstorage
with contextlib.closing(secretstorage.dbus_init()) as connection:
    secretstorage.get_default_collection(connection).lock()
print("null")
""")

    told = service.run(TROUBLE)

    assert (told["read"], told["get_key"]) == ("the keyring is locked", None)
    assert told["set_key"].startswith("openai: the key was not stored: the keyring is locked")
    assert told["remove_key"].startswith("openai: the key was not removed: the keyring is locked")
    assert told["ways_out"][0] == "unlock the keyring: log in to the desktop, or run `gnome-keyring-daemon --unlock`"


def test_one_that_does_not_answer_is_told_so_and_holds_up_nobody(service: SecretService) -> None:
    service.run(STORE, "openai")
    service.stop_answering()

    told = service.run(TROUBLE.replace('manager.get_status("openai")', 'key_status(["openai"], timeout=1)["openai"]'))

    assert told["read"] == "the keyring did not answer within 1 s; it may be waiting to be unlocked"
    assert told["get_key"] is None
    assert "the keyring has still not answered an earlier question" in told["set_key"]


@pytest.mark.parametrize("backend", ["keyring.backends.SecretService.Keyring", None])
def test_where_there_is_none_the_user_is_told_what_to_do(backend: str | None, service: SecretService) -> None:
    service.environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"
    if backend is not None:
        service.environment["PYTHON_KEYRING_BACKEND"] = backend

    told = service.run(TROUBLE)

    assert told["get_key"] is None
    assert told["set_key"].startswith("openai: the key was not stored: ")
    assert "set the environment variable OPENAI_API_KEY" in told["ways_out"]
    assert any("HOMEOSTASIS_OPENAI_API_KEY_FILE" in way for way in told["ways_out"])
    if backend is not None:
        assert told["read"].startswith("the keyring failed: ")
        assert any("PYTHON_KEYRING_BACKEND=keyrings.cryptfile" in way for way in told["ways_out"])
