"""Ask language models so that an answer comes while providers fail: the door to everything in this folder."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from ..config import Settings, set_fallback_order
from ..errors import InvalidRequestError
from ..provider import LLMProviderInterface
from ..registry import ProviderFactory
from ..request import LLMRequest
from ..response import LLMChunk, LLMResponse
from . import adrive, drive
from .background import BackgroundLoop
from .bench import Bench
from .board import HealthBoard
from .breaker import BreakerConfig
from .budgets.spending import Spending
from .course import Course
from .gate import Gate
from .journey import Journey
from .off_the_loop import in_a_thread
from .order import by_policy, record
from .policy import OnBreak, OnOtherModel, OnRefusal, Policies, check_word
from .report import health_metrics, with_spending
from .retries import RetryBudget, RetryConfig
from .roster import Roster
from .state import checked_state, health_store, ledger, rate_limits, state_under
from .steps import Parts

if TYPE_CHECKING:
    from ..api_key_manager import APIKeyManager


class LLMManager:
    """Asks one provider, and the next when it fails. For threads and tasks; its pickles hold no key.

    Without `providers` it asks those that the settings name, or whose key is found; with them, it asks those alone, in
    that order: providers, or names as in `openai` or `openai:gpt-x`. Constructing it asks nobody and creates nothing.
    """

    def __init__(
        self,
        api_key_manager: APIKeyManager | None = None,
        retry_config: RetryConfig | None = None,
        *,
        providers: Sequence[LLMProviderInterface | str] | None = None,
        settings: Settings | None = None,
        breaker: BreakerConfig | None = None,
        on_break: OnBreak | None = None,
        on_refusal: OnRefusal | None = None,
        on_other_model: OnOtherModel | None = None,
        hedge: bool | None = None,
        fallback: bool | None = None,
        state: str | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        """What is None is as the settings say: those of the user's file, or `settings` in their place.

        `on_break` says what happens when a stream breaks after something of it was passed on. `raise` the error, which
        has the beginning in `partial`; `continue`: the next provider goes on where it ends; `restart`: a piece with
        `restart` says that the answer begins anew. `on_refusal` is `raise` or `fail_over`. A provider that is to be
        asked for somebody else's model is asked for its default (`on_other_model="drop"`) or not at all (`refuse`).

        With `hedge`, a second provider is asked where a stream of the first has not begun, or its whole answer not
        come, within the time in which 95 of 100 have; the first to begin counts, and the other is cancelled. Both may
        cost.

        Without `fallback`, nobody is asked but the first of the order, or whom a request prefers; None asks all given
        providers, and otherwise does what `enable_fallback` of the settings says.

        `state` is where health, spending and rates are kept: `memory`, the default for given providers; `file`, the
        default otherwise, which all processes of the user share; or the URL of a Redis, which several machines can.
        `clock` gives seconds since 1970, `timer` seconds that never go back, `random` numbers from 0 to 1.

        Raises `InvalidRequestError`.
        """
        self._roster = Roster(providers, api_key_manager, settings, timer)
        self._policies = Policies(retry_config, on_break, on_refusal, on_other_model, hedge)
        self._breaker = breaker if breaker is not None else BreakerConfig()
        self._fallback = fallback
        self._state = None if state is None else checked_state(state)
        self._clock, self._timer, self._random = clock, timer, random
        self._sleep, self._asleep = sleep, asleep
        self._background = BackgroundLoop()
        self._made: Parts | None = None
        self._making = Lock()

    def _parts(self, settings: Settings) -> Parts:
        """What all requests share; made for the first of them, for it may open files and connections."""
        if (made := self._made) is not None:
            return made
        with self._making:
            if self._made is None:
                state = self._where(settings)
                self._made = Parts(
                    roster=self._roster,
                    board=HealthBoard(self._breaker, health_store(state), clock=self._clock),
                    bench=Bench(),
                    gate=Gate(rate_limits(state), Spending(ledger(state)), self._clock),
                    budget=RetryBudget(),
                    is_shared=state != "memory",
                    clock=self._clock,
                    timer=self._timer,
                    random=self._random,
                )
            return self._made

    def _where(self, settings: Settings) -> str:
        """Where state is kept."""
        if self._state is not None:
            return self._state
        return "memory" if self._roster.is_given else state_under(settings)

    # ------------------------------------------------------------------------------------------------- answers

    def complete(
        self, request: LLMRequest, preferred_provider: str | None = None, enable_retry: bool = True
    ) -> LLMResponse:
        """The answer of the first provider that gives one; `attempts` says whom it took.

        `preferred_provider` is asked first, as in `openai` or `openai:gpt-x`. Without `enable_retry` each provider is
        asked once. Raises `LLMError`: the one that no other provider would do better at, the only provider's own, or
        `AllProvidersFailedError`.
        """
        journey = self._journey(request, preferred_provider, enable_retry, whole=True)
        if journey.policy.hedge:
            return self._background.run(adrive.complete(journey, self._asleep))
        return drive.complete(journey, self._sleep)

    async def acomplete(
        self, request: LLMRequest, preferred_provider: str | None = None, enable_retry: bool = True
    ) -> LLMResponse:
        """`complete` without blocking the event loop."""
        return await adrive.complete(await self._ajourney(request, preferred_provider, enable_retry), self._asleep)

    def complete_stream(
        self,
        request: LLMRequest,
        preferred_provider: str | None = None,
        enable_retry: bool = True,
        *,
        on_break: OnBreak | None = None,
    ) -> Iterator[LLMChunk]:
        """`complete`, piece by piece; the last piece has the attempts.

        A failure before the first piece with something in it is met as in `complete`; `on_break` is for those after it,
        by default the manager's. Closing the iterator closes the connection.
        """
        journey = self._journey(request, preferred_provider, enable_retry)
        course = _course(journey, request, on_break)
        if journey.policy.hedge:
            return self._background.iterate(adrive.stream(journey, course, self._asleep, self._timer))
        return drive.stream(journey, course, self._sleep, self._timer)

    async def acomplete_stream(
        self,
        request: LLMRequest,
        preferred_provider: str | None = None,
        enable_retry: bool = True,
        *,
        on_break: OnBreak | None = None,
    ) -> AsyncIterator[LLMChunk]:
        """`complete_stream` without blocking the event loop."""
        journey = await self._ajourney(request, preferred_provider, enable_retry)
        course = _course(journey, request, on_break)
        async with aclosing(adrive.stream(journey, course, self._asleep, self._timer)) as pieces:
            async for piece in pieces:
                yield piece

    # --------------------------------------------------------------------------------------------------- the way

    def _journey(self, request: LLMRequest, preferred: str | None, retry: bool, *, whole: bool = False) -> Journey:
        if not isinstance(request, LLMRequest):
            raise InvalidRequestError(f"request: must be an LLMRequest, got {type(request).__name__}")
        settings = self._roster.settings()
        parts = self._parts(settings)
        stops = self._roster.stops(preferred, settings, self._ranking(settings))
        allowed = self._roster.is_given or settings.enable_fallback
        if not (allowed if self._fallback is None else self._fallback):
            stops = stops[:1]
        if preferred is None:
            stops = parts.gate.order(stops, request.model, settings)
        policy = self._policies.under(settings.failover)
        return Journey(parts, request, settings, stops, policy, retry=retry, whole=whole)

    def _ranking(self, settings: Settings) -> Callable[[list[str]], list[str]] | None:
        """How to put in order those of whom the user has set none; None where no policy asks for it."""
        return partial(self._ranked, settings=settings) if "provider_policies" in settings.model_fields_set else None

    def _ranked(self, names: list[str], settings: Settings) -> list[str]:
        parts = self._parts(settings)
        return by_policy(names, lambda name: record(name, parts.board, settings), settings.provider_policies)

    async def _ajourney(self, request: LLMRequest, preferred: str | None, retry: bool) -> Journey:
        if self._roster.is_given and self._where(self._roster.settings()) == "memory":
            return self._journey(request, preferred, retry)
        return await in_a_thread(partial(self._journey, request, preferred, retry))

    @property
    def on_break(self) -> OnBreak:
        """What happens when a stream breaks after something of it was passed on: as was said, or as is set now."""
        return self._policies.under(self._roster.settings().failover).on_break

    # ------------------------------------------------------------------------------------------------- who there is

    def get_available_providers(self) -> list[str]:
        """The providers that can be asked: those with a key, and those set up to do without one. Asks none of them."""
        return self._roster.available()

    def get_provider_health_metrics(self) -> dict[str, dict[str, Any]]:
        """How each provider is that was ever asked, with its models and keys in `targets`. JSON can have all of it.

        `state` is closed, open, half_open (one call is finding out) or resting (it said when to come back); times of
        day are seconds since 1970, `latency` and `first_token` seconds.
        """
        now = self._clock()
        parts = self._parts(self._roster.settings())
        metrics = health_metrics(parts.board, parts.bench.all(now), now)
        return with_spending(metrics, parts.gate.spending.ledger, now)

    def get_provider_status_summary(self) -> dict[str, Any]:
        """Who can be asked, in which order, and how they are. JSON can have all of it. Asks nobody."""
        metrics = self.get_provider_health_metrics()
        order = self.get_recommended_provider_order()
        return {
            "available_providers": self.get_available_providers(),
            "order": order,
            "healthy_providers": [name for name in order if metrics.get(name, {}).get("state", "closed") == "closed"],
            "providers": metrics,
        }

    def reset_provider_health(self, provider: str | None = None) -> None:
        """Forget what is known of a provider, or of all: also wrong keys and empty accounts."""
        parts = self._parts(self._roster.settings())
        parts.board.reset(provider)
        parts.bench.clear(provider)

    def force_close_circuit_breaker(self, provider: str) -> None:
        """Have a provider asked again at once, whatever it did."""
        parts = self._parts(self._roster.settings())
        parts.board.force_close(provider)
        parts.bench.clear(provider)

    def get_recommended_provider_order(self) -> list[str]:
        """The providers that can be asked, in the order in which the next request would ask them."""
        settings = self._roster.settings()
        available = set(self._roster.available(settings))
        stops = self._roster.stops(None, settings, self._ranking(settings))
        return [name for name in dict.fromkeys(stop.provider for stop in stops) if name in available]

    def auto_configure_fallback_order(self) -> list[str]:
        """Put all providers that can be asked in order by the policies, and store that as the fallback order.

        Nothing is stored where nobody can be asked. Raises `ConfigError`, and `InvalidRequestError` where the providers
        were given, and so do not come from settings.
        """
        if self._roster.is_given:
            raise InvalidRequestError("auto_configure_fallback_order: this manager has its providers from a list")
        settings = self._roster.settings()
        order = self._ranked(self._roster.available(settings), settings)
        if order:
            set_fallback_order(order, known=ProviderFactory.describe, path=self._roster.settings_path)
        return order

    def close(self) -> None:
        """Give back the connections of the providers that the manager has made; given ones are their owner's."""
        self._roster.close()
        self._background.close()
        if self._made is not None:
            self._made.board.close()
            self._made.gate.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made": None, "_making": None, "_background": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._making = Lock()
        self._background = BackgroundLoop()

    def __repr__(self) -> str:
        return f"LLMManager(providers={self._roster.described()})"


def _course(journey: Journey, request: LLMRequest, on_break: OnBreak | None) -> Course:
    if on_break is not None:
        check_word("on_break", on_break, OnBreak)
    return Course(journey, request, on_break or journey.policy.on_break)
