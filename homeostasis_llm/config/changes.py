"""Change single settings, by name.

What is set is checked like the file is: `InvalidRequestError` says what is allowed. Names of providers are looked up by
`known`, which raises `UnknownProviderError` for a name that nobody has: `ProviderFactory.describe`. All of these raise
`ConfigError` where the file was wrong before or cannot be written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalog import canonical_name
from ..request import Timeout
from .settings import SecretReference, Settings
from .storage import change_settings

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Comment

Known = Callable[[str], object]
Place = str | os.PathLike[str] | None
"""A settings file; None for `config_path()`."""

Changes = Mapping[tuple[str, ...], object]
"""From the steps to a setting, as in `("provider_policies", "cost")`, to what it shall be; None takes it away."""


def set_active_provider(provider: str | None, *, known: Known, path: Place = None) -> Settings:
    """Have that provider asked first; None or `auto` for whoever is found."""
    if provider is None or provider.strip().lower() == "auto":
        return set_values({("active_provider",): "auto"}, path)
    known(provider)
    return set_values({("active_provider",): canonical_name(provider)}, path)


def set_fallback_order(providers: Iterable[str], *, known: Known, path: Place = None) -> Settings:
    """Have these providers asked, in this order, when the first fails."""
    names = list(providers)
    for name in names:
        known(name)
    return set_values({("fallback_order",): list(dict.fromkeys(map(canonical_name, names)))}, path)


def set_enable_fallback(enabled: bool, *, path: Place = None) -> Settings:
    """Say whether anybody else is asked when a provider fails."""
    return set_values({("enable_fallback",): enabled}, path)


def set_provider_policies(
    *, cost: str | None = None, latency: str | None = None, reliability: str | None = None, path: Place = None
) -> Settings:
    """Say what matters in choosing a provider: `low`, `balanced` or `high`. None leaves what is set."""
    given = {"cost": cost, "latency": latency, "reliability": reliability}
    return set_values({("provider_policies", name): level for name, level in given.items() if level is not None}, path)


def set_openrouter_unified(
    enabled: bool, *, proxy_to_anthropic: bool | None = None, proxy_to_openai: bool | None = None, path: Place = None
) -> Settings:
    """Say whether OpenRouter stands in for other providers, and for these two. None leaves what is set."""
    wanted = {"anthropic": proxy_to_anthropic, "openai": proxy_to_openai}

    def edit(document: TOMLDocument) -> None:
        # Among what the file says by now: somebody else may have named further ones.
        table = document.get("openrouter_unified", {})
        named = list(map(canonical_name, table.get("providers", Settings().openrouter_unified.providers)))
        routed = [name for name in named if wanted.get(name) is not False]
        routed += [name for name, given in wanted.items() if given and name not in routed]
        assign(document, {("openrouter_unified", "enabled"): enabled})
        if routed != named:
            assign(document, {("openrouter_unified", "providers"): routed})

    return change_settings(path, edit)


def set_provider_settings(provider: str, *, known: Known, path: Place = None, **given: object) -> Settings:
    """Set what is `given` for one provider, by the names of `ProviderSettings`. None takes a setting away."""
    known(provider)
    return set_values({("providers", canonical_name(provider), name): found for name, found in given.items()}, path)


def set_values(changes: Changes, path: Place = None) -> Settings:
    """Make these changes, all or none."""
    return change_settings(path, lambda document: assign(document, changes))


def assign(document: TOMLDocument, changes: Changes) -> None:
    """Make these changes to a file that was read for changing."""
    for (*tables, last), given in changes.items():
        table = _table(document, tables, create=given is not None)
        if table is None:
            continue
        value = _toml(given)
        homeless = [] if value is None or isinstance(value, Mapping) else _comments_in(table.get(last))
        _put(table, last, value)
        for comment in homeless:
            document.add(comment)


def _put(table: MutableMapping[str, Any], key: str, given: Any) -> None:
    there = table.get(key)
    if isinstance(there, MutableMapping) and (given is None or isinstance(given, Mapping)):
        # Changed inside: to tomlkit the comments above the next table are part of this one, and would go with it.
        wanted = given or {}
        for inner in [inner for inner in there if inner not in wanted]:
            del there[inner]
        for inner, value in wanted.items():
            _put(there, inner, value)
    elif given is None:
        table.pop(key, None)
    elif _plain(there) != given:  # what stays the same keeps its form
        table[key] = _in_several_lines(given) if _is_in_several_lines(there) else given


def _comments_in(there: object) -> list[Comment]:
    """The lines of a table that are comments. To tomlkit those above the next table are among them."""
    from tomlkit.items import Comment, Table

    return [item for _, item in there.value.body if isinstance(item, Comment)] if isinstance(there, Table) else []


def _table(
    document: MutableMapping[str, Any], steps: Sequence[str], *, create: bool
) -> MutableMapping[str, Any] | None:
    import tomlkit
    from tomlkit.items import InlineTable

    table = document
    for depth, step in enumerate(steps):
        # The file may spell a provider's name in another way.
        spelled = step
        if depth == 1 and steps[0] == "providers":
            spelled = next((name for name in table if canonical_name(name) == step), step)
        if spelled not in table:
            if not create:
                return None
            if isinstance(table, InlineTable):
                table[spelled] = tomlkit.inline_table()
            else:
                # [providers.openai] needs no [providers] before it.
                table[spelled] = tomlkit.table(is_super_table=depth == 0 and len(steps) > 1)
        table = table[spelled]
    return table


def _toml(given: object) -> object:
    """`given` in the types that TOML has."""
    match given:
        case Timeout():
            return {name: seconds for name, seconds in asdict(given).items() if seconds is not None}
        case tuple():
            return list(given)
        case Path() | SecretReference():
            return str(given)
    return given


def _plain(item: Any) -> object:
    return item.unwrap() if hasattr(item, "unwrap") else item


def _is_in_several_lines(item: Any) -> bool:
    return isinstance(_plain(item), list) and "\n" in item.as_string()


def _in_several_lines(value: Any) -> object:
    import tomlkit

    array = tomlkit.array()
    array.extend(value)
    return array.multiline(True)
