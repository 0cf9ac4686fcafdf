"""Find a provider's key: in the environment, then in the keyring of the operating system.

keyring is imported only where no environment variable had the key, and may hang or fail without harm: it is asked in a
thread, for a limited time, and the answer says why it could not be asked.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock, Thread

from pydantic import SecretStr

from ..catalog import canonical_name, facts_of, plain_name
from ..litellm_names import litellm_names, openai_like
from ..redaction import redact, remember

SERVICE = "homeostasis-llm"
"""The service under which the keyring has our keys; the user name is the provider's name."""

KEYRING_SECONDS = 5.0
"""How long the keyring may take to answer: it may be waiting for somebody to unlock it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key, and for people where it was."""

    secret: SecretStr
    source: str
    """As in `environment variable OPENAI_API_KEY`."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What looking for one provider's key has brought."""

    provider: str
    variables: tuple[str, ...]
    """The environment variables that count, first come first."""
    found: FoundKey | None = None
    keyring_problem: str | None = None
    """Why the keyring could not be asked; None where it was, and where it was not needed."""


def find_key(provider: str, *, timeout: float = KEYRING_SECONDS) -> FoundKey | None:
    """The key of that provider; None where there is none. `timeout` is what the keyring may take, in seconds."""
    return key_status([provider], timeout=timeout)[provider].found


def key_status(providers: Iterable[str], *, timeout: float = KEYRING_SECONDS) -> dict[str, KeyStatus]:
    """What `find_key` finds for each provider, with one visit to the keyring and one `timeout`, in seconds, for all."""
    statuses = {provider: _in_environment(provider) for provider in providers}
    users = {provider: canonical_name(provider) for provider, status in statuses.items() if status.found is None}
    if not users:
        return statuses
    kept, problem = _ask_keyring(tuple(dict.fromkeys(users.values())), timeout)
    for provider, user in users.items():
        variables = statuses[provider].variables
        # A keyring that stopped answering midway has not said whether it has the others.
        found = _found(kept.get(user), "keyring")
        statuses[provider] = KeyStatus(provider, variables, found, None if user in kept else problem)
    return statuses


def env_names(provider: str) -> tuple[str, ...]:
    """The environment variables that a key of that provider is looked for in, the first one set counts."""
    name = canonical_name(provider)
    ours = f"HOMEOSTASIS_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_API_KEY"
    return tuple(dict.fromkeys((ours, *_provider_variables(name))))


def _provider_variables(name: str) -> tuple[str, ...]:
    facts = facts_of(name)
    if facts is not None:
        return facts.env
    spelling = next((known for known in litellm_names() if plain_name(known) == name), None)
    if spelling is None:
        return ()
    # Nearly all of litellm's providers that its table does not hold read the variable called after them.
    return (str(openai_like().get(spelling, {}).get("api_key_env") or f"{name.upper()}_API_KEY"),)


def _in_environment(provider: str) -> KeyStatus:
    variables = env_names(provider)
    for variable in variables:
        found = _found(os.environ.get(variable), f"environment variable {variable}")
        if found is not None:
            return KeyStatus(provider, variables, found)
    return KeyStatus(provider, variables)


def _found(key: str | None, source: str) -> FoundKey | None:
    # No key has white space around it, and what has nothing else is empty: a file's last line break, an unset variable.
    key = (key or "").strip()
    if not key:
        return None
    remember(key)
    return FoundKey(SecretStr(key), source)


class _Visit:
    """One visit to the keyring, in a thread of its own: nothing in a process can stop a keyring that hangs."""

    def __init__(self, users: tuple[str, ...]) -> None:
        self.kept: dict[str, str | None] = {}
        self.problem: str | None = None
        self._users = users
        self._thread = Thread(target=self._ask, name="homeostasis-keyring", daemon=True)

    @property
    def under_way(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        self._thread.start()
        self._thread.join(seconds)

    def _ask(self) -> None:
        try:
            import keyring
            from keyring import errors
        except Exception as error:  # noqa: BLE001  # of a broken installation anything may come
            self.problem = f"keyring cannot be imported: {_in_one_line(error)}"
            return
        try:
            for user in self._users:
                self.kept[user] = keyring.get_password(SERVICE, user)
        except errors.NoKeyringError:
            self.problem = "this system has no keyring"
        except errors.KeyringLocked:
            self.problem = "the keyring is locked"
        except BaseException as error:  # noqa: BLE001  # backends are plugins and raise anything; keys may be elsewhere
            self.problem = f"the keyring failed: {_in_one_line(error)}"


_visits = Lock()
_hanging: _Visit | None = None


def _ask_keyring(users: tuple[str, ...], timeout: float) -> tuple[Mapping[str, str | None], str | None]:
    """What the keyring has for each user that it answered for, and why it did not answer for the others."""
    global _hanging  # noqa: PLW0603  # a keyring that hangs does so for the whole process
    with _visits:
        if _hanging is not None and _hanging.under_way:
            return {}, "the keyring has still not answered an earlier question"
        visit = _Visit(users)
        visit.wait(timeout)
        _hanging = visit if visit.under_way else None
        kept, problem = dict(visit.kept), visit.problem
        if _hanging is not None:
            problem = f"the keyring did not answer within {timeout:g} s; it may be waiting to be unlocked"
    if problem is not None:
        _log.debug("the keyring could not be asked: %s", problem)
    return kept, problem


def _in_one_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return redact(f"{type(error).__name__}: {said}" if said else type(error).__name__)
