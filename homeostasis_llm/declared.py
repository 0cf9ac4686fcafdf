"""Read what a provider's class declares of itself: how fast it may be asked, what it takes, where its key is.

Declarations are class attributes. They count like what the settings say for that provider, which go before them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from pydantic import ValidationError

from .config import ProviderSettings
from .config.reading import explained
from .config.rows import variables
from .errors import InvalidRequestError
from .provider import LLMProviderInterface

P = TypeVar("P", bound=type[LLMProviderInterface])

RATES = ("requests_per_minute", "tokens_per_minute", "max_concurrent")


def rate_limited(
    *, requests_per_minute: int | None = None, tokens_per_minute: int | None = None, max_concurrent: int | None = None
) -> Callable[[P], P]:
    """Declare how much a provider of this class may be asked, unless the settings say otherwise.

    `LLMManager` keeps to it, and asks the next provider, or waits. The provider itself waits for nothing: without a
    manager, its users count for themselves.
    """
    told = dict(zip(RATES, (requests_per_minute, tokens_per_minute, max_concurrent), strict=True))
    limits = {name: most for name, most in told.items() if most is not None}
    try:
        _checked(limits)
    except ValueError as error:
        failure = InvalidRequestError(f"rate_limited: {error}")
    else:

        def declare(kind: P) -> P:
            kind.rate_limits = {**kind.rate_limits, **limits}
            return kind

        return declare
    raise failure


def declarations_of(provider: object) -> ProviderSettings | None:
    """What a provider, or its class, declares; None where that is nothing. Raises `ValueError` for what makes no sense.

    A function that makes providers declares nothing.
    """
    if not isinstance(provider, LLMProviderInterface) and not _is_class(provider):
        return None
    kind = provider if isinstance(provider, type) else type(provider)
    words = _limits(kind)
    for name in ("context_window", "model_map"):
        declared = getattr(provider, name, None)
        # A property of a class says nothing before there is an instance.
        if declared and not isinstance(declared, (property, cached_property)):
            words[name] = declared
    env = variables(getattr(kind, "env", ()))
    if not words and not env:
        return None
    settings = _checked(words)
    return settings.model_copy(update={"env": env}) if env else settings


def _limits(kind: type) -> dict[str, Any]:
    limits = getattr(kind, "rate_limits", {})
    if not isinstance(limits, Mapping):
        raise ValueError(f"rate_limits must be a mapping, found {limits!r:.60}")  # noqa: TRY004  # as pydantic's
    if wrong := [name for name in limits if name not in RATES]:
        raise ValueError(f"rate_limits has no {wrong[0]!r:.60}, but {', '.join(RATES)}")
    return dict(limits)


def _checked(words: dict[str, Any]) -> ProviderSettings:
    try:
        return ProviderSettings.model_validate(words)
    except ValidationError as error:
        problem = "; ".join(explained(error, ("providers", "declared"), words))
    raise ValueError(problem)


def _is_class(provider: object) -> bool:
    return isinstance(provider, type) and issubclass(provider, LLMProviderInterface)
