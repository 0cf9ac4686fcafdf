"""Hold a key so that nobody prints it by accident. Light: importing pydantic takes longer than asking a provider."""

from __future__ import annotations

from typing import NoReturn, final


@final
class Sealed:
    """A key that shows itself only where it is asked for: pydantic's `SecretStr`, without pydantic."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """The key."""
        return self._text

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled: look it up again where it is needed")

    def __repr__(self) -> str:
        return "Sealed('**********')"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Sealed) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)
