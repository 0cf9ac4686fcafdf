"""Make a provider from its name: one registered at run time, else a plugin's, else the user's row, else litellm's.

Listing names imports neither a plugin nor litellm. A plugin may take the place of a row of the catalog, which is how a
better adapter gets in; two plugins may not have one name, and a row of the user's takes nobody's. A broken plugin or
row is an error for those alone who ask for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import SecretStr

from .catalog import ProviderFacts, all_facts, canonical_name, facts_of, our_variable, plain_name
from .config import ConfigError, Settings, config_path, load_settings, provider_options
from .config.settings import ship
from .declared import declarations_of
from .endpoints import base_url_from_environment
from .errors import APIKeyMissingError, BrokenPluginError, InvalidRequestError, UnknownProviderError
from .keys.lookup import KeyStatus, key_status
from .litellm_names import litellm_chat_names, litellm_names
from .plugins import ProviderMaker, check_options, distribution, find_plugins, load, made_by, make, not_a_maker, whose
from .provider import LLMProviderInterface, UnknownOptionError
from .redaction import remember
from .rows import Row, broken_row, row_of, where

_LONGEST_NAME = 60
"""Characters of an unknown name that its error repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """What is known of a name without asking anybody."""

    name: str
    source: str
    """Where it comes from: `registered`, `plugin <distribution> <version>`, `settings`, `catalog` or `litellm`."""
    default_model: str | None = None
    """None where only the provider itself could tell."""
    facts: ProviderFacts | None = None
    """The catalog's row of that name, also where something else has taken its place; or the row that makes it."""
    needs_key: bool | None = None
    """Whether it is of use only with a key; None where that is not known without asking or loading anybody."""
    key_prefix: str = ""
    """What its keys begin with, as far as its class says in `key_prefix`, or else the catalog; empty where unknown."""
    problem: str | None = None
    """Why it cannot be used, as far as that was looked into."""


class ProviderFactory:
    """All providers by name. Names are the same in any case and with `-` for `_`; those of the catalog have aliases."""

    _registered: dict[str, tuple[str, ProviderMaker]] = {}  # noqa: RUF012  # one for the process, guarded by _lock
    _lock = Lock()

    @classmethod
    def create_provider(cls, name: str, api_key: str | SecretStr | None = None, **options: Any) -> LLMProviderInterface:
        """The provider of that name; `options` go to its constructor, such as `base_url`, before those of the settings.

        Without an `api_key`, `keys.lookup.find_key` is asked for one; `""` says that there shall be none. Raises
        `APIKeyMissingError` where none is found and the catalog knows that nothing works without, unless requests go to
        another base URL than the provider's own: a gateway may want none. Other providers get `""` and decide.

        Raises `UnknownProviderError`, `BrokenPluginError`, `ConfigError` for settings that cannot be read, and
        `InvalidRequestError` for options it does not take.
        """
        api_key = _secret(api_key)
        return cls.create_as_set(name, load_settings(), api_key, options, path=config_path())

    @classmethod
    def create_as_set(
        cls,
        name: str,
        settings: Settings,
        api_key: str | SecretStr | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        path: Path | None = None,
    ) -> LLMProviderInterface:
        """`create_provider` with these settings in the place of the user's own; `path` is the file they are of."""
        api_key = _secret(api_key)
        known = _checked(name)
        # What the caller says goes before what the user has set.
        said = dict(options or {})
        configured = {
            option: given for option, given in provider_options(known, settings).items() if said.get(option) is None
        }
        try:
            return cls._made(name, known, api_key, said | configured, _Rows(settings, path))
        except UnknownOptionError as error:
            if error.option not in configured:
                raise
            failure = _set_in_vain(error, known, path)
        raise failure

    @classmethod
    def _made(
        cls, name: str, known: str, api_key: SecretStr | None, options: dict[str, Any], rows: _Rows
    ) -> LLMProviderInterface:
        with cls._lock:
            registered = cls._registered.get(known)
        if registered is not None:
            return made_by(registered[1], registered[0], _key_if_any(known, api_key, registered[1]), options)
        claims = find_plugins().get(known, ())
        if problem := rows.problem(known, claims):
            raise BrokenPluginError(problem, provider=known)
        if claims:
            maker = load(known, claims)
            return make(known, claims[0], maker, _key_if_any(known, api_key, maker), options)
        if (row := rows.get(known)) is not None:
            return made_by(row, known, _key_if_any(known, api_key, row), options)
        return _litellm_provider(name, known, api_key, options)

    @classmethod
    def get_supported_providers(cls) -> list[str]:
        """The names of all providers, sorted. Imports neither a plugin nor litellm."""
        return sorted(cls._names().values())

    @classmethod
    def register(cls, name: str, provider: ProviderMaker, *, replace: bool = False) -> None:
        """Have `create_provider(name)` use `provider`, a class or a function, for the life of the process.

        Raises `InvalidRequestError` for a class that is no provider or not finished, and for a name that is taken,
        unless `replace` says to take it all the same.
        """
        known = _checked(name)
        if wrong := not_a_maker(provider):
            raise InvalidRequestError(f"register({name!r}): {_called(provider)} {wrong}")
        declared, problem = None, ""
        try:
            declared = declarations_of(provider)
        except ValueError as error:
            problem = str(error)
        if problem:
            raise InvalidRequestError(
                f"register({name!r}): {_called(provider)} declares what makes no sense: {problem}"
            )
        with cls._lock:
            if not replace and (holder := cls._holder(known)) is not None:
                raise InvalidRequestError(
                    f"register({name!r}): the name is taken by {holder}; with replace=True {_called(provider)} gets it"
                )
            cls._registered[known] = (name.lower(), provider)
            ship(known, declared)

    @classmethod
    def unregister(cls, name: str) -> None:
        """Undo `register`. Raises `UnknownProviderError` where nothing is registered under that name."""
        known = _checked(name)
        with cls._lock:
            if cls._registered.pop(known, None) is None:
                raise UnknownProviderError(f"unregister({name!r}): nothing is registered under that name")
            ship(known, None)

    @classmethod
    def describe(cls, name: str, *, load_plugin: bool = False, settings: Settings | None = None) -> ProviderEntry:
        """What is known of that name; `load_plugin` imports its plugin, to find out whether it works.

        `settings` are by default the user's own. Raises `UnknownProviderError`, and `ConfigError` where the settings
        might know the name, and cannot be read.
        """
        known = _checked(name)
        with cls._lock:
            registered = cls._registered.get(known)
        rows = _Rows(settings)
        entry = _entry(known, registered, find_plugins().get(known, ()), rows, load_plugin=load_plugin)
        if entry is None:
            rows.check()
            raise _unknown(name, cls._names())
        return entry

    @classmethod
    def entries(cls, *, load_plugins: bool = False, settings: Settings | None = None) -> list[ProviderEntry]:
        """`describe` for each of `get_supported_providers`. Raises nothing: what is broken has its `problem`."""
        with cls._lock:
            registered = dict(cls._registered)
        plugins = find_plugins()
        rows = _Rows(settings)
        found = (
            _entry(known, registered.get(known), plugins.get(known, ()), rows, load_plugin=load_plugins)
            for known in cls._names(rows)
        )
        return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.name)

    @classmethod
    def _names(cls, rows: _Rows | None = None) -> dict[str, str]:
        """Each name as it is shown, by its canonical form."""
        catalog = all_facts()
        # What litellm calls a row of ours is no provider beside it.
        routes = {facts.litellm_name for facts in catalog.values()}
        names = {canonical_name(name): name for name in litellm_chat_names() if name not in routes}
        names |= {known: known for known in (rows or _Rows()).names()}
        names |= {known: claims[0].name.lower() for known, claims in find_plugins().items()}
        with cls._lock:
            names |= {known: shown for known, (shown, _) in cls._registered.items()}
        return {**names, **{name: name for name in catalog}}

    @classmethod
    def _holder(cls, known: str) -> str | None:
        """Who has that name, for people. To be called with the lock held."""
        if known in cls._registered:
            return _called(cls._registered[known][1])
        if claims := find_plugins().get(known):
            return f"the plugin {whose(claims[0])}"
        facts = facts_of(known)
        if facts is not None:
            return f"{facts.name!r} of the catalog"
        if known in _Rows().names():
            return f"a row of the settings ({where(known, None)})"
        return "one of litellm's" if known in _litellm_spellings() else None


class _Rows:
    """The rows of the user's settings, which are read when first asked for."""

    def __init__(self, settings: Settings | None = None, path: Path | None = None) -> None:
        self._settings, self._path = settings, path
        self._unread: ConfigError | None = None

    def check(self) -> None:
        """Raise the `ConfigError` of settings that could not be read."""
        if self._unread is not None:
            raise self._unread

    def names(self) -> list[str]:
        """The rows' names, also of those that are broken."""
        found = self._read()
        return [*found.broken, *(name for name, own in found.providers.items() if own.dialect is not None)]

    def get(self, known: str) -> Row | None:
        """The row of that name."""
        return row_of(known, self._read()) if self._is_own(known) else None

    def problem(self, known: str, claims: Sequence[EntryPoint]) -> str:
        """Why the row of that name cannot be used; empty where it can, and where there is none."""
        if broken := broken_row(known, self._read(), self._path):
            return broken
        if not self._is_own(known):
            return ""
        holder = f"the plugin {whose(claims[0])}" if claims else None
        if known in _litellm_spellings():
            holder = "one of litellm's"
        return "" if holder is None else f"{where(known, self._path)}: the name {known!r} is taken by {holder}"

    def _is_own(self, known: str) -> bool:
        own = self._read().providers.get(known)
        return own is not None and own.dialect is not None

    def _read(self) -> Settings:
        if self._settings is None:
            try:
                self._settings = load_settings(self._path)
            except ConfigError as error:
                # Whoever asks for a name that might be in there is told; a list of names does without.
                self._settings, self._unread = Settings(), error
        return self._settings


def _secret(api_key: str | SecretStr | None) -> SecretStr | None:
    """A key that somebody gave, to be put in its place at once: no traceback shall hold it as it is."""
    if api_key is None or isinstance(api_key, SecretStr):
        secret = api_key
    elif isinstance(api_key, str):
        secret = SecretStr(api_key)
    else:
        raise InvalidRequestError(f"api_key: must be a str, got {type(api_key).__name__}")
    if secret is not None:
        remember(secret.get_secret_value())
    return secret


def _set_in_vain(error: UnknownOptionError, known: str, path: Path | None) -> UnknownOptionError:
    """`error`, with the place where the user has set the option."""
    variable = our_variable(known, "BASE_URL")
    if error.option == "base_url" and os.environ.get(variable, "").strip():
        place = f"the environment variable {variable}"
    else:
        place = f"providers.{known}.{error.option} in {'the settings' if path is None else path}"
    return UnknownOptionError(f"{error.message} (set by {place})", **{**error.facts(), "error_type": None})


def _checked(name: object) -> str:
    """The canonical form of a name that somebody gave."""
    if not isinstance(name, str):
        raise UnknownProviderError(f"a provider's name is a str, got {type(name).__name__}")
    if not name.strip():
        raise UnknownProviderError("a provider's name is empty; `homeostasis llm providers` lists all")
    return canonical_name(name)


def _litellm_spellings() -> dict[str, str]:
    return {plain_name(name): name for name in litellm_names()}


def _unknown(name: str, names: dict[str, str]) -> UnknownProviderError:
    shown = repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")
    for separator in "/:":
        provider, _, model = name.partition(separator)
        if model and (own := names.get(canonical_name(provider))):
            return UnknownProviderError(
                f"no provider is called {shown}; for the model after the {separator!r} give the provider {own!r}, and "
                "the model as default_model or in the request"
            )
    aliases = {alias: facts.name for facts in all_facts().values() for alias in facts.aliases}
    close = get_close_matches(plain_name(name[:_LONGEST_NAME]), [*names, *aliases], n=3)
    nearest = dict.fromkeys(names[aliases.get(found, found)] for found in close)
    hint = f"; did you mean {' or '.join(map(repr, nearest))}?" if nearest else "."
    return UnknownProviderError(f"no provider is called {shown}{hint} `homeostasis llm providers` lists all")


def _called(provider: object) -> str:
    module, name = getattr(provider, "__module__", ""), getattr(provider, "__qualname__", "")
    return f"{module}.{name}" if name else repr(provider)


def _key_if_any(known: str, api_key: SecretStr | None, maker: ProviderMaker) -> SecretStr:
    """The key for a provider of somebody else's, empty where there is none or it needs none."""
    if api_key is not None:
        return api_key
    found = key_status([known])[known].found if getattr(maker, "needs_key", True) else None
    return SecretStr("") if found is None else found.secret


def _litellm_provider(
    name: str, known: str, api_key: SecretStr | None, options: dict[str, Any]
) -> LLMProviderInterface:
    from .litellm_bridge.provider import LiteLLMProvider

    facts = facts_of(known)
    called = _litellm_spellings().get(known) if facts is None else facts.name
    if called is None:
        raise _unknown(name, ProviderFactory._names())  # noqa: SLF001  # of this module
    check_options(LiteLLMProvider, called, called, options)
    base_url = options.get("base_url") or (facts and base_url_from_environment(called, facts))
    if base_url is None and facts is not None and facts.local:
        # For some of these litellm has no address, and would send the request, key and all, to OpenAI.
        options["base_url"] = facts.base_url
    if api_key is None:
        status = key_status([known])[known]
        if status.found is None and facts is not None and facts.needs_key and not _is_elsewhere(facts, base_url):
            raise _missing(facts, status)
        api_key = None if status.found is None else status.found.secret
    return LiteLLMProvider(called, api_key, **options)


def _is_elsewhere(facts: ProviderFacts, base_url: object) -> bool:
    # A provider without a base URL of its own is always told one, and wants a key there.
    own = facts.base_url
    return own is not None and base_url is not None and str(base_url).rstrip("/") != own


def _missing(facts: ProviderFacts, status: KeyStatus) -> APIKeyMissingError:
    trouble = f" ({status.problem})" if status.problem else ""
    where = f"; keys are made at {facts.key_url}" if facts.key_url else ""
    return APIKeyMissingError(
        f"{facts.name} needs a key and none was found{trouble}: run `homeostasis llm set-key {facts.name}`, or set "
        f"{' or '.join(status.variables)}{where}",
        provider=facts.name,
    )


def _entry(
    known: str,
    registered: tuple[str, ProviderMaker] | None,
    claims: Sequence[EntryPoint],
    rows: _Rows,
    *,
    load_plugin: bool,
) -> ProviderEntry | None:
    facts = facts_of(known)
    if registered is not None:
        shown, maker = registered[0] if facts is None else known, registered[1]
        return ProviderEntry(
            name=shown,
            source="registered",
            default_model=_default_model(maker),
            facts=facts,
            needs_key=_needs_key(maker),
            key_prefix=_key_prefix(maker, facts),
        )
    broken = rows.problem(known, claims)
    if broken:
        return ProviderEntry(name=known, source="settings", facts=facts, problem=broken)
    if claims:
        loaded, problem = None, None
        try:
            loaded = load(known, claims) if load_plugin or len(claims) > 1 else None
        except BrokenPluginError as error:
            problem = error.message
        return ProviderEntry(
            name=claims[0].name.lower() if facts is None else known,
            source=f"plugin {' and '.join(map(distribution, claims))}",
            default_model=_default_model(loaded),
            facts=loaded.facts if isinstance(loaded, Row) else facts,
            needs_key=_needs_key(loaded),
            key_prefix=_key_prefix(loaded, facts),
            problem=problem,
        )
    if facts is not None:
        return ProviderEntry(
            name=known,
            source="catalog",
            default_model=facts.default_model,
            facts=facts,
            needs_key=facts.needs_key,
            key_prefix=_key_prefix(None, facts),
        )
    if (row := rows.get(known)) is not None:
        return ProviderEntry(
            name=known,
            source="settings",
            default_model=row.default_model,
            facts=row.facts,
            needs_key=row.needs_key,
            key_prefix=row.key_prefix,
        )
    spelling = _litellm_spellings().get(known)
    return None if spelling is None else ProviderEntry(name=spelling, source="litellm")


def _default_model(maker: ProviderMaker | None) -> str | None:
    """Where the class has it as a plain attribute; a property would want an instance, and so a key."""
    model = getattr(maker, "default_model", None)
    return model if isinstance(model, str) else None


def _needs_key(maker: ProviderMaker | None) -> bool | None:
    """As its class says; a function may make anything."""
    needs = getattr(maker, "needs_key", None)
    return needs if isinstance(needs, bool) else None


def _key_prefix(maker: ProviderMaker | None, facts: ProviderFacts | None) -> str:
    """The class's own, else the catalog's first."""
    prefix = getattr(maker, "key_prefix", None)
    return prefix if isinstance(prefix, str) else next(iter(facts.key_prefixes), "") if facts is not None else ""
