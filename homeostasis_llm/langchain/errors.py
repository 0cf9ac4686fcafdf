"""Say our errors in LangChain's words too: whoever catches either class catches the same failure.

Each error that leaves the chat model is of a class made of two, ours and langchain-core's, with all facts of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from langchain_core import exceptions as theirs

from .. import errors as ours

P = ParamSpec("P")
R = TypeVar("R")

_THEIRS: dict[type[ours.LLMError], type[theirs.ModelError]] = {
    ours.LLMError: theirs.ModelError,
    ours.APIKeyError: theirs.ModelAuthenticationError,
    ours.PermissionDeniedError: theirs.ModelPermissionDeniedError,
    # A 429 too, for most providers; `is_retryable` tells the two apart.
    ours.QuotaExceededError: theirs.ModelRateLimitError,
    ours.RateLimitError: theirs.ModelRateLimitError,
    ours.InvalidRequestError: theirs.ModelInvalidRequestError,
    ours.ContextLengthError: theirs.ContextOverflowError,
    ours.ModelNotFoundError: theirs.ModelNotFoundError,
    ours.ServerError: theirs.ModelAPIError,
    ours.LLMTimeoutError: theirs.ModelTimeoutError,
    ours.LLMConnectionError: theirs.ModelConnectionError,
    ours.InvalidResponseError: theirs.ModelAPIError,
}
"""LangChain's class for ours; a class that is not here has its nearest base's."""


class _OfBoth(ours.LLMError):
    """What all classes made of two have in common."""

    @property
    def is_retryable(self) -> bool:
        """What langchain-core asks; theirs is a fact of the class, ours one of the failure."""
        return self.retryable

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made when it is needed, so a pickle can only name the one of ours it is made of.
        return _made_again, (type(self).__bases__[1],), self.__getstate__()


_made: dict[type[ours.LLMError], type[_OfBoth]] = {}


def langchain_class(kind: type[ours.LLMError]) -> type[_OfBoth]:
    """The class that is `kind` and LangChain's for it; always the same one."""
    if kind not in _made:
        base = next(cls for cls in kind.__mro__ if cls in _THEIRS)
        named = {"__module__": __name__, "__doc__": kind.__doc__}
        made = cast("type[_OfBoth]", type(kind.__name__, (_OfBoth, kind, _THEIRS[base]), named))
        _made.setdefault(kind, made)
    return _made[kind]


def as_langchain_error(error: ours.LLMError) -> ours.LLMError:
    """`error` as one that LangChain's programs know too: same facts, same message.

    Raise it outside of the `except` block: what lay behind `error` comes along as text, its traceback stays behind.
    """
    if isinstance(error, _OfBoth):
        return error
    made = _made_again(type(error))
    made.__setstate__({**vars(error), "args": error.args})
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return made if behind is None else made.with_cause(behind)


def _made_again(kind: type[ours.LLMError]) -> _OfBoth:
    # A provider author's class may want arguments of its own; the facts are there already and need no constructor.
    made_of_both = langchain_class(kind)
    return made_of_both.__new__(made_of_both)


def saying_both(call: Callable[P, R]) -> Callable[P, R]:
    """`call`, with errors that LangChain's programs know too."""

    @wraps(call)
    def said(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except ours.LLMError as error:
            failure = as_langchain_error(error)
        raise failure

    return said
