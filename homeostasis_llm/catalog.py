"""Tell what is known of a provider without importing it or litellm: the rows of `catalog.toml`."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from .errors import InvalidRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """One row. An empty tuple or None says that there is none, or that it is not known."""

    name: str
    """Ours, lower case with `_`; litellm's own where it has one for the same thing."""
    title: str
    """For people."""
    env: tuple[str, ...]
    """Environment variables that the provider's users keep its key in; the first one set counts."""
    auth: str
    """How a key is shown: `bearer`, `scheme:<word>` (in the place of Bearer), `header:<name>`, `query:<name>`, `none`;
    or by credentials of `aws` or `google`."""
    aliases: tuple[str, ...] = ()
    """Other names for it."""
    litellm_name: str = ""
    """What litellm calls it; `name` where the row does not say."""
    key_prefixes: tuple[str, ...] = ()
    """What a key begins with. Good for a hint; makers change it, so no reason to refuse a key."""
    key_url: str | None = None
    """Where a key is made, or where that is explained."""
    base_url: str | None = None
    """Where requests go unless told otherwise; None where each account or region has its own."""
    base_url_env: tuple[str, ...] = ()
    """Environment variables that tell litellm otherwise; the first one set counts."""
    models_path: str | None = None
    """GET lists the models there: below `base_url`, or a whole URL."""
    models_public: bool = False
    """Whether that listing may answer without a key, and so proves nothing about one."""
    key_check_path: str | None = None
    """GET there tells whether a key is good, better than the listing of models does: written like `models_path`."""
    refuses_keys_with_400: bool = False
    """Whether a wrong key is answered with status 400 and no word of an error that would say so."""
    default_model: str | None = None
    """Cheap and good for anything, by the provider's own name for it."""
    local: bool = False
    """A server on one's own machine, which by itself asks for no key."""

    @property
    def needs_key(self) -> bool:
        """Whether nothing works without a key."""
        return not self.local and self.auth not in {"aws", "google", "none"}


_AUTH = re.compile(r"bearer|aws|google|none|(scheme|header|query):[\w-]+")
_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


def plain_name(name: str) -> str:
    """`name` as the catalog spells names: in lower case, with `_` for `-`."""
    return name.lower().replace("-", "_")


def facts_of(name: str) -> ProviderFacts | None:
    """The row of that name or alias, in any case, `-` for `_` or not; None where there is none."""
    rows, aliases = _catalog()
    plain = plain_name(name)
    return rows.get(aliases.get(plain, plain))


@lru_cache(maxsize=1024)
def canonical_name(name: str) -> str:
    """The one spelling of `name`: for an alias what it stands for, for a name that is in no row its plain form."""
    facts = facts_of(name)
    return plain_name(name) if facts is None else facts.name


def split_model(given: str | None, what: str) -> tuple[str | None, str | None]:
    """The provider and the model of `openai:gpt-x`; None and `given` where there is no colon.

    Raises `InvalidRequestError`, which calls it by `what`, where a half is missing.
    """
    provider, colon, model = (given or "").partition(":")
    if not colon:
        return None, given
    if not provider.strip() or not model.strip():
        raise InvalidRequestError(
            f"{what}: {given!r} names no provider or no model; it is to be MODEL or PROVIDER:MODEL"
        )
    return provider.strip(), model.strip()


def without_provider(model: str | None, provider: str) -> str | None:
    """`model` without that provider's name before it; other colons belong to the model (`llama3:8b`)."""
    before, colon, rest = (model or "").partition(":")
    return rest if colon and canonical_name(before) == canonical_name(provider) else model


def in_variables(name: str) -> str:
    """`name` as the names of environment variables have it: `MY_LLM` for `my.llm`."""
    return re.sub(r"[^A-Z0-9]", "_", canonical_name(name).upper())


def our_variable(provider: str, what: str) -> str:
    """The environment variable that tells us something of a provider, as `HOMEOSTASIS_OPENAI_API_KEY` does."""
    return f"HOMEOSTASIS_{in_variables(provider)}_{what}"


def all_facts() -> Mapping[str, ProviderFacts]:
    """Every row, by name, in the order of the file: whose models they are before who only runs them."""
    return _catalog()[0]


@cache
def _catalog() -> tuple[Mapping[str, ProviderFacts], Mapping[str, str]]:
    # Not importlib.resources, which takes as long to import as the rest of this module.
    return read_catalog((pkgutil.get_data(__package__, "catalog.toml") or b"").decode())


def read_catalog(text: str) -> tuple[Mapping[str, ProviderFacts], Mapping[str, str]]:
    """The rows by name, and each alias's name. Raises `ValueError`, naming the row, for one that makes no sense."""
    rows = {name: _row(name, table) for name, table in tomllib.loads(text).items()}
    aliases: dict[str, str] = {}
    for facts in rows.values():
        for alias in facts.aliases:
            if alias in rows or alias in aliases:
                raise ValueError(f"catalog.toml: [{facts.name}]: alias {alias!r} is the name or alias of another row")
            aliases[alias] = facts.name
    return MappingProxyType(rows), MappingProxyType(aliases)


def _row(name: str, table: Any) -> ProviderFacts:
    wanted = {field.name: field for field in fields(ProviderFacts) if field.name != "name"}
    problems: list[str] = []
    if not isinstance(table, dict):
        problems, table = ["is no table"], {}
    elif not _NAME.fullmatch(name):
        problems.append("the name must be of lower-case letters, digits and single `_`")
    problems += [f"unknown key {key!r}" for key in table if key not in wanted]
    problems += [
        f"missing key {key!r}" for key, field in wanted.items() if field.default is MISSING and key not in table
    ]
    problems += [
        f"{key!r} must be {_KINDS[str(wanted[key].type)]}"
        for key, given in table.items()
        if key in wanted and not _is_of_kind(given, str(wanted[key].type))
    ]
    if not problems and not _AUTH.fullmatch(table["auth"]):
        problems.append(
            f"auth {table['auth']!r} is none of bearer, scheme:<word>, header:<name>, query:<name>, aws, google, none"
        )
    if problems:
        raise ValueError(f"catalog.toml: [{name}]: {'; '.join(problems)}")
    values: dict[str, Any] = {key: tuple(given) if isinstance(given, list) else given for key, given in table.items()}
    return ProviderFacts(name=name, **{"litellm_name": name, **values})


_KINDS = {
    "str": "a string",
    "str | None": "a string",
    "bool": "true or false",
    "tuple[str, ...]": "an array of strings",
}


def _is_of_kind(given: object, kind: str) -> bool:
    if kind == "tuple[str, ...]":
        return isinstance(given, list) and all(isinstance(item, str) and item for item in given)
    return isinstance(given, bool) if kind == "bool" else isinstance(given, str) and given != ""
