"""Find the provider that a chat model speaks through, and the key it is given.

The only place that knows where an answer may come from: whoever asks without naming a provider is turned away here.
"""

from __future__ import annotations

import os
from typing import Any

from pydantic import SecretStr

from ..catalog import canonical_name, facts_of
from ..errors import InvalidRequestError
from ..provider import LLMProviderInterface


class BoundKey(SecretStr):
    """A key that knows whose it is.

    LangChain makes new models from old ones with some fields changed; when that is the provider, the key of the former
    must not go to the next.
    """

    def __init__(self, key: str, provider: str) -> None:
        super().__init__(key)
        self.provider = provider


def settle(
    provider: str | LLMProviderInterface | None, model: str | None
) -> tuple[str | LLMProviderInterface, str | None]:
    """Who is asked, and for which model: `openai:gpt-x` names both where no provider is named.

    Raises `InvalidRequestError` where nobody is named, `UnknownProviderError` for a name that nobody has.
    """
    if provider is None:
        provider, colon, rest = (model or "").partition(":")
        if not colon or not provider.strip() or not rest.strip():
            raise InvalidRequestError(
                "ChatHomeostasis.provider: name one, as in ChatHomeostasis(provider='openai', model='…') or "
                f"ChatHomeostasis(model='openai:…'){'' if model is None else f'; model {model!r} names none'}"
            )
        model = rest.strip()
    if isinstance(provider, str):
        provider = canonical_name(provider.strip())
        if facts_of(provider) is None:  # to look among the plugins takes milliseconds
            from ..registry import ProviderFactory

            ProviderFactory.describe(provider)
    return provider, own_model(model, provider)


def own_model(model: str | None, provider: str | LLMProviderInterface) -> str | None:
    """`model` without the provider's own name before it; other colons belong to the model (`llama3:8b`)."""
    prefix, colon, rest = (model or "").partition(":")
    return rest if colon and canonical_name(prefix) == canonical_name(name_of(provider)) else model


def name_of(provider: str | LLMProviderInterface) -> str:
    """What the provider is called."""
    return provider if isinstance(provider, str) else provider.name


def key_variable(name: str) -> str:
    """The environment variable that our users keep the key of the provider called `name` in."""
    from ..keys.lookup import env_names

    return env_names(name)[0]


def key_at_hand(name: str) -> BoundKey | None:
    """The key of the provider called `name`, where an environment variable has it: the first place that counts."""
    from ..keys.lookup import env_names

    found = (os.environ.get(variable, "").strip() for variable in env_names(name))
    return next((BoundKey(key, name) for key in found if key), None)


def make_provider(name: str, key: SecretStr | None, base_url: str | None) -> LLMProviderInterface:
    """The provider called `name`. Raises what `ProviderFactory.create_provider` raises."""
    from ..registry import ProviderFactory

    options: dict[str, Any] = {} if base_url is None else {"base_url": base_url}
    return ProviderFactory.create_provider(name, key, **options)
