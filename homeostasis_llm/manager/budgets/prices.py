"""Tell what an answer has cost, as well as that can be known. What cannot is None, never 0."""

from __future__ import annotations

from ...catalog import facts_of
from ...config import Price, Settings
from ...provider import LLMProviderInterface
from ...response import LLMResponse
from ...usage import Usage

_MILLION = 1_000_000


def cost_of(
    response: LLMResponse, provider: LLMProviderInterface, model: str | None, settings: Settings
) -> float | None:
    """US dollars for `response`, which `provider` gave when it was asked for `model`; None where nobody knows.

    The user's own price goes first: litellm's providers take theirs from a list, which knows no discounts. Then comes
    what the provider says; what runs on one's own machine is free; for others there is litellm's list.
    """
    names = [name for name in dict.fromkeys((model, response.model)) if name]
    for name in names:
        price = settings.provider(provider.name).prices.get(name)
        if price is not None and (cost := _at(price, response.usage)) is not None:
            return cost
    if response.cost is not None:
        return response.cost
    if is_free(provider, model, settings):
        return 0.0
    return next((cost for name in names if (cost := _listed(provider, name, response.usage)) is not None), None)


def is_free(provider: LLMProviderInterface, model: str | None, settings: Settings) -> bool:
    """Whether asking `provider` costs nothing: it runs on one's own machine, or the settings say so."""
    prices = settings.provider(provider.name).prices
    price = prices.get(model) if model is not None else None
    if price is not None:
        return price.input == price.output == 0
    facts = facts_of(provider.name)
    return not provider.needs_key or (facts is not None and facts.local)


def price_of(provider: str, model: str, settings: Settings) -> Price | None:
    """US dollars for a million tokens, read and written: the user's price, else that of litellm's list, else None.

    For comparing providers. A bill also knows caches, long prompts and batches: see `cost_of`.
    """
    own = settings.provider(provider).prices.get(model)
    if own is not None:
        return own
    from ...litellm_bridge.pricing import row_of

    facts = facts_of(provider)
    row = row_of(model, provider if facts is None else facts.litellm_name) or {}
    read, written = row.get("input_cost_per_token"), row.get("output_cost_per_token")
    return None if read is None or written is None else Price(input=read * _MILLION, output=written * _MILLION)


def _at(price: Price, usage: Usage | None) -> float | None:
    """Cached tokens count in full: the settings have no price of their own for them."""
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    return (usage.input_tokens * price.input + usage.output_tokens * price.output) / _MILLION


def _listed(provider: LLMProviderInterface, model: str, usage: Usage | None) -> float | None:
    from ...litellm_bridge.pricing import price_of_usage, row_of

    facts = facts_of(provider.name)
    if usage is None or facts is None or row_of(model, facts.litellm_name) is None:
        return None
    from ...litellm_bridge.provider import LiteLLMProvider

    # Those have looked already, and at another host than the provider's own the list means nothing.
    elsewhere = getattr(provider, "base_url", None) not in {None, facts.base_url}
    return (
        None if elsewhere or isinstance(provider, LiteLLMProvider) else price_of_usage(model, facts.litellm_name, usage)
    )
