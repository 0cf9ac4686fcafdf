"""Keep the keys of all providers: store, check, list and remove them, and say which of several places has the one used.

The door for programs of Homeostasis, under the names that they call. What it does lies in `keys/` and `config/`; here
it is put together with the registry, so that a plugin's provider is a provider like any other.
"""

from __future__ import annotations

import os
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SecretStr

from . import config
from .catalog import canonical_name
from .errors import APIKeyMissingError, InvalidRequestError, UnknownProviderError
from .keys.errors import KeyValidationError
from .keys.lookup import (
    FoundKey,
    KeyStatus,
    SourceKind,
    SourceReport,
    Where,
    find_keys,
    key_reports,
    key_status,
)
from .keys.store import forget_key, store_key
from .plugins import load_declarations
from .redaction import remember
from .registry import ProviderFactory

if TYPE_CHECKING:
    from .config import Settings
    from .keys.check import KeyCheck

_SHOWN = 4
"""Characters at a key's end that a masked one shows: providers' own pages show as many, so one can be told by them."""

_LONG_ENOUGH = 20
"""Characters of a key, above which four of them help nobody to guess the rest."""

_MASK = "*" * 8
"""The same for keys of any length, which it does not tell either."""

_COLUMNS = {
    SourceKind.ENVIRONMENT: "environment",
    SourceKind.KEYRING: "encrypted_storage",
    SourceKind.FILE: "external_secrets",
    SourceKind.COMMAND: "external_secrets",
    SourceKind.SECRET_STORE: "external_secrets",
}
"""What `list_keys` calls the places; Homeostasis' dashboard shows no others."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """One place where a provider's key is, or would be. Holds no key."""

    kind: str
    """`environment`, `keyring`, `file`, `command` or `secret_store`."""
    source: str
    """For people, as in `environment variable OPENAI_API_KEY`."""
    label: str | None
    """Which of several keys; None for the one without a label."""
    has_key: bool
    used: bool
    """Whether `get_key` gives this one."""
    masked: str | None
    """Its last characters, where it is long enough to show them."""
    problem: str | None
    """Why the place could not be looked into; None where it could."""


class Prefixes(Mapping[str, str]):
    """Each provider, with what its keys begin with; `""` where that is not known. Asks the registry each time.

    Also a list of names, for those who add to it: `prefixes + ["auto"]`.
    """

    def __getitem__(self, provider: str) -> str:
        try:
            return ProviderFactory.describe(provider).key_prefix
        except UnknownProviderError:
            raise KeyError(provider) from None

    def __iter__(self) -> Iterator[str]:
        return iter(ProviderFactory.get_supported_providers())

    def __len__(self) -> int:
        return len(ProviderFactory.get_supported_providers())

    def items(self) -> ItemsView[str, str]:
        """All of it, as it is now."""
        return {entry.name: entry.key_prefix for entry in ProviderFactory.entries()}.items()

    def values(self) -> ValuesView[str]:
        """The prefixes, in the order of the names."""
        return dict(self.items()).values()

    def __add__(self, more: Iterable[str]) -> list[str]:
        return [*self, *more]

    def __radd__(self, more: Iterable[str]) -> list[str]:
        return [*more, *self]

    def __repr__(self) -> str:
        return repr(list(self))


class APIKeyManager:
    """The keys and the choice of providers. Threads may share one; it holds no key, and nothing else to go stale."""

    SUPPORTED_PROVIDERS: ClassVar[Prefixes] = Prefixes()
    """Every provider, also a plugin's, with what its keys begin with."""

    DEFAULT_CONFIG: ClassVar[dict[str, Any]] = config.DEFAULT_CONFIG
    """What holds where nothing is set."""

    def __init__(self, config_dir: str | os.PathLike[str] | None = None, use_external_secrets: bool = True) -> None:
        """Asks nobody and creates nothing.

        Settings are those of `config.toml` in `config_dir`, by default the user's own; there is one keyring whatever
        it says. Without `use_external_secrets`, files, commands and secret stores do not count.
        """
        self._settings = None if config_dir is None else config.config_path(config_dir)
        self._use_external_secrets = use_external_secrets

    @property
    def config_dir(self) -> Path:
        """Where the settings file is, or will be."""
        return (self._settings or config.config_path()).parent

    # ----------------------------------------------------------------------------------------------------- keys

    def set_key(self, provider: str, api_key: str | SecretStr, validate: bool = True, label: str | None = None) -> str:
        """Store the key in the keyring, and tell for people where that is.

        With `validate`, the provider is asked first: what it refuses, and what could not be checked, is not stored.
        `label` is for several keys of one provider, used in the order of `key_labels` in the settings.

        Raises `KeyValidationError`, whose message is for users, `KeyStorageError` where there is no keyring that keeps
        it, and `ConfigError`.
        """
        secret = _sealed(api_key)
        del api_key  # no traceback shall hold it
        name = self._known(provider)
        if validate:
            self._refuse_unless_good(name, secret, "to store it unchecked, say so: validate=False, or --no-validate")
        return store_key(name, secret, label, settings=self._settings)

    def get_key(self, provider: str) -> str | None:
        """The key of that provider; None where there is none. Raises nothing, and asks no person for anything."""
        found = self.find_key(provider)
        return None if found is None else found.secret.get_secret_value()

    def find_key(self, provider: str) -> FoundKey | None:
        """What `get_key` gives, with the place where it was."""
        return self.get_status(provider).found if provider.strip() else None

    def find_keys(self, provider: str, settings: config.Settings | None = None) -> list[FoundKey]:
        """Every key of that provider in the order of use, `get_key`'s first; by those settings instead of its own."""
        load_declarations([provider])
        return find_keys(provider, self._where if settings is None else replace(self._where, settings=settings))

    def get_status(self, provider: str) -> KeyStatus:
        """What `get_key` gives, and why places that come before it could not be looked into."""
        load_declarations([provider])
        return key_status([provider], where=self._where)[provider]

    def remove_key(self, provider: str, label: str | None = None) -> bool:
        """Remove the key from the keyring; False where it has none. Other places are left as they are.

        The provider need not be known any more: its plugin may be gone, and its key not. Raises `KeyStorageError` where
        the keyring could not be asked, and `ConfigError`.
        """
        return forget_key(canonical_name(provider), label, settings=self._settings)

    def list_keys(self) -> dict[str, dict[str, bool]]:
        """For each provider, which kinds of places have a key, also where another comes before.

        Files, commands and secret stores are all `external_secrets`. Providers that only litellm knows are listed where
        they have a key. The settings' commands are run, and its secret stores asked.
        """
        listed = {}
        load_declarations(self._everybody())
        for provider, reports in key_reports(self._everybody(), self._where).items():
            columns = dict.fromkeys(("environment", "external_secrets", "encrypted_storage"), False)
            for report in reports:
                columns[_COLUMNS[report.kind]] |= report.found is not None
            listed[provider] = columns
        return self._without_strangers(listed, lambda columns: any(columns.values()))

    def key_sources(self, provider: str | None = None) -> dict[str, list[KeySource]]:
        """Every place where a key of that provider, or of each, may be, in order: what `list_keys` has no words for."""
        names = self._everybody() if provider is None else [self._known(provider)]
        load_declarations(names)
        listed = {name: _sources(reports) for name, reports in key_reports(names, self._where).items()}
        if provider is not None:
            return listed
        return self._without_strangers(listed, lambda sources: any(source.has_key for source in sources))

    def get_masked_key(self, provider: str) -> str | None:
        """The key as it may be shown: its last four characters, where it is longer than 20; None where there is none.

        The end, for that is what providers' pages show to tell one key from another; beginnings are alike.
        """
        found = self.find_key(provider)
        return None if found is None else masked(found.secret)

    def validate_key(self, provider: str, api_key: str | SecretStr) -> bool:
        """True where the provider accepts the key, also where its account is out of credit or was too fast.

        Raises `KeyValidationError`, whose message is for users, where it does not, and where that could not be found
        out. A provider of one's own is asked by its own `validate_key`.
        """
        secret = _sealed(api_key)
        del api_key  # no traceback shall hold it
        self._refuse_unless_good(self._known(provider), secret)
        return True

    def check_key(
        self,
        provider: str,
        api_key: str | SecretStr | None = None,
        *,
        deep: bool = False,
        model: str | None = None,
        timeout: float | None = None,
    ) -> KeyCheck:
        """What the provider says of the key, by default of the one in use; with base URL and headers of the settings.

        `deep` asks for a completion of one token, which may cost; `timeout` is in seconds, for each question. Raises
        `KeyValidationError` for an unknown provider, and `APIKeyMissingError` where there is no key to check.
        """
        secret = None if api_key is None else _sealed(api_key)
        del api_key  # no traceback shall hold it
        name = self._known(provider)
        if secret is None:
            secret = self._own(name)
        return self._checked(name, secret, deep=deep, model=model, timeout=timeout)

    def detect_key_issues(self, provider: str, api_key: str) -> list[str]:  # noqa: ARG002  # the name clients call
        """What is wrong with the text of a key, a sentence each; nobody is asked."""
        from .keys.malformed import inspect_key

        found = inspect_key(api_key)
        return [] if found is None else [f"The key {flaw}." for flaw in found.flaws]

    def suggest_key_correction(self, provider: str, api_key: str) -> str | None:  # noqa: ARG002  # as above
        """The key that is probably meant by a text that is none as it stands; None where that is anybody's guess."""
        from .keys.malformed import inspect_key

        found = inspect_key(api_key)
        return None if found is None else found.corrected

    def get_available_secrets_managers(self) -> dict[str, str]:
        """The secret stores that can be asked here, by name, each with its kind. Asks none of them."""
        from .keys.secret_stores import stores_in_use

        if not self._use_external_secrets:
            return {}
        references = (own.api_key_secret for own in self._load().providers.values())
        return stores_in_use({reference.store for reference in references if reference is not None})

    # ------------------------------------------------------------------------------------------------- the choice

    def set_active_provider(self, provider: str | None) -> None:
        """Have that provider asked first; None or `auto` for whoever has a key."""
        self._change(config.set_active_provider, provider, known=ProviderFactory.describe)

    def get_active_provider(self) -> str | None:
        """Who is asked first; None where nobody was named."""
        return self._load().active_provider

    def set_fallback_order(self, providers: Iterable[str]) -> None:
        """Have these providers asked, in this order, when the first fails."""
        self._change(config.set_fallback_order, providers, known=ProviderFactory.describe)

    def get_fallback_order(self) -> list[str]:
        """Who is asked when the first fails."""
        return list(self._load().fallback_order)

    def set_enable_fallback(self, enabled: bool) -> None:
        """Say whether anybody else is asked when a provider fails."""
        self._change(config.set_enable_fallback, enabled)

    def is_fallback_enabled(self) -> bool:
        """Whether anybody else is asked when a provider fails."""
        return self._load().enable_fallback

    def set_openrouter_unified_mode(
        self, enabled: bool, proxy_to_anthropic: bool = True, proxy_to_openai: bool = True
    ) -> None:
        """Say whether OpenRouter stands in for other providers, and for these two."""
        self._change(
            config.set_openrouter_unified,
            enabled,
            proxy_to_anthropic=proxy_to_anthropic,
            proxy_to_openai=proxy_to_openai,
        )

    def get_openrouter_unified_config(self) -> dict[str, Any]:
        """`enabled`, `proxy_to_anthropic`, `proxy_to_openai` and `fallback_model_mapping`."""
        return dict(config.by_former_names(self._load())["openrouter_unified_config"])

    def set_provider_policies(
        self,
        cost_preference: str | None = None,
        latency_preference: str | None = None,
        reliability_preference: str | None = None,
    ) -> None:
        """Say what matters in choosing a provider: `low`, `balanced` or `high`. None leaves what is set."""
        self._change(
            config.set_provider_policies,
            cost=cost_preference,
            latency=latency_preference,
            reliability=reliability_preference,
        )

    def get_provider_policies(self) -> dict[str, str]:
        """`cost_preference`, `latency_preference` and `reliability_preference`."""
        return dict(config.by_former_names(self._load())["provider_policies"])

    def get_provider_config_summary(self) -> dict[str, Any]:
        """All of the choice, and who has a key. JSON can have it."""
        settings = self._load()
        names = self._everybody()
        load_declarations(names)
        available = [name for name, status in key_status(names, where=self._where).items() if status.found is not None]
        return {
            "active_provider": settings.active_provider,
            "fallback_enabled": settings.enable_fallback,
            "fallback_order": list(settings.fallback_order),
            "available_providers": available,
            "openrouter_unified": settings.openrouter_unified.enabled,
            "provider_policies": self.get_provider_policies(),
            "total_configured_providers": len(available),
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}(config_dir={str(self.config_dir)!r})"

    # ---------------------------------------------------------------------------------------------------- inside

    @property
    def _where(self) -> Where:
        return Where(settings=self._settings, outside=self._use_external_secrets)

    def _load(self) -> Settings:
        return config.load_settings(self._settings)

    def _change(self, change: Any, *what: Any, **how: Any) -> None:
        problem = ""
        try:
            change(*what, **how, path=self._settings)
        except InvalidRequestError as error:  # an unknown provider is one
            problem = error.message
        if problem:
            raise KeyValidationError(problem)

    def _known(self, provider: str) -> str:
        """The provider's own spelling. Raises `KeyValidationError`."""
        problem = ""
        try:
            return canonical_name(ProviderFactory.describe(provider).name)
        except UnknownProviderError as error:
            problem = error.message
        raise KeyValidationError(problem)

    def _own(self, provider: str) -> SecretStr:
        status = self.get_status(provider)
        if status.found is not None:
            return status.found.secret
        if ProviderFactory.describe(provider).needs_key is False:
            return SecretStr("")
        trouble = f" ({status.problem})" if status.problem else ""
        raise APIKeyMissingError(
            f"{provider}: no key was found{trouble}: run `homeostasis llm set-key {provider}`", provider=provider
        )

    def _checked(self, provider: str, secret: SecretStr, **how: Any) -> KeyCheck:
        from .keys.probe import check_key

        options = config.provider_options(provider, self._load())
        return check_key(
            provider,
            secret,
            base_url=options.get("base_url"),
            headers=options.get("headers"),
            **{name: given for name, given in how.items() if given is not None},
        )

    def _refuse_unless_good(self, provider: str, secret: SecretStr, hint: str = "") -> None:
        check = self._checked(provider, secret)
        if check.ok:
            return
        unclear = f" It was not checked; {hint}." if check.ok is None and hint else ""
        raise KeyValidationError(
            f"{check}{unclear}", outcome=str(check.outcome), advice=check.advice, provider=provider
        )

    def _everybody(self) -> list[str]:
        return ProviderFactory.get_supported_providers()

    def _without_strangers(self, listed: dict[str, Any], has_key: Any) -> dict[str, Any]:
        """Without the providers that only litellm knows, unless they have a key: they are many, and used by few."""
        strangers = {entry.name for entry in ProviderFactory.entries() if entry.source == "litellm"}
        return {name: found for name, found in listed.items() if name not in strangers or has_key(found)}


def masked(secret: SecretStr) -> str:
    """A key as it may be shown."""
    key = secret.get_secret_value()
    return _MASK + (key[-_SHOWN:] if len(key) > _LONG_ENOUGH else "")


def _sealed(api_key: str | SecretStr) -> SecretStr:
    if not isinstance(api_key, (str, SecretStr)):
        raise KeyValidationError(f"a key is a str, got {type(api_key).__name__}")
    secret = api_key if isinstance(api_key, SecretStr) else SecretStr(api_key)
    remember(secret.get_secret_value())
    return secret


def _sources(reports: list[SourceReport]) -> list[KeySource]:
    used = next((report for report in reports if report.found is not None), None)
    return [
        KeySource(
            kind=str(report.kind),
            source=report.source,
            label=report.label,
            has_key=report.found is not None,
            used=report is used,
            masked=None if report.found is None else masked(report.found.secret),
            problem=report.problem,
        )
        for report in reports
    ]
