"""Say what can be set, and what each setting may be."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    create_model,
)
from pydantic_core import PydanticCustomError

from ..catalog import canonical_name, facts_of
from ..request import Seconds, Timeout
from .failover import Count, Dollars, Failover, Price, Spending
from .problems import Problem
from .rows import Row
from .tables import Table, holds_key, key_inside, must

Level = Literal["low", "balanced", "high"]

# The headers that the providers of the catalog want their key in, and those that browsers and proxies have theirs in.
_KEY_HEADERS = frozenset({"api-key", "authorization", "cookie", "proxy-authorization", "x-api-key", "x-goog-api-key"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, "Tokens"


def _name(given: str) -> str:
    if not given.strip():
        raise must("name a provider")
    return canonical_name(given.strip())


def _as_tuple(given: object) -> object:
    return tuple(given) if isinstance(given, list) else given


def _without_repeats(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


NonEmpty = Annotated[str, Field(min_length=1)]
Name = Annotated[str, AfterValidator(_name)]
"""A provider's name, in the one spelling that `canonical_name` gives. Nobody need have it: plugins come and go."""
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple), AfterValidator(_without_repeats)]
ModelMap = Mapping[NonEmpty, NonEmpty]


def _url(given: str) -> str:
    try:
        parts = urlsplit(given)
        good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port or an IPv6 address that is none
        good = False
    if not good or re.search(r"\s", given):
        raise must("begin with https:// or http:// and a host")
    if parts.username is not None or holds_key(parts.query):
        raise key_inside()
    return given


# The table form of a timeout. `Timeout` itself would take "5" and true for numbers.
Waits: type[BaseModel] = create_model(
    "Waits", __base__=Table, **{wait.name: (Seconds | None, None) for wait in fields(Timeout)}
)  # type: ignore[call-overload]  # its names are known to `Timeout` alone


def _waits(given: object) -> object:
    return Timeout(**Waits.model_validate(given).model_dump()) if isinstance(given, dict) else given


def _timeout_form(given: object) -> str:
    return "table" if isinstance(given, (dict, Timeout)) else "number"


SecondsOrTimeout = Annotated[
    Annotated[Timeout, BeforeValidator(_waits), Tag("table")] | Annotated[Seconds, Tag("number")],
    Discriminator(_timeout_form),
]


def _unless_empty(given: Timeout | float | None) -> Timeout | float | None:
    return None if given == Timeout() else given


def _header_name(given: str) -> str:
    if not _HEADER_NAME.fullmatch(given):
        raise must("be called as HTTP headers are: letters, digits and -")
    if given.lower() in _KEY_HEADERS:
        raise key_inside()
    return given


def _header_value(given: str) -> str:
    if not (given.isascii() and given.isprintable()):
        raise must("be of printable ASCII characters")
    if holds_key(given):
        raise key_inside()
    return given


Headers = Mapping[Annotated[str, AfterValidator(_header_name)], Annotated[str, AfterValidator(_header_value)]]


def _file(given: object) -> object:
    if not isinstance(given, str):
        return given
    try:
        path = Path(given).expanduser()
    except RuntimeError:  # `~` of somebody who has no home
        path = Path(given)
    if not path.is_absolute():
        raise key_inside() if holds_key(given) else must("be the whole path of a file, or begin with ~/")
    return path


def _command(given: object) -> object:
    if isinstance(given, str):
        try:
            given = shlex.split(given)
        except ValueError:
            raise must("close each quotation that it opens") from None
    words = _as_tuple(given)
    if isinstance(words, tuple) and not (words and words[0]):
        raise must("name a program")
    if isinstance(words, tuple) and len(words) == 1 and isinstance(words[0], str) and holds_key(words[0]):
        raise key_inside()
    return words


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret store has a key."""

    store: str
    """`aws-secretsmanager`, `vault` or `azure-keyvault`."""
    name: str
    """The secret's name; for Vault its path."""
    field: str | None = None
    """What to take of a secret that holds several values; None for the whole."""

    def __str__(self) -> str:
        return f"{self.store}:{self.name}{'' if self.field is None else f'#{self.field}'}"


_SECRET = re.compile(
    r"(?P<store>aws-secretsmanager):(?P<name>[^\s#]+)(?:#(?P<field>\S+))?"
    r"|(?P<vault>vault):(?P<path>[^\s#]+)#(?P<value>\S+)"
    r"|(?P<azure>azure-keyvault):(?P<secret>[0-9A-Za-z-]+)"
)


def _secret(given: object) -> object:
    if isinstance(given, SecretReference):
        return given
    found = _SECRET.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        if isinstance(given, str) and holds_key(given):
            raise key_inside()
        raise must("be aws-secretsmanager:NAME, aws-secretsmanager:NAME#FIELD, vault:PATH#FIELD or azure-keyvault:NAME")
    parts = [part for part in found.groups() if part is not None]
    return SecretReference(*parts)


class ProviderSettings(Row):
    """What is set for one provider, or what makes one."""

    base_url: Annotated[str, AfterValidator(_url)] | None = None
    """Where requests go; `HOMEOSTASIS_<PROVIDER>_BASE_URL` comes before it."""
    default_model: NonEmpty | None = None
    """The model for requests that name none."""
    model_map: ModelMap = Field(default_factory=dict)
    """From the names that requests use to those of the provider."""
    timeout: Annotated[SecondsOrTimeout | None, AfterValidator(_unless_empty)] = None
    """Seconds for the whole answer, or each wait by itself."""
    headers: Headers = Field(default_factory=dict, repr=False)
    """Sent with every request."""
    api_version: NonEmpty | None = None
    """For Azure."""
    api_key_file: Annotated[Path, BeforeValidator(_file)] | None = None
    """A file that holds the key and nothing else."""
    api_key_command: Annotated[tuple[str, ...], BeforeValidator(_command)] | None = None
    """A program and its arguments; it prints the key. A single string is split into words as a shell would, but no
    shell ever runs it."""
    api_key_secret: Annotated[SecretReference, BeforeValidator(_secret)] | None = None
    """Where a secret store has the key."""
    key_labels: Annotated[tuple[NonEmpty, ...], BeforeValidator(_as_tuple), AfterValidator(_without_repeats)] = ()
    """The labels of several keys, in the order in which they are used."""
    requests_per_minute: Count | None = None
    """How many requests it is sent at most."""
    tokens_per_minute: Count | None = None
    """How many tokens, read and written."""
    max_concurrent: Count | None = None
    """How many requests are with it at a time."""
    spend_per_day: Dollars | None = None
    """US dollars; days are those of UTC."""
    spend_per_month: Dollars | None = None
    """US dollars; months are those of UTC."""
    context_window: Count | None = None
    """How many tokens its models take, where that is not known anyway."""
    prices: Mapping[NonEmpty, Price] = Field(default_factory=dict)
    """What its models cost, by the provider's own names."""


class ProviderPolicies(Table):
    """What matters in choosing a provider. The defaults are those of the former package."""

    cost: Level = "balanced"
    latency: Level = "balanced"
    reliability: Level = "high"


class OpenRouterUnified(Table):
    """Whether OpenRouter stands in for other providers."""

    enabled: bool = False
    providers: Names = ("anthropic", "openai")
    """Whose requests go through OpenRouter."""
    model_map: ModelMap = Field(default_factory=dict)
    """From a model, as the request names it, to what OpenRouter calls it; from a provider's name to the model for
    requests that name none."""

    @property
    def proxy_to_anthropic(self) -> bool:
        """Whether Anthropic's requests go through OpenRouter."""
        return "anthropic" in self.providers

    @property
    def proxy_to_openai(self) -> bool:
        """Whether OpenAI's requests go through OpenRouter."""
        return "openai" in self.providers


def _auto(given: object) -> object:
    return None if isinstance(given, str) and given.strip().lower() == "auto" else given


def _rows_have_names_of_their_own(given: Mapping[str, ProviderSettings]) -> Mapping[str, ProviderSettings]:
    for name, own in given.items():
        if own.dialect is not None and facts_of(name) is not None:
            raise PydanticCustomError(
                "taken",
                "is a provider of the catalog: give yours another name, or take dialect away to set that one",
                {"at": name},
            )
    return given


def _once_each(given: object) -> object:
    if isinstance(given, Mapping):
        spellings: dict[str, str] = {}
        for name in given:
            first = spellings.setdefault(canonical_name(str(name)), str(name))
            if first != name:
                raise PydanticCustomError(
                    "twice", "is the same provider as {first}; keep one of the two", {"first": first, "at": str(name)}
                )
    return given


class Settings(Table):
    """All that is set. Names of providers are in their one spelling, however the file spells them."""

    active_provider: Annotated[Name | None, BeforeValidator(_auto)] = None
    """Who is asked first; None (in the file `"auto"`) for whoever is found."""
    fallback_order: Names = ("anthropic", "openai", "openrouter")
    """Who is asked when that fails. By default what the former package has and its extension guide shows: whoever
    comes from there keeps the order without setting anything."""
    enable_fallback: bool = True
    """Whether anybody else is asked at all."""
    provider_policies: ProviderPolicies = ProviderPolicies()
    openrouter_unified: OpenRouterUnified = OpenRouterUnified()
    failover: Failover = Failover()
    spending: Spending = Spending()
    providers: Annotated[
        Mapping[Name, ProviderSettings], BeforeValidator(_once_each), AfterValidator(_rows_have_names_of_their_own)
    ] = Field(default_factory=dict)

    _broken: Mapping[str, tuple[Problem, ...]] = PrivateAttr(default_factory=dict)

    _declared: Mapping[str, ProviderSettings] = PrivateAttr(default_factory=dict)

    @property
    def broken(self) -> Mapping[str, tuple[Problem, ...]]:
        """What is wrong with the tables of providers that were left out for it, by canonical name."""
        return self._broken

    def without(self, broken: Mapping[str, tuple[Problem, ...]]) -> Settings:
        """The same, of a file that has these tables too."""
        twin = self.model_copy()
        twin._broken = dict(broken)  # noqa: SLF001  # of this class
        return twin

    def declaring(self, declared: Mapping[str, ProviderSettings]) -> Settings:
        """The same, with defaults for some providers, by canonical name."""
        twin = self.model_copy()
        twin._declared = dict(declared)  # noqa: SLF001  # of this class
        return twin

    def provider(self, name: str) -> ProviderSettings:
        """What is set for that provider, by any of its names; the defaults where nothing is.

        What a plugin's row says, and what a provider's class declares, are the defaults.
        """
        known = canonical_name(name)
        # pydantic finds a private attribute the long way, and this is asked several times for a request.
        declared: Mapping[str, ProviderSettings] = (self.__pydantic_private__ or {}).get("_declared", {})
        own, shipped = self.providers.get(known), declared.get(known) or _shipped.get(known)
        if own is None or shipped is None:
            return own or shipped or _NOTHING_SET
        return shipped.model_copy(update={field: getattr(own, field) for field in own.model_fields_set})

    def named_providers(self) -> tuple[str, ...]:
        """Every provider that is mentioned, so that names nobody has can be told from others."""
        names = (*self.fallback_order, *self.openrouter_unified.providers, *self.providers)
        return tuple(dict.fromkeys(names if self.active_provider is None else (self.active_provider, *names)))


_NOTHING_SET = ProviderSettings()

_shipped: dict[str, ProviderSettings] = {}


def ship(name: str, row: ProviderSettings | None) -> None:
    """Have `row`, of a plugin or class that was loaded, be the default of what is set for that provider."""
    if row is None:
        _shipped.pop(canonical_name(name), None)
    else:
        _shipped[canonical_name(name)] = row
