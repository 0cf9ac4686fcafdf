"""Make the one error that ends a request, so that it says of each provider what is wrong, and when to try again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import AllProvidersFailedError, APIKeyMissingError, InvalidRequestError, LLMError

if TYPE_CHECKING:
    from .health import Health
    from .target import Target

_LONGEST = 200
"""Characters of each provider's own sentence."""


def not_asked(target: Target, health: Health, why: str, seconds: float) -> LLMError:
    """Why a provider was not asked: it has failed before, or is to be left alone for a while."""
    last = health.last_error
    waits = 0 < seconds < float("inf")
    told = f"{target.provider} was not asked: {why or 'the time was up'}"
    if last is not None:
        told += f", last with {last.kind}"
    if waits:
        told += f"; it may be asked again in {seconds:.1f} s"
    return LLMError(
        told,
        error_type=None if last is None else last.kind,
        retryable=True,
        provider=target.provider,
        model=target.model or None,
        retry_after=seconds if waits else None,
    )


def final_error(errors: Mapping[str, LLMError], again: float | None) -> LLMError:
    """The error for a request that nobody answered: the only one there is, or one that has all."""
    told = list(errors.values())
    if len(told) == 1:
        return told[0]
    if len({type(error) for error in told}) == 1 and isinstance(told[0], InvalidRequestError):
        return told[0]  # it is the request, whoever is asked
    if all(isinstance(error, APIKeyMissingError) for error in told):
        names = " or ".join(errors)
        return APIKeyMissingError(
            f"no key was found for {names}: run `homeostasis llm set-key {next(iter(errors))}`, or set one of "
            "their environment variables"
        )
    waits = [error.retry_after for error in told if error.retry_after is not None]
    when = min(waits, default=again)
    sentences = "; ".join(f"{name}: {_sentence(error)}" for name, error in errors.items())
    hint = "" if when is None else f". Try again in {when:.1f} s"
    return AllProvidersFailedError(
        f"none of {len(errors)} providers answered: {sentences}{hint}",
        errors=errors,
        retryable=any(error.retryable for error in told),
        retry_after=when,
    )


def _sentence(error: LLMError) -> str:
    said = " ".join(error.message.split())
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    status = "" if error.status_code is None else f" {error.status_code}"
    return f"{error.error_type}{status}: {said}" if said else f"{error.error_type}{status}"
