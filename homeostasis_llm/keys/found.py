"""What looking for a key brings: the key with its place, or why a place could not be looked into."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, Self

from .sealed import Sealed

if TYPE_CHECKING:
    from pydantic import SecretStr


class SourceKind(StrEnum):
    """The kinds of places where a key may be, in the order in which they are asked."""

    ENVIRONMENT = "environment"
    KEYRING = "keyring"
    """The operating system's, or the encrypted file in its place."""
    FILE = "file"
    COMMAND = "command"
    SECRET_STORE = "secret_store"  # noqa: S105  # no secret, a word for where one is


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key, and for people where it was. Copies share the key; there are no pickles of it."""

    sealed: Sealed
    source: str
    """As in `environment variable OPENAI_API_KEY`."""
    kind: SourceKind
    label: str | None = None
    """Which of several keys of the provider; None for the one without a label."""

    @property
    def secret(self) -> SecretStr:
        """The key, as all else in this package takes it."""
        from pydantic import SecretStr

        return SecretStr(self.sealed.get_secret_value())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled: look it up again where it is needed")


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What one place had for one provider."""

    kind: SourceKind
    source: str
    """The place for people, as in `FoundKey`."""
    label: str | None = None
    found: FoundKey | None = None
    problem: str | None = None
    """Why it could not be looked into; None where it could."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What looking for one provider's key has brought."""

    provider: str
    variables: tuple[str, ...]
    """The environment variables that count, first come first."""
    found: FoundKey | None = None
    troubles: tuple[SourceReport, ...] = ()
    """The places that came before the key, or before the end, and could not be looked into."""

    @property
    def keyring_problem(self) -> str | None:
        """Why the keyring could not be asked; None where it was, and where it was not needed."""
        return next((report.problem for report in self.troubles if report.kind is SourceKind.KEYRING), None)

    @property
    def problem(self) -> str | None:
        """Why any place could not be looked into, all in one line; None where all could."""
        return "; ".join(dict.fromkeys(filter(None, (report.problem for report in self.troubles)))) or None
