"""Find the plugins that offer providers, load the one that is asked for, and say what is wrong with a broken one.

Plugins are entry points. Finding them imports none.
"""

from __future__ import annotations

import inspect
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import SecretStr

from .catalog import canonical_name
from .config.settings import ship
from .declared import declarations_of
from .errors import BrokenPluginError, InvalidRequestError, LLMError
from .promises import checked_provider
from .provider import LLMProviderInterface, UnknownOptionError

_log = logging.getLogger(__name__)

GROUP = "homeostasis_llm.providers"
"""The entry-point group: the provider's name, and its class, a function that makes it, or a row: a mapping as in
`rows.shipped_row`."""

ProviderMaker = Callable[..., LLMProviderInterface]
"""A class or a function; called with the key, `""` where there is none, and the options as keywords."""


def find_plugins() -> dict[str, list[EntryPoint]]:
    """Whoever claims a name, by its canonical form. Read anew each time, for sys.path may have changed: some 5 ms."""
    claims: dict[str, list[EntryPoint]] = defaultdict(list)
    for entry_point in sorted(entry_points(group=GROUP), key=whose):
        claims[canonical_name(entry_point.name)].append(entry_point)
    return dict(claims)


def distribution(entry_point: EntryPoint) -> str:
    """For people: `acme-llm 1.0`."""
    return "no distribution" if entry_point.dist is None else f"{entry_point.dist.name} {entry_point.dist.version}"


def whose(entry_point: EntryPoint) -> str:
    """For people: `acme-llm 1.0 (acme_llm:Acme)`."""
    return f"{distribution(entry_point)} ({entry_point.value})"


def load(name: str, claims: Sequence[EntryPoint]) -> ProviderMaker:
    """What the one plugin of that name points to. Raises `BrokenPluginError`, also where there are several."""
    if len(claims) > 1:
        raise BrokenPluginError(
            f"several plugins call themselves {name!r}: {' and '.join(map(whose, claims))}; uninstall all but one",
            provider=name,
        )
    (entry_point,) = claims
    try:
        found = entry_point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # importing runs somebody's code, which raises anything
        # For its author; the error carries the words of the cause alone.
        _log.debug("%s cannot be loaded", whose(entry_point), exc_info=True)
        failure = _broken(name, entry_point, "cannot be loaded", error)
    else:
        if isinstance(found, Mapping):
            return _row(name, entry_point, found)
        if not (wrong := not_a_maker(found)):
            try:
                ship(name, declarations_of(found))
            except ValueError as error:
                wrong = f"declares what makes no sense: {error}"
            else:
                maker: ProviderMaker = found
                return maker
        failure = _broken(name, entry_point, wrong)
    raise failure


def load_declarations(names: Iterable[str]) -> None:
    """Load the plugins of these names for what they declare of where their keys are. One that is broken has no say."""
    wanted = {canonical_name(name) for name in names}
    for name, claims in find_plugins().items():
        if name in wanted:
            with suppress(BrokenPluginError):  # told to whoever uses it
                load(name, claims)


def make(
    name: str, entry_point: EntryPoint, maker: ProviderMaker, key: SecretStr, options: Mapping[str, Any]
) -> LLMProviderInterface:
    """The provider of a plugin that `load` has loaded. Raises `BrokenPluginError`, and what `made_by` raises."""
    try:
        return made_by(maker, name, key, options)
    except LLMError:
        raise
    except Exception as error:  # noqa: BLE001  # as in load
        failure = _broken(name, entry_point, "cannot make its provider", error)
    raise failure


def _row(name: str, entry_point: EntryPoint, described: Mapping[str, Any]) -> ProviderMaker:
    from .rows import shipped_row

    try:
        return shipped_row(name, described)
    except ValueError as error:
        failure = BrokenPluginError(
            f"the plugin {entry_point.name!r} of {whose(entry_point)} is a row with a mistake: {error}", provider=name
        )
    raise failure


def not_a_maker(provider: object) -> str:
    """What is wrong with it as a class or function that makes providers; empty where nothing is."""
    if isinstance(provider, type):
        if not issubclass(provider, LLMProviderInterface):
            return "is no subclass of LLMProviderInterface"
        missing = sorted(getattr(provider, "__abstractmethods__", ()))
        return f"is not finished: it lacks {', '.join(missing)}" if missing else ""
    return "" if callable(provider) else f"is neither a class nor a function, but a {type(provider).__name__}"


def made_by(maker: ProviderMaker, name: str, key: SecretStr, options: Mapping[str, Any]) -> LLMProviderInterface:
    """What `maker` makes. Raises `InvalidRequestError` for options that it does not take, and what it raises itself.

    It is given a plain `str`, which is what constructors expect.
    """
    check_options(maker, name, "", options)
    provider = maker(key.get_secret_value(), **options)
    if not isinstance(provider, LLMProviderInterface):
        raise BrokenPluginError(
            f"{name}: what should make its provider made a {type(provider).__name__}", provider=name
        )
    return checked_provider(provider, f"{name}: ")


def check_options(maker: ProviderMaker, name: str, first: str, options: Mapping[str, Any]) -> None:
    """Raise `InvalidRequestError`, naming the nearest option, unless `maker` can be called so."""
    try:
        signature = inspect.signature(maker)
    except ValueError:
        return  # something in C, which does not tell
    keywords = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    # The first is what `first` is for, and a key is no option.
    taken = [item.name for item in [*signature.parameters.values()][1:] if item.kind in keywords]
    taken = [option for option in taken if option != "api_key"]
    try:
        signature.bind(first, **options)
    except TypeError as error:
        unknown = [option for option in options if option not in signature.parameters]
        if not unknown:
            raise InvalidRequestError(f"{name}: {error}", provider=name) from None
        close = get_close_matches(unknown[0], taken, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(taken) or 'none'}"
        raise UnknownOptionError(
            f"{name}: has no option {unknown[0]!r}{hint}", option=unknown[0], provider=name
        ) from None


def _broken(name: str, entry_point: EntryPoint, how: str, cause: BaseException | None = None) -> BrokenPluginError:
    said = "" if cause is None else f": {type(cause).__name__}: {cause}".splitlines()[0].rstrip(": ")
    error = BrokenPluginError(f"the plugin {entry_point.name!r} of {whose(entry_point)} {how}{said}", provider=name)
    return error if cause is None else error.with_cause(cause)
