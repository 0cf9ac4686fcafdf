"""What is asked about a key, one question after another, and what the answers mean together.

A generator, which yields its questions and is sent what came of them: so sync and async ask the same. What is light
comes first. Only where nothing else tells a good key from a wrong one is a completion asked for, and litellm imported.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..catalog import ProviderFacts, canonical_name, facts_of
from ..endpoints import Endpoint, base_url_from_environment, key_endpoint, models_endpoint, read_models
from ..errors import InvalidRequestError
from ..redaction import remember
from .check import KeyCheck, KeyOutcome
from .judge import Answer, judge, malformed, unasked
from .malformed import inspect_key
from .obstacles import Obstacle, SettingsError
from .wire import Reply, host_of, shown

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ..provider import LLMProviderInterface
    from .sealed import Sealed

_PLUGINS = "homeostasis_llm.providers"
"""`plugins.GROUP`; importing it from there would bring pydantic along, and take longer than the question."""


@dataclass(slots=True)
class Matter:
    """Which key is to be checked, with whom and how, and what that has taken so far."""

    facts: ProviderFacts
    key: str = field(repr=False)
    base_url: str | None
    options: Mapping[str, Any] = field(repr=False)
    """For making the provider's object."""
    timeout: float
    deep: bool
    model: str | None
    its_own: LLMProviderInterface | None
    """The object that was given for the provider."""
    by_name: bool
    """Whether only a name was given."""
    seconds: float = 0.0
    """What the questions have taken so far."""

    @classmethod
    def of(
        cls,
        provider: str | ProviderFacts | LLMProviderInterface,
        api_key: str | SecretStr | Sealed,
        *,
        base_url: str | None,
        headers: Mapping[str, str] | None,
        timeout: float,
        deep: bool,
        model: str | None,
    ) -> Matter:
        """What the callers of `check_key` give."""
        key = api_key if isinstance(api_key, str) else _revealed(api_key)
        row = provider if isinstance(provider, ProviderFacts) else None
        its_own = None if isinstance(provider, (str, ProviderFacts)) else provider
        name = canonical_name(provider if isinstance(provider, str) else provider.name)
        facts = row or facts_of(name) or ProviderFacts(name=name, title=name, env=(), auth="none")
        # A row of one's own may say where requests go; the provider's object only knows the catalog's.
        options = {"base_url": base_url or (row and row.base_url), "headers": headers}
        return cls(
            facts=facts,
            key=key,
            base_url=base_url_from_environment(name, facts) if base_url is None else base_url,
            options={name: given for name, given in options.items() if given is not None},
            timeout=timeout,
            deep=deep,
            model=model,
            its_own=its_own,
            by_name=isinstance(provider, str),
        )

    @property
    def elsewhere(self) -> bool:
        """Whether another server may stand there than the one that the catalog tells of."""
        own = self.facts.base_url
        return self.facts.local or own is None or (self.base_url is not None and self.base_url.rstrip("/") != own)

    @property
    def may_lack_key(self) -> bool:
        """Whether no key at all may be the right one."""
        return not self.facts.needs_key or (self.elsewhere and self.facts.base_url is not None)

    def make(self) -> LLMProviderInterface:
        """The provider's object. Raises `UnknownProviderError`, `BrokenPluginError` and `InvalidRequestError`."""
        from ..registry import ProviderFactory

        return ProviderFactory.create_provider(self.facts.name, self.key, **self.options)

    def of_answer(self, came: Reply, endpoint: Endpoint, *, listing: bool) -> KeyCheck:
        """What the answer to GET means."""
        self.seconds += came.seconds
        return judge(
            self.facts,
            self.key,
            came.found,
            asked=f"GET {shown(endpoint.url)}",
            host=host_of(endpoint.url),
            listing=listing,
            seconds=self.seconds,
            timeout=self.timeout,
            at_proxy=came.at_proxy,
        )

    def of_call(self, came: Result, asked: str, *, model: str | None = None) -> KeyCheck:
        """What it means that a provider's own code returned or raised that."""
        found = came.found
        self.seconds += came.seconds
        url = self.base_url or self.facts.base_url
        return judge(
            self.facts,
            self.key,
            found if isinstance(found, (bool, Exception)) else True,
            asked=asked,
            host=host_of(url) if url else "",
            model=model,
            seconds=self.seconds,
            timeout=self.timeout,
        )


@dataclass(frozen=True, slots=True)
class Get:
    """To ask over HTTP."""

    endpoint: Endpoint
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """To have a provider's own code do it."""

    work: Callable[[], Any]
    awork: Callable[[], Awaitable[Any]] | None = None
    """The same for async, where the code has that."""
    bounded: bool = False
    """Whether the code keeps to the time itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call: what it returned, or raised."""

    found: Any
    seconds: float


Steps = Generator[Get | Call, Any, KeyCheck]


def steps(matter: Matter) -> Steps:
    """What is asked, one question after another, and what all of it means."""
    ask_itself = matter.its_own is not None
    if matter.by_name:
        ask_itself = _done((yield Call(partial(is_somebodys, matter.facts.name), bounded=True)))
    if matter.base_url is not None and not _is_web_address(matter.base_url):
        return judge(matter.facts, matter.key, SettingsError(Obstacle.ADDRESS))
    key = matter.key
    wrong = inspect_key(key)
    if wrong is not None and (key or not (ask_itself or matter.may_lack_key)):
        remember(wrong.corrected or "")
        return malformed(matter.facts, wrong)
    remember(key)
    if ask_itself:
        return (yield from _ask_itself(matter))
    listing: bytes | None = None
    if not matter.deep:
        if matter.facts.auth == "google" or (matter.facts.auth == "aws" and not key):
            return unasked(
                matter.facts,
                f"{matter.facts.title} takes credentials that sign each request, and no key to be tried by itself.",
                "Try them with a completion of one token: `--deep`, or deep=True.",
            )
        check, listing = yield from _ask_endpoint(matter)
        if check is not None:
            return check
    return (yield from _ask_for_a_token(matter, listing))


def _ask_endpoint(matter: Matter) -> Generator[Get, Reply, tuple[KeyCheck | None, bytes | None]]:
    """What the lightest endpoint says, or None where it says nothing; and the list of models, where that came."""
    facts, listing = matter.facts, matter.facts.key_check_path is None
    endpoint = key_endpoint(facts, matter.base_url)
    if endpoint is None and facts.local:
        # It tells at least whether the server runs; whether it proves anything is found out below.
        endpoint = models_endpoint(facts, matter.base_url)
    if endpoint is None:
        return None, None
    came = yield Get(endpoint, matter.key)
    check = matter.of_answer(came, endpoint, listing=listing)
    if matter.elsewhere and not listing and check.status == 404:
        return None, None  # a gateway, which has the provider's models and not all else
    if check.outcome is not KeyOutcome.VERIFIED or not (matter.elsewhere and matter.key):
        return check, None
    # Of the provider itself we know that it refuses a wrong key. Another server may give its list to anybody.
    without = yield Get(endpoint, "")
    if matter.of_answer(without, endpoint, listing=listing).outcome in _REFUSALS:
        return replace(check, seconds=matter.seconds), None
    return None, came.found.body if listing and isinstance(came.found, Answer) else None


_REFUSALS = {KeyOutcome.REJECTED, KeyOutcome.WRONG_PROVIDER, KeyOutcome.EXPIRED, KeyOutcome.NO_PERMISSION}


def _ask_itself(matter: Matter) -> Steps:
    """What somebody else's provider says of the key."""
    provider: LLMProviderInterface | None = matter.its_own
    if provider is None:
        provider = _done((yield Call(matter.make, bounded=True)))
    try:
        if matter.deep:
            return (yield from _complete(matter, provider, matter.model or provider.default_model))
        own = getattr(provider, "check_key", None)
        came = yield Call(partial(provider.validate_key if own is None else own, matter.key))
        if isinstance(came.found, KeyCheck):
            return came.found
        if not isinstance(came.found, (bool, Exception)):
            from ..promises import checked_verdict

            checked_verdict(came.found, provider)
        return matter.of_call(came, f"{type(provider).__name__}.{'validate_key' if own is None else 'check_key'}")
    finally:
        if matter.its_own is None:
            provider.close()


def _ask_for_a_token(matter: Matter, listing: bytes | None) -> Steps:
    """What a completion of one token says of the key; where it says nothing, what else does."""
    provider: LLMProviderInterface = _done((yield Call(matter.make, bounded=True)))
    try:
        model, check = matter.model, None
        if not model:
            model, check = yield from _model(matter, provider, listing)
        if not model:
            return check or unasked(
                matter.facts,
                f"Only a completion can tell about the key, and {matter.facts.title} has no model for one by default.",
                "Name a model of it.",
            )
        check = yield from _complete(matter, provider, model, bounded=True)
    finally:
        provider.close()
    url = matter.base_url or matter.facts.base_url
    if check.cause is Obstacle.UNKNOWN and url:
        # Asked plainly, the system says what was in the way.
        home = Endpoint(matter.facts.name, url, "none")
        plain = matter.of_answer((yield Get(home, "")), home, listing=False)
        return replace(plain, asked=check.asked, charged=True) if plain.outcome is KeyOutcome.UNREACHABLE else check
    endpoint = key_endpoint(matter.facts, matter.base_url)
    if check.outcome is KeyOutcome.COULD_NOT_TELL and endpoint is not None and not matter.elsewhere:
        light = matter.of_answer(
            (yield Get(endpoint, matter.key)), endpoint, listing=matter.facts.key_check_path is None
        )
        if light.ok is not None:
            return replace(light, asked=f"{check.asked}, then {light.asked}", charged=True, said=check.said)
    return check


def _model(
    matter: Matter, provider: LLMProviderInterface, listing: bytes | None
) -> Generator[Any, Any, tuple[str, KeyCheck | None]]:
    """A model to ask: the catalog's, or one that another server has; and what that one's list says of the key."""
    usual, check = provider.default_model, None
    endpoint = models_endpoint(matter.facts, matter.base_url)
    if listing is None and endpoint is not None and (matter.elsewhere or not usual):
        came = yield Get(endpoint, matter.key)
        check = matter.of_answer(came, endpoint, listing=True)
        listing = came.found.body if check.outcome is KeyOutcome.VERIFIED else None
    if listing is not None:
        names = read_models(listing, matter.facts.name)
        return (usual if usual in names or not names else names[0]), None
    if usual or endpoint is not None:
        return usual, check
    from ..promises import models_of

    # litellm's price list has some of the models of providers that do not list them.
    names = (yield Call(partial(models_of, provider), bounded=True)).found
    return (names[0] if isinstance(names, list) and names else ""), None


def _complete(matter: Matter, provider: LLMProviderInterface, model: str, *, bounded: bool = False) -> Steps:
    from ..messages import LLMMessage
    from ..request import LLMRequest, Timeout

    time_given = Timeout(first_byte=matter.timeout, total=matter.timeout)
    request = LLMRequest(
        messages=[LLMMessage(role="user", content="Hi")], model=model, max_tokens=1, timeout=time_given
    )
    awork = partial(provider.acomplete, request) if bounded else None
    came = yield Call(partial(provider.complete, request), awork, bounded=bounded)
    return matter.of_call(came, f"one token of {model}", model=model)


def _done(came: Result) -> Any:
    """What a call returned. Raises what it raised."""
    if isinstance(came.found, Exception):
        raise came.found
    return came.found


def is_somebodys(name: str) -> bool:
    """Whether that name was registered, or taken by a plugin. Raises `UnknownProviderError`."""
    registry = sys.modules.get("homeostasis_llm.registry")
    if registry is None and facts_of(name) is not None:
        from importlib.metadata import entry_points

        # Without the registry nothing is registered, and it takes longer to import than a provider to answer.
        return any(canonical_name(plugin.name) == name for plugin in entry_points(group=_PLUGINS))
    from ..registry import ProviderFactory

    return ProviderFactory.describe(name).source not in {"catalog", "litellm"}


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is no number
        return False


def _revealed(key: object) -> str:
    reveal = getattr(key, "get_secret_value", None)
    if reveal is None:
        raise InvalidRequestError(f"api_key: must be a str, got {type(key).__name__}")
    return str(reveal())
