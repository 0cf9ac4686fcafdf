"""How a rule speaks: a broken one with a sentence that says what to do, one that does not apply with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

import pytest

from ...errors import LLMError

T = TypeVar("T")


def require(holds: object, sentence: str) -> None:
    """Fail with `sentence` unless `holds` is true."""
    if not holds:
        broken(sentence)


def broken(sentence: str, cause: Exception | None = None) -> NoReturn:
    """Fail with `sentence`, and with the traceback of `cause` before it."""
    raise pytest.fail.Exception(sentence, pytrace=False) from cause


def not_applicable(reason: str) -> NoReturn:
    """Leave the rule out, and say why."""
    pytest.skip(reason)


def good(way: str, call: Callable[[], T]) -> T:
    """What `call` returns. What it raises breaks the rule: it was given a good answer."""
    try:
        return call()
    except LLMError as error:
        broken(
            f"{way} raised {type(error).__name__} ({error}) where the server gave a good answer: read that answer, and "
            "raise nothing."
        )
    except Exception as error:  # noqa: BLE001  # an author's code may raise anything, and is told so
        broken(_bug(way, error), error)


def failure(way: str, call: Callable[[], object]) -> LLMError:
    """The error that `call` raises. Anything else breaks the rule."""
    try:
        found = call()
    except LLMError as error:
        return error
    except Exception as error:  # noqa: BLE001  # as above
        broken(_bug(way, error), error)
    broken(
        f"{way} returned {_short(found)} where there was no good answer: raise an LLMError, such as the one that "
        "error_from_answer(status, headers, body, provider=self.name) makes."
    )


def _bug(way: str, error: Exception) -> str:
    return (
        f"{way} raised {type(error).__module__}.{type(error).__qualname__} ({_short(error)}): raise nothing but "
        "LLMError and its subclasses, so that callers need to know no HTTP client of yours."
    )


def _short(found: object) -> str:
    shown = repr(found)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"
