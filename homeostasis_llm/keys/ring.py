"""Ask the keyring of the operating system, and have it keep keys: for a limited time, and never on its word alone.

keyring is imported when it is asked, and it is asked in a thread: a locked one may wait for ever to be unlocked. What
was written is read back, for there are backends that keep nothing and say nothing.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from pydantic import SecretStr

from ..redaction import redact
from .bounded import Attempt
from .encrypted_file import BACKEND as ENCRYPTED_FILE
from .encrypted_file import BUSY_SECONDS, EncryptedFile
from .errors import SourceTroubleError
from .keyring_facts import READ_SECONDS, SERVICE

WRITE_SECONDS = 30.0
"""How long it may take to store or remove a key: somebody is there, and may have to type a password first."""

_NO_ANSWER = "the keyring has still not answered an earlier question"

_PLAIN_TEXT = {"keyrings.cryptfile.file.PlaintextKeyring", "keyrings.alt.file.PlaintextKeyring"}
_PROMPTING = {"keyrings.cryptfile.file.EncryptedKeyring", "keyrings.alt.file.EncryptedKeyring"}
"""Backends that ask for a passphrase on the terminal, in the middle of whatever runs there."""

_WINDOWS = "keyring.backends.Windows"
_WINDOWS_BYTES = 2560
"""In UTF-16, as keyring writes it. Source: Microsoft, CREDENTIALW, CRED_MAX_CREDENTIAL_BLOB_SIZE (5 * 512)."""

_TITLES = {
    "keyring.backends.SecretService": "the Secret Service",
    "keyring.backends.libsecret": "the Secret Service",
    "keyring.backends.kwallet": "KWallet",
    "keyring.backends.macOS": "the macOS Keychain",
    _WINDOWS: "the Windows Credential Manager",
}

_log = logging.getLogger(__name__)

T = TypeVar("T")


class KeyringFailedError(Exception):
    """The keyring did not do what it was asked; the text says why. Never leaves this package."""

    def __init__(self, reason: str, backend: str | None = None, *, locked: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.backend = backend
        """The class of whom was asked; None where that is not known."""
        self.locked = locked
        """Whether it is locked, or seems to be: it does not answer."""


def read(users: Sequence[str], seconds: float = READ_SECONDS) -> tuple[Mapping[str, SecretStr | None], str | None]:
    """What the keyring has for each user that it answered for, and why it did not answer for the others."""
    kept: dict[str, SecretStr | None] = {}

    def ask(members: list[Any]) -> None:
        for user in users:
            found = _get(members, user)
            kept[user] = None if found is None else SecretStr(found)

    try:
        _visit(ask, seconds)
    except KeyringFailedError as failure:
        _log.debug("the keyring could not be asked: %s", failure.reason)
        return dict(kept), failure.reason
    return kept, None


def store(user: str, secret: SecretStr, seconds: float = WRITE_SECONDS) -> str:
    """Have the keyring keep `secret`, and tell for people where that is. Raises `KeyringFailedError`."""

    def write(members: list[Any]) -> str:
        member = _write(members, user, secret)
        kept = _get(members, user)
        if kept is None:
            raise SourceTroubleError(f"{_title(member)} keeps nothing of what it is given")
        if kept != secret.get_secret_value():
            raise SourceTroubleError(f"what {_title(member)} gives back is not what it was given")
        return _title(member)

    return _visit(write, seconds)


def remove(user: str, seconds: float = WRITE_SECONDS) -> bool:
    """Have the keyring forget that user's secret; False where it has none. Raises `KeyringFailedError`."""

    def delete(members: list[Any]) -> bool:
        from keyring.errors import NoKeyringError

        try:
            holders = [member for member in members if member.get_password(SERVICE, user) is not None]
        except NoKeyringError:
            return False
        with _alone(holders):
            for holder in holders:
                _delete(holder, user)
        return bool(holders)

    return _visit(delete, seconds)


def encrypted_file(seconds: float = READ_SECONDS) -> EncryptedFile | None:
    """The encrypted file, where keys would be stored in one; None where the keyring is something else, or fails."""

    def first(members: list[Any]) -> EncryptedFile | None:
        return members[0] if members and isinstance(members[0], EncryptedFile) else None

    try:
        return _visit(first, seconds)
    except KeyringFailedError:
        return None  # whoever stores a key then is told why


# --------------------------------------------------------------------------------------- in the thread that asks


def _members() -> list[Any]:
    """The backends that are asked, in this order: one, or those of a chain."""
    import keyring
    from keyring.backends.chainer import ChainerBackend

    backend = keyring.get_keyring()
    if not isinstance(backend, ChainerBackend):
        if _name(backend) in _PROMPTING:
            raise SourceTroubleError(
                f"{_name(backend)} would ask for a passphrase at the terminal; use {ENCRYPTED_FILE}"
            )
        return [_safe(backend)]
    unfit = _PLAIN_TEXT | _PROMPTING
    return [_safe(member) for member in backend.backends if _name(member) not in unfit]


def _safe(backend: Any) -> Any:
    return EncryptedFile(backend) if _name(backend) == ENCRYPTED_FILE else backend


def _get(members: list[Any], user: str) -> str | None:
    failure: Exception | None = None
    for member in members:
        try:
            found: str | None = member.get_password(SERVICE, user)
        except Exception as error:  # noqa: BLE001  # backends raise anything; the next of a chain may do better
            failure = failure or error
            continue
        if found is not None:
            return found
    if failure is not None:
        raise failure
    return None


def _write(members: list[Any], user: str, secret: SecretStr) -> Any:
    """The first backend that takes the secret."""
    for member in members:
        _check_room(member, secret)
        if _name(member) in _PLAIN_TEXT:
            raise SourceTroubleError(f"{_name(member)} would write it to a file as it is, for all to read")
        try:
            with _alone([member]):
                member.set_password(SERVICE, user, secret.get_secret_value())
        except NotImplementedError:
            continue
        return member
    raise SourceTroubleError("none of its backends can store anything")


def _delete(member: Any, user: str) -> None:
    for _ in range(8):  # the Secret Service may have several items of one name, and removes one at a time
        member.delete_password(SERVICE, user)
        if member.get_password(SERVICE, user) is None:
            return
    raise SourceTroubleError(f"{_title(member)} still has it after removing it")


def _check_room(member: Any, secret: SecretStr) -> None:
    if type(member).__module__ == _WINDOWS:
        size = len(secret.get_secret_value().encode("utf-16-le", "surrogatepass"))
        if size > _WINDOWS_BYTES:
            raise SourceTroubleError(
                f"the key is {size // 2} characters long, and {_title(member)} takes {_WINDOWS_BYTES // 2} at most"
            )


@contextlib.contextmanager
def _alone(members: list[Any]) -> Iterator[None]:
    """Wait for other processes that write where one might undo another's work."""
    if not any(type(member).__module__ == _WINDOWS for member in members):
        yield
        return
    # There, keyring moves the key that was stored before to another place with each new one.
    from filelock import FileLock
    from platformdirs import user_data_path

    folder = user_data_path("homeostasis-llm", appauthor=False)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "keys.lock", timeout=WRITE_SECONDS):
        yield


def _name(backend: Any) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def _title(member: Any) -> str:
    return str(member) if isinstance(member, EncryptedFile) else _TITLES.get(type(member).__module__, _name(member))


# ------------------------------------------------------------------------------------------- the thread and its end


@dataclass
class _Outcome:
    """What a visit has brought. Errors become text where they arise: their tracebacks hold what was to be stored."""

    result: Any = None
    problem: str | None = None
    backend: str | None = None
    locked: bool = False


_visits = Lock()
_hanging: Attempt[_Outcome] | None = None


def _visit(work: Callable[[list[Any]], T], seconds: float) -> T:
    """What `work` makes of the backends. Raises `KeyringFailedError`."""
    global _hanging  # noqa: PLW0603  # a keyring that hangs does so for the whole process
    with _visits:
        if _hanging is not None and _hanging.under_way:
            raise KeyringFailedError(_NO_ANSWER, locked=True)
        asked: list[Any] = []
        attempt = Attempt(lambda: _outcome(work, asked), "homeostasis-keyring")
        if not attempt.finished_within(seconds) and not _finishes(attempt, asked):
            _hanging = attempt
            raise KeyringFailedError(
                f"the keyring did not answer within {seconds:g} s; it may be waiting to be unlocked", locked=True
            )
        _hanging = None
        outcome = attempt.result()
    if outcome.problem is not None:
        raise KeyringFailedError(outcome.problem, outcome.backend, locked=outcome.locked)
    found: T = outcome.result
    return found


def _finishes(attempt: Attempt[_Outcome], asked: list[Any]) -> bool:
    """Whether what has taken long is our own doing, and ends."""
    return any(isinstance(member, EncryptedFile) and member.busy for member in asked) and attempt.finished_within(
        BUSY_SECONDS
    )


def _outcome(work: Callable[[list[Any]], Any], asked: list[Any]) -> _Outcome:
    try:
        import keyring
        from keyring import errors
    except Exception as error:  # noqa: BLE001  # of a broken installation anything may come
        return _Outcome(problem=f"keyring cannot be imported: {_in_one_line(error)}")
    backend: str | None = None
    locked = False
    try:
        backend = _name(keyring.get_keyring())
        asked += _members()
        if asked and isinstance(asked[0], EncryptedFile):
            backend = ENCRYPTED_FILE
        return _Outcome(result=work(asked))
    except errors.NoKeyringError:
        problem = "this system has no keyring"
    except errors.KeyringLocked:
        problem, locked = "the keyring is locked", True
    except SourceTroubleError as trouble:
        problem = redact(str(trouble))
    except BaseException as error:  # noqa: BLE001  # backends are plugins and raise anything; keys may be elsewhere
        problem = f"the keyring failed: {_in_one_line(error)}"
    return _Outcome(problem=problem, backend=backend, locked=locked)


def _in_one_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return redact(f"{type(error).__name__}: {said}" if said else type(error).__name__)
