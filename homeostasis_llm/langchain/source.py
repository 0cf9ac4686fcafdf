"""Find whom a chat model speaks through, a provider or a manager, and the key that a provider is given.

The only place that knows where an answer may come from.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from ..catalog import canonical_name, facts_of, split_model, without_provider
from ..errors import InvalidRequestError
from ..provider import LLMProviderInterface

if TYPE_CHECKING:
    from ..manager import LLMManager

MANAGED = "homeostasis"
"""What all the providers of a manager are called together."""


class BoundKey(SecretStr):
    """A key that knows whose it is.

    LangChain makes new models from old ones with some fields changed; when that is the provider, the key of the former
    must not go to the next.
    """

    def __init__(self, key: str, provider: str) -> None:
        super().__init__(key)
        self.provider = provider


def settle(
    provider: str | LLMProviderInterface | None, model: str | None, manager: LLMManager | None
) -> tuple[str | LLMProviderInterface | None, str | None]:
    """Who is asked, None for a manager, and for which model: `openai:gpt-x` names both where nobody else is named.

    Raises `InvalidRequestError` for half a name, and where both are given; `UnknownProviderError` for a name that
    nobody has.
    """
    if manager is not None:
        if provider is not None:
            raise InvalidRequestError(
                "ChatHomeostasis.manager: asks its own providers; give it or a provider, not both. To have one of them "
                "asked first, name it before the model, as in model='openai:…'"
            )
        return None, model
    if provider is None:
        provider, model = split_model(model, "ChatHomeostasis.model")
    if isinstance(provider, str):
        provider = canonical_name(provider.strip())
        if facts_of(provider) is None:  # to look among the plugins takes milliseconds
            from ..registry import ProviderFactory

            ProviderFactory.describe(provider)
    return provider, own_model(model, provider)


def own_model(model: str | None, provider: str | LLMProviderInterface | None) -> str | None:
    """`model` without the provider's own name before it; other colons belong to the model (`llama3:8b`)."""
    return model if provider is None else without_provider(model, name_of(provider))


def name_of(provider: str | LLMProviderInterface | None) -> str:
    """What the provider is called; None stands for a manager's."""
    if provider is None:
        return MANAGED
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


def make_managed(manager: LLMManager | None, max_retries: int | None) -> LLMProviderInterface:
    """All providers of `manager`, or of that of the user's settings, as one. Raises `ConfigError`."""
    from .managed import Managed, default_manager

    return Managed(default_manager(max_retries) if manager is None else manager)


def make_provider(name: str, key: SecretStr | None, base_url: str | None) -> LLMProviderInterface:
    """The provider called `name`. Raises what `ProviderFactory.create_provider` raises."""
    from ..registry import ProviderFactory

    options: dict[str, Any] = {} if base_url is None else {"base_url": base_url}
    return ProviderFactory.create_provider(name, key, **options)
