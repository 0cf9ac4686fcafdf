"""Decide what one provider is asked for when a request names a model: as it is, by another name, or its default.

A name goes to another vendor only where that vendor has it. What vendors have is read from the settings, the catalog
and the price list in litellm's files; litellm is not imported, and nobody is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ...catalog import canonical_name, facts_of
from ...config import ProviderSettings, Settings
from ...errors import ModelNotFoundError

Action = Literal["as_is", "mapped", "dropped", "refused"]
OnOtherModel = Literal["drop", "refuse"]

GATEWAYS = frozenset({"openrouter", "vercel_ai_gateway"})
"""Who passes requests on to other vendors, whose models they call `vendor/model`."""

# Public ids begin with these: openrouter.ai/models. Vendors that are not here are called there as in the catalog.
_ON_OPENROUTER = {
    "dashscope": "qwen",
    "gemini": "google",
    "mistral": "mistralai",
    "moonshot": "moonshotai",
    "xai": "x-ai",
    "zai": "z-ai",
}

# The catalog's rows before its clouds and hosts.
_MAKERS = frozenset(
    {
        *("openai", "anthropic", "gemini", "mistral", "cohere", "ai21", "deepseek", "xai", "moonshot", "dashscope"),
        *("zai", "minimax", "inception", "perplexity"),
    }
)
"""Whose models are their own, and not those of others on their machines."""

_NAMES = 512
"""More than one program uses. Each way to a provider asks for the same ones again and again."""

_DATE = re.compile(r"[-@](latest|20\d{6}|20\d\d-\d\d-\d\d)$")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a provider is asked for."""

    model: str | None
    """As this provider calls it; None for its default."""
    action: Action
    note: str = ""
    """For people, where the name was changed or left out; empty where it was not."""

    def error(self, provider: str) -> ModelNotFoundError | None:
        """Why the provider is not to be asked; None where it is."""
        if self.action != "refused":
            return None
        return ModelNotFoundError(
            f"{provider} is not asked: {self.note}; see `providers.{provider}.model_map` and `failover.on_other_model`",
            provider=provider,
            model=self.model,
        )


def resolve(
    model: str | None, provider: str, settings: Settings, *, first: bool, on_other_model: OnOtherModel = "drop"
) -> Resolution:
    """What `provider` is asked for by a request that names `model`.

    `first` says that the user chose this provider for the request: preferred it, or put it first. It gets a name as it
    is, which nobody else does where it is not known whose model that is. A name with another provider before it, as in
    `openai:gpt-x`, is that provider's.
    """
    if model is None:
        return Resolution(None, "as_is")
    name = canonical_name(provider)
    own, meant_for = _without_prefix(model, name)
    vendors = _vendors(own) if meant_for is None else frozenset({meant_for})
    set_for_it = settings.provider(name)
    known_as = set_for_it.model_map.get(model) or set_for_it.model_map.get(own)
    if known_as is None and (meant_for == name or _has(name, own, set_for_it)):
        known_as = own
    if known_as is None and name in GATEWAYS:
        known_as = _on_gateway(name, own, vendors)
    if known_as is not None:
        return _called(known_as, model, name)
    if first and meant_for is None:
        return Resolution(model, "as_is")
    whose = f"is {_or(vendors)}'s" if vendors else f"is not known to be {name}'s"
    if on_other_model == "refuse":
        return Resolution(model, "refused", f"{model} {whose}")
    return Resolution(None, "dropped", f"{model} {whose}, so {name} uses its default model")


def has_model(provider: str, model: str, settings: Settings) -> bool:
    """Whether `provider` is known to have `model`, by a name of its own or by one that the settings map."""
    name = canonical_name(provider)
    return _has(name, model, settings.provider(name))


def owners_first(model: str | None, providers: Sequence[str], settings: Settings) -> list[str]:
    """`providers`, those that are known to have `model`, by any name, before the others; otherwise in their order."""
    return sorted(providers, key=lambda name: resolve(model, name, settings, first=False).action == "dropped")


def unified_route(provider: str, model: str | None, settings: Settings) -> tuple[str, str | None] | None:
    """Whom to ask instead of `provider`, and for which model, where OpenRouter stands in for it; None where not."""
    name = canonical_name(provider)
    unified = settings.openrouter_unified
    if not unified.enabled or name == "openrouter" or name not in unified.providers:
        return None
    own, meant_for = (None, None) if model is None else _without_prefix(model, name)
    for asked in (model, own, *((name,) if own is None else ())):
        if asked is not None and (mapped := unified.model_map.get(asked)) is not None:
            return "openrouter", mapped
    facts = facts_of(name)
    wanted = own or settings.provider(name).default_model or (facts.default_model if facts is not None else None)
    if wanted is None:
        return "openrouter", None
    vendors = {meant_for or name} if "/" not in wanted else set()
    return "openrouter", _on_gateway("openrouter", wanted, frozenset(vendors)) or wanted


def _has(name: str, model: str, own: ProviderSettings) -> bool:
    if model == own.default_model or model in own.prices or model in own.model_map or name in _vendors(model):
        return True
    facts = facts_of(name)
    return facts is not None and model == facts.default_model


def _called(model: str, asked: str, provider: str) -> Resolution:
    if model == asked:
        return Resolution(model, "as_is")
    return Resolution(model, "mapped", f"{asked} is called {model} by {provider}")


@lru_cache(maxsize=_NAMES)
def _without_prefix(model: str, provider: str) -> tuple[str, str | None]:
    """The model's own name, and the provider that stands before it in `model`; None where none does."""
    for mark in (":", "/"):
        before, found, after = model.partition(mark)
        if not found or not after or "/" in before:
            continue
        named = canonical_name(before.strip())
        if named == provider:
            # openrouter/auto is that model's own name.
            own = model if mark == "/" and provider in GATEWAYS and "/" not in after else after
            return _own_spelling(own, provider), named
        if facts_of(named) is not None and _is_prefix(mark, provider):
            return after, named
    return model, None


def _is_prefix(mark: str, provider: str) -> bool:
    """Whether another provider's name and `mark` are no part of the names that `provider` itself gives to models."""
    if mark == "/":
        # Hosts of open models have names such as mistralai/Mistral-7B.
        return provider in _MAKERS or provider in GATEWAYS
    facts = facts_of(provider)
    # On one's own machine a colon stands before a tag, as in mistral:7b.
    return facts is None or not facts.local


@lru_cache(maxsize=_NAMES)
def _own_spelling(model: str, provider: str) -> str:
    """What a maker itself calls a model that gateways write otherwise, as claude-haiku-4.5 for claude-haiku-4-5."""
    from ...litellm_bridge.pricing import makers

    if provider not in _MAKERS or provider in _vendors(model):
        return model
    plain = _plain(model)
    same = [known for known in makers() if _plain(known) == plain and provider in _vendors(known)]
    return min(same, key=len, default=model)


@lru_cache(maxsize=_NAMES)
def _vendors(model: str) -> frozenset[str]:
    """Who is known to have the model under that very name, by their names in the catalog."""
    from ...litellm_bridge.pricing import makers

    return frozenset(canonical_name(name) for name in makers().get(model, ()))


@lru_cache(maxsize=_NAMES)
def _on_gateway(gateway: str, model: str, vendors: frozenset[str]) -> str | None:
    """What `gateway` calls a vendor's model; None where that cannot be told."""
    from ...litellm_bridge.pricing import makers

    plain = _plain(model)
    listed = [known for known, names in makers().items() if gateway in names and "/" in known]
    for known in listed:
        if _plain(known.rpartition("/")[2]) == plain:
            return known
    makes = vendors & _MAKERS
    if gateway != "openrouter" or len(makes) != 1:
        return None
    (vendor,) = makes
    # Anthropic's own ids have dates and dashes, as in claude-haiku-4-5-20251001; there it is claude-haiku-4.5.
    own = re.sub(r"(?<=-\d)-(?=\d+(-|$))", ".", _DATE.sub("", model)) if vendor == "anthropic" else model
    return f"{_ON_OPENROUTER.get(vendor, vendor)}/{own}"


def _plain(model: str) -> str:
    """What is left of a name when dates and the ways to write a version are taken out."""
    return _DATE.sub("", model).lower().replace(".", "-")


def _or(names: frozenset[str]) -> str:
    return " or ".join(sorted(names & _MAKERS or names)[:3])
