"""Know who can be asked: the providers of a list or of the settings, in order, each with its keys.

What was looked up is kept, and looked up again when the environment, the settings or the stored keys have changed: a
new key is used by the next request, a removed one is not. What other programs do to a keyring is noticed when what is
kept grows old, or at once when the provider refuses the key.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from ..catalog import canonical_name
from ..config import ProviderSettings, Settings, load_settings
from ..declared import declarations_of
from ..errors import APIKeyMissingError, BrokenPluginError, InvalidRequestError, LLMError
from ..keys.changed import last_change
from ..keys.found import FoundKey, SourceKind
from ..keys.lookup import Where, find_keys
from ..plugins import load_declarations
from ..promises import author_of, checked_provider
from ..provider import LLMProviderInterface
from ..registry import ProviderFactory

if TYPE_CHECKING:
    from ..api_key_manager import APIKeyManager

_FRESH = 300.0
"""Seconds for which a key from a keyring or a file is kept; those of commands and secret stores until refused."""

_NOTHING_SET = Settings()

_LASTING = frozenset({SourceKind.COMMAND, SourceKind.SECRET_STORE})


@dataclass(frozen=True, slots=True)
class Stop:
    """A place in the order."""

    provider: str
    model: str | None = None
    """What the order itself names; it goes before what the request names."""
    place: int | None = None
    """Which of the given objects it is; None for a name."""
    why: str = ""
    """Why it stands where it does."""


@dataclass(slots=True)
class Route:
    """How one provider is asked with one key."""

    provider: LLMProviderInterface
    label: str
    key: int
    """What tells the key from others in this process; it cannot be read back."""


@dataclass(slots=True)
class _Kept:
    routes: list[Route]
    at: float
    state: object
    lasting: bool


class Roster:
    """The providers of one manager. Safe for threads; pickles look everything up again."""

    def __init__(
        self,
        providers: Sequence[LLMProviderInterface | str] | None = None,
        keys: APIKeyManager | None = None,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if providers is not None and not providers:
            raise InvalidRequestError("providers: is empty; name at least one, or leave it out for the settings' own")
        self._given = None if providers is None else tuple(map(_checked, providers))
        self._declared = _declared(self._given or ())
        self._places = _places(self._given or ())
        self._labels = _numbers(self._places)
        self._keys = keys
        self._own_settings = settings
        self._clock = clock
        self._kept: dict[Stop, _Kept] = {}
        self._sticky: dict[str, str] = {}
        self._available: tuple[object, list[str]] | None = None
        self._lock = RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_kept": {}, "_available": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = RLock()

    @property
    def is_given(self) -> bool:
        """Whether the providers were listed, so that the settings say nothing about who is asked."""
        return self._given is not None

    def settings(self) -> Settings:
        """What is set now; nothing where the providers were given as objects. Raises `ConfigError`."""
        if self._own_settings is not None:
            found = self._own_settings
        elif self._given is not None and not any(isinstance(given, str) for given in self._given):
            found = _NOTHING_SET
        else:
            found = load_settings(self.settings_path)
        return found.declaring(self._declared) if self._declared else found

    @property
    def settings_path(self) -> Path | None:
        """The settings file; None for the user's own."""
        return None if self._keys is None else self._keys.config_dir / "config.toml"

    def stops(
        self, preferred: str | None, settings: Settings, ranked: Callable[[list[str]], list[str]] | None = None
    ) -> list[Stop]:
        """Whom to ask, in order; `ranked` puts those in order of whom the user has set none.

        Raises `InvalidRequestError` where `preferred` is not among the given ones, `UnknownProviderError` for a name
        that nobody has.
        """
        stops = list(self._places) if self._given is not None else self._set(settings, ranked)
        if preferred is None:
            return stops
        wanted = _stop(preferred)
        first = [stop for stop in stops if canonical_name(stop.provider) == wanted.provider]
        if not first:
            if self._given is not None:
                names = ", ".join(dict.fromkeys(stop.provider for stop in stops))
                raise InvalidRequestError(f"preferred_provider: {preferred!r} is not among the manager's: {names}")
            ProviderFactory.describe(wanted.provider)  # a name nobody has is a mistake of the caller's
            first = [wanted]
        # A model that is named along with the provider is meant for it alone.
        chosen = [
            Stop(stop.provider, wanted.model or stop.model, stop.place, "the request prefers it") for stop in first
        ]
        return [*chosen, *(stop for stop in stops if stop not in first)]

    def _set(self, settings: Settings, ranked: Callable[[list[str]], list[str]] | None) -> list[Stop]:
        active = settings.active_provider
        stops = [] if active is None else [Stop(active, why="it is the active provider")]
        named = "fallback_order" in settings.model_fields_set
        # Without an order of the user's, whoever can be used is asked; the default order only says who comes first.
        order = list(settings.fallback_order)
        if not named:
            usable = self.available(settings)
            order = [*(name for name in order if name in usable), *(name for name in usable if name not in order)]
            order = (order if ranked is None else ranked(order)) or list(settings.fallback_order)
        why = "it is the next of `fallback_order`" if named else "its key was found"
        stops += [Stop(name, why=why) for name in order if name != active]
        return stops

    def available(self, settings: Settings | None = None) -> list[str]:
        """The providers that can be asked: those with a key, and those that are set up to do without."""
        if self._given is not None:
            return list(dict.fromkeys(stop.provider for stop in self._places))
        settings = self.settings() if settings is None else settings
        state = (self._state(), settings)
        with self._lock:
            if self._available is None or self._available[0] != state:
                self._available = (state, self._look_around())
            return list(self._available[1])

    def _look_around(self) -> list[str]:
        from ..usable import set_up

        # That a plugin which needs no key is installed does not say that it shall answer: the embedded toy is one.
        around = set_up(self._own_settings or self.settings_path)
        return [usable.name for usable in around.providers if usable.chosen and not usable.lacks]

    def routes(self, stop: Stop, settings: Settings) -> list[Route]:
        """How to ask that provider, its keys in order of use, the one that worked last first. Raises `LLMError`."""
        if self._given is not None and stop.place is not None:
            given = self._given[stop.place]
            assert not isinstance(given, str)  # noqa: S101  # a stop has a place only where an object stands
            return [Route(given, self.label(stop), hash(given.api_key))]
        state = (self._state(), settings)
        with self._lock:
            kept = self._kept.get(stop)
            if kept is None or not self._is_good(kept, state):
                kept = self._look_up(stop, settings, state, kept)
                self._kept[stop] = kept
        sticky = self._sticky.get(stop.provider)
        return sorted(kept.routes, key=lambda route: route.label != sticky) if sticky is not None else kept.routes

    def is_at_hand(self, stop: Stop, settings: Settings) -> bool:
        """Whether `routes` need look nothing up."""
        kept = self._kept.get(stop)
        return stop.place is not None or (kept is not None and self._is_good(kept, (self._state(), settings)))

    def _is_good(self, kept: _Kept, state: object) -> bool:
        return kept.state == state and (kept.lasting or self._clock() - kept.at <= _FRESH)

    def described(self) -> str:
        """For people."""
        return "of the settings" if self._given is None else ", ".join(self.available())

    def _look_up(self, stop: Stop, settings: Settings, state: object, before: _Kept | None) -> _Kept:
        found = self._find(stop.provider)
        # Whoever has not changed keeps the connections.
        former = {} if before is None else {(route.label, route.key): route for route in before.routes}
        same_settings = before is not None and isinstance(before.state, tuple) and before.state[1] == settings
        routes = []
        for key in found:
            label, mark = key.label or "", hash(key.secret.get_secret_value())
            at_hand = former.get((label, mark)) if same_settings else None
            routes.append(at_hand or Route(_made(stop.provider, settings, key.secret), label, mark))
        if not routes:
            provider = _made(stop.provider, settings)
            if provider.needs_key and not provider.api_key and self._wants_key(stop.provider):
                raise APIKeyMissingError(
                    f"{provider.name} has no key: run `homeostasis llm set-key {provider.name}`", provider=provider.name
                )
            routes.append(Route(provider, "", hash(provider.api_key)))
        return _Kept(routes, self._clock(), state, lasting=bool(found) and all(key.kind in _LASTING for key in found))

    def _wants_key(self, name: str) -> bool:
        """Whether it is known to be of no use without a key; the catalog's rows were judged when it was made."""
        entry = ProviderFactory.describe(name)
        return entry.needs_key is True and entry.source not in {"catalog", "litellm"}

    def _find(self, provider: str) -> list[FoundKey]:
        if self._keys is None:
            load_declarations([provider])
            return find_keys(provider, Where(settings=self._own_settings))
        return self._keys.find_keys(provider, self._own_settings)

    def refused(self, stop: Stop, settings: Settings, key: int) -> bool:
        """Look the keys up again, for one was refused; whether that key is among them no more."""
        if stop.place is not None:
            return False
        with self._lock:
            self._kept.pop(stop, None)
        try:
            return all(route.key != key for route in self.routes(stop, settings))
        except LLMError:  # there is none any more; asking for it again will say so
            return True

    def worked(self, stop: Stop, label: str) -> None:
        """Stay with that key while it works: providers keep prompts in caches that belong to one."""
        if stop.place is None and self._sticky.get(stop.provider, "") != label:
            self._sticky[stop.provider] = label

    def label(self, stop: Stop) -> str:
        """The label of the key that is used first, as far as that is known without looking it up.

        Given providers of one name are told apart by numbers, for each has its own health.
        """
        if stop.place is not None:
            return self._labels[stop.place]
        return self._sticky.get(stop.provider, "")

    def _state(self) -> object:
        # Decoding every variable costs some microseconds, looking for keys milliseconds.
        return hash(tuple(os.environ.values())), last_change()

    def close(self) -> None:
        """Give back the connections of the providers that were made here; they are opened again when needed."""
        with self._lock:
            kept = [route.provider for one in self._kept.values() for route in one.routes]
        for provider in kept:
            provider.close()


def _made(name: str, settings: Settings, key: SecretStr | None = None) -> LLMProviderInterface:
    """The provider of that name. Raises `LLMError`, whatever its author's constructor raises."""
    try:
        return ProviderFactory.create_as_set(name, settings, key)
    except LLMError:
        raise
    except Exception as error:  # noqa: BLE001  # an author's constructor may raise anything, which must stop nobody
        failure = BrokenPluginError(f"{name} cannot be made: {type(error).__name__}: {error}", provider=name)
        failure.with_cause(error)
    raise failure


def _checked(given: object) -> LLMProviderInterface | str:
    if isinstance(given, str):
        ProviderFactory.describe(_stop(given).provider)
        return given
    if isinstance(given, LLMProviderInterface):
        return checked_provider(given, "providers: ")
    raise InvalidRequestError(f"providers: must be of providers and names of providers, got {type(given).__name__}")


def _declared(given: Sequence[LLMProviderInterface | str]) -> dict[str, ProviderSettings]:
    """What the given objects declare of themselves, by name. Those of plugins and settings are known by theirs."""
    found: dict[str, ProviderSettings] = {}
    for one in given:
        if isinstance(one, LLMProviderInterface):
            try:
                declared = declarations_of(one)
            except ValueError as error:
                raise InvalidRequestError(
                    f"providers: {author_of(one)} declares what makes no sense: {error}"
                ) from None
            if declared is not None:
                found.setdefault(canonical_name(one.name), declared)
    return found


def _places(given: Sequence[LLMProviderInterface | str]) -> list[Stop]:
    """The order of those that were given."""
    return [_stop(one) if isinstance(one, str) else Stop(one.name, place=place) for place, one in enumerate(given)]


def _numbers(places: Sequence[Stop]) -> list[str]:
    """What tells those of one name apart; nothing for the first."""
    seen: Counter[str] = Counter()
    labels = []
    for stop in places:
        seen[stop.provider] += 1
        labels.append("" if seen[stop.provider] == 1 else str(seen[stop.provider]))
    return labels


def _stop(name: str) -> Stop:
    """`openai` or `openai:gpt-x`; other colons belong to the model."""
    provider, _, model = name.partition(":")
    return Stop(canonical_name(provider.strip()), model.strip() or None)
