"""Ask language models so that an answer comes while providers fail: the door to everything in this folder."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Literal, Self, cast, get_args

from ..errors import InvalidRequestError, InvalidResponseError, LLMError, LLMTimeoutError
from ..provider import LLMProviderInterface, astream_chunks, stream_chunks
from ..request import LLMRequest
from ..response import LLMChunk, LLMResponse
from .bench import Bench
from .board import HealthBoard
from .breaker import BreakerConfig
from .course import Course, OnBreak
from .gate import Gate
from .journey import Journey
from .report import health_metrics
from .retries import RetryBudget, RetryConfig
from .roster import Roster
from .steps import Ask, Parts, Pause

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ..api_key_manager import APIKeyManager

OnRefusal = Literal["raise", "fail_over"]
"""What happens when a provider's content filter refuses."""


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
        breaker: BreakerConfig | None = None,
        on_break: OnBreak = "raise",
        on_refusal: OnRefusal = "raise",
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        """`on_break` says what happens when a stream breaks after something of it was passed on.

        `raise` the error, which has the beginning in `partial`; `continue`: the next provider goes on where it ends;
        `restart`: a piece with `restart` says that the answer begins anew. `clock` gives seconds since 1970, `timer`
        seconds that never go back, `random` numbers from 0 to 1. Raises `InvalidRequestError`.
        """
        self._roster = Roster(providers, api_key_manager, timer)
        self._on_break = _one_of("on_break", on_break, OnBreak)
        self._refusal_fails_over = _one_of("on_refusal", on_refusal, OnRefusal) == "fail_over"
        self._retries = retry_config if retry_config is not None else RetryConfig()
        self._breaker = breaker if breaker is not None else BreakerConfig()
        self._clock, self._timer, self._random = clock, timer, random
        self._sleep, self._asleep = sleep, asleep
        self._make_parts()

    def _make_parts(self) -> None:
        self._parts = Parts(
            roster=self._roster,
            board=HealthBoard(self._breaker, clock=self._clock),
            bench=Bench(),
            gate=Gate(),
            retries=self._retries,
            budget=RetryBudget(self._retries),
            refusal_fails_over=self._refusal_fails_over,
            clock=self._clock,
            timer=self._timer,
            random=self._random,
        )

    # ------------------------------------------------------------------------------------------------- answers

    def complete(
        self, request: LLMRequest, preferred_provider: str | None = None, enable_retry: bool = True
    ) -> LLMResponse:
        """The answer of the first provider that gives one; `attempts` says whom it took.

        `preferred_provider` is asked first, as in `openai` or `openai:gpt-x`. Without `enable_retry` each provider is
        asked once. Raises `LLMError`: the one that no other provider would do better at, the only provider's own, or
        `AllProvidersFailedError`.
        """
        journey = self._journey(request, preferred_provider, enable_retry)
        try:
            while True:
                step = journey.next()
                if isinstance(step, Pause):
                    self._sleep(step.seconds)
                    continue
                try:
                    response = _checked(step.route.provider.complete(step.request), step.route.provider)
                except Exception as error:  # noqa: BLE001  # an author's provider may raise anything, which must stop nobody
                    failure = as_llm_error(error, step)
                except BaseException:
                    journey.abandoned(step)
                    raise
                else:
                    return journey.answered(step, response)
                journey.failed(step, failure)
        finally:
            journey.close()

    async def acomplete(
        self, request: LLMRequest, preferred_provider: str | None = None, enable_retry: bool = True
    ) -> LLMResponse:
        """`complete` without blocking the event loop."""
        journey = await self._ajourney(request, preferred_provider, enable_retry)
        try:
            while True:
                step = await self._anext(journey)
                if isinstance(step, Pause):
                    await self._asleep(step.seconds)
                    continue
                try:
                    async with asyncio.timeout(step.remaining) as bound:
                        response = _checked(await step.route.provider.acomplete(step.request), step.route.provider)
                except Exception as error:  # noqa: BLE001  # as in complete
                    failure = _in_time(error, step, out=bound.expired())
                except BaseException:
                    journey.abandoned(step)
                    raise
                else:
                    return journey.answered(step, response)
                journey.failed(step, failure)
        finally:
            journey.close()

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
        policy = self._on_break if on_break is None else _one_of("on_break", on_break, OnBreak)
        return self._stream(self._journey(request, preferred_provider, enable_retry), request, policy)

    def _stream(self, journey: Journey, request: LLMRequest, on_break: OnBreak) -> Iterator[LLMChunk]:
        course = Course(journey, request, on_break)
        try:
            while True:
                step = _next(journey, course)
                if isinstance(step, Pause):
                    self._sleep(step.seconds)
                    continue
                course.begin()
                failure: LLMError | None = None
                asked = cast("Generator[LLMChunk]", stream_chunks(step.route.provider, step.request))
                ended = False
                try:
                    with closing(asked) as chunks:
                        while failure is None:
                            try:
                                chunk = next(chunks, None)
                            except Exception as error:  # noqa: BLE001  # as in complete
                                failure = as_llm_error(error, step)
                                break
                            if chunk is None:
                                break
                            yield from course.take(step, chunk, self._timer() - step.started)
                    ended = True
                finally:
                    if not ended:
                        journey.abandoned(step)
                if failure is None:
                    yield from course.end(step)
                    return
                course.failed(step, failure)
        finally:
            journey.close()

    async def acomplete_stream(
        self,
        request: LLMRequest,
        preferred_provider: str | None = None,
        enable_retry: bool = True,
        *,
        on_break: OnBreak | None = None,
    ) -> AsyncIterator[LLMChunk]:
        """`complete_stream` without blocking the event loop."""
        policy = self._on_break if on_break is None else _one_of("on_break", on_break, OnBreak)
        journey = await self._ajourney(request, preferred_provider, enable_retry)
        course = Course(journey, request, policy)
        try:
            while True:
                step = await self._acourse_next(journey, course)
                if isinstance(step, Pause):
                    await self._asleep(step.seconds)
                    continue
                course.begin()
                failure: LLMError | None = None
                asked = cast("AsyncGenerator[LLMChunk]", astream_chunks(step.route.provider, step.request))
                ended = False
                try:
                    async with aclosing(asked) as chunks:
                        while failure is None:
                            begun = step.first_token is not None
                            limit = None if begun or step.remaining is None else step.remaining + step.started
                            try:
                                async with asyncio.timeout(None if limit is None else limit - self._timer()) as bound:
                                    chunk = await anext(chunks, None)
                            except Exception as error:  # noqa: BLE001  # as in complete
                                failure = _in_time(error, step, out=bound.expired())
                                break
                            if chunk is None:
                                break
                            for piece in course.take(step, chunk, self._timer() - step.started):
                                yield piece
                    ended = True
                finally:
                    if not ended:
                        journey.abandoned(step)
                if failure is None:
                    for piece in course.end(step):
                        yield piece
                    return
                course.failed(step, failure)
        finally:
            journey.close()

    # --------------------------------------------------------------------------------------------------- the way

    def _journey(self, request: LLMRequest, preferred: str | None, retry: bool) -> Journey:
        if not isinstance(request, LLMRequest):
            raise InvalidRequestError(f"request: must be an LLMRequest, got {type(request).__name__}")
        settings = self._roster.settings()
        stops = self._roster.stops(preferred, settings)
        if not self._roster.is_given and not settings.enable_fallback:
            stops = stops[:1]
        return Journey(self._parts, request, settings, stops, retry=retry)

    async def _ajourney(self, request: LLMRequest, preferred: str | None, retry: bool) -> Journey:
        # Looking for keys may visit the keyring, which the event loop should not wait for.
        if self._roster.is_given:
            return self._journey(request, preferred, retry)
        return await asyncio.to_thread(self._journey, request, preferred, retry)

    async def _anext(self, journey: Journey) -> Ask | Pause:
        return await asyncio.to_thread(journey.next) if journey.may_block() else journey.next()

    async def _acourse_next(self, journey: Journey, course: Course) -> Ask | Pause:
        try:
            return await self._anext(journey)
        except LLMError as error:
            raise course.told(error) from None

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
        return health_metrics(self._parts.board, self._parts.bench.all(now), now)

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
        self._parts.board.reset(provider)
        self._parts.bench.clear(provider)

    def force_close_circuit_breaker(self, provider: str) -> None:
        """Have a provider asked again at once, whatever it did."""
        self._parts.board.force_close(provider)
        self._parts.bench.clear(provider)

    def get_recommended_provider_order(self) -> list[str]:
        """The providers that can be asked, in the order in which the next request would ask them."""
        settings = self._roster.settings()
        available = set(self._roster.available(settings))
        names = dict.fromkeys(stop.provider for stop in self._roster.stops(None, settings))
        return [name for name in names if name in available]

    def close(self) -> None:
        """Give back the connections of the providers that the manager has made; given ones are their owner's."""
        self._roster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_parts": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._make_parts()

    def __repr__(self) -> str:
        return f"LLMManager(providers={self._roster.described()})"


def _next(journey: Journey, course: Course) -> Ask | Pause:
    try:
        return journey.next()
    except LLMError as error:
        raise course.told(error) from None


def _one_of(name: str, given: Any, allowed: Any) -> Any:
    if given not in get_args(allowed):
        raise InvalidRequestError(f"{name}: must be one of {', '.join(get_args(allowed))}, got {given!r}")
    return given


def _checked(answer: object, provider: LLMProviderInterface) -> LLMResponse:
    if isinstance(answer, LLMResponse):
        return answer
    raise InvalidResponseError(
        f"{type(provider).__name__}.complete gave a {type(answer).__name__}, not an LLMResponse", provider=provider.name
    )


def as_llm_error(error: Exception, ask: Ask) -> LLMError:
    """`error`, or what stands for it where a provider raised something of its own."""
    if isinstance(error, LLMError):
        error.provider = error.provider or ask.target.provider
        return error
    return LLMError(
        f"{ask.target.provider} raised {type(error).__name__}: {error}", provider=ask.target.provider
    ).with_cause(error)


def _in_time(error: Exception, ask: Ask, *, out: bool) -> LLMError:
    if out:
        return LLMTimeoutError(
            f"{ask.target.provider} gave no answer before the deadline of the request", provider=ask.target.provider
        )
    return as_llm_error(error, ask)
