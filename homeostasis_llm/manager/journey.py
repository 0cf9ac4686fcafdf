"""Take one request from provider to provider until one answers: who is asked next, when, and why.

Nothing here asks anybody, sleeps, or knows whether its caller awaits: `next` says what to do, and the caller tells
what came of it. So the rules are written once, for calls and streams, with and without `await`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from ..config import Settings
from ..errors import (
    AuthenticationError,
    ContextLengthError,
    LLMError,
    LLMTimeoutError,
    RateLimitError,
    UnsuitableRequestError,
)
from ..provider import LLMProviderInterface
from ..request import LLMRequest
from ..response import LLMResponse
from .aftermath import Aftermath
from .failures import final_error, not_asked
from .gate import Chosen
from .log import AttemptLog, logger, short
from .policy import Policy
from .roster import Route, Stop
from .rules import Action, Rule, rule_for
from .steps import Ask, Leg, Parts, Pause
from .target import Target
from .waits import kept_within

_LOOK_AGAIN = 0.05
"""Seconds until a provider that somebody else is just probing is looked at again."""


_LONG = 3600.0
"""Seconds to wait for a place where nothing else ends the waiting."""

_WISHES = ("temperature", "top_p", "seed")
"""How an answer is to be drawn. It is an answer without them too, where a model has no such thing."""


class Journey:
    """The way of one request. Not for several threads at once."""

    def __init__(
        self,
        parts: Parts,
        request: LLMRequest,
        settings: Settings,
        stops: Sequence[Stop],
        policy: Policy,
        *,
        retry: bool,
        whole: bool = False,
    ) -> None:
        """With `whole`, each provider is to keep to the deadline itself, for nobody can interrupt it."""
        self._parts = parts
        self._whole = whole
        self.policy = policy
        self._request = request
        self._settings = settings
        self._aftermath = Aftermath(parts, policy, self._remaining, retry=retry)
        now = parts.timer()
        deadline = policy.retries.deadline
        self._until = None if deadline is None else now + deadline
        self._first = stops[0]
        self._legs = [Leg(stop) for stop in self._healthy_first(stops)]
        self._again: Leg | None = None
        self._pause: float | None = None
        self._waited = 0.0
        self._stalled = 0.0
        self._waits_since = 0.0
        self._why = ""
        self._needs = 0
        self.log = AttemptLog()
        parts.budget.request(now, policy.retries)

    def _healthy_first(self, stops: Sequence[Stop]) -> list[Stop]:
        """The order, with those that keep failing behind the others. Who was never tried is not preferred for that."""
        # Which model each would be asked for takes longer to tell than who is well.
        poor = self._parts.board.degraded_providers() if len(stops) > 1 else ()
        return sorted(stops, key=lambda stop: self._is_degraded(stop) if stop.provider in poor else False)

    def _is_degraded(self, stop: Stop) -> bool:
        return self._parts.board.degraded(Target(stop.provider, self._model_name(stop), self._parts.roster.label(stop)))

    def _model_name(self, stop: Stop) -> str:
        return self._chosen(stop).model or ""

    def _chosen(self, stop: Stop) -> Chosen:
        """The model that it is asked for. Only who comes first in the user's order is trusted with any name."""
        return self._parts.gate.model(
            self._request,
            stop,
            self._settings,
            first=stop == self._first,
            on_other_model=self.policy.on_other_model,
        )

    # ------------------------------------------------------------------------------------------- what comes next

    def next(self) -> Ask | Pause:
        """What to do now. Raises the `LLMError` that ends the request where there is nothing left to do."""
        if self._pause is not None:
            wait, self._pause = self._pause, None
            return self._paused(wait)
        if self._is_over():
            raise self._failure()
        again, self._again = self._again, None
        # The one that goes on, then those that have not failed, then those that are the last resort.
        legs = sorted(self._legs, key=lambda leg: (leg is not again, leg.last_resort))
        now = self._parts.clock()
        for leg in legs:
            if not leg.done and leg.ready_at <= now and (ask := self._try(leg, now)) is not None:
                self._stalled = 0.0
                return ask
        pause = self._until_somebody_is_ready(self._parts.clock())
        if pause is None and self._relax():
            return self.next()
        if pause is None:
            raise self._failure()
        if pause.slots is None:
            return self._paused(pause.seconds)
        self._waits_since = self._parts.timer()
        return pause

    def placed(self, *, got: bool) -> None:
        """Whether a place was got within the pause."""
        self._waited += self._parts.timer() - self._waits_since
        leg = next(leg for leg in self._legs if leg.slots is not None and not leg.done)
        if got:
            leg.place = leg.slots
            leg.ready_at = 0.0
            self._again = leg

    def _relax(self) -> bool:
        """Drop the wishes that suit nobody, once, and ask those again whom they did not suit."""
        wishes = [name for name in _WISHES if getattr(self._request, name) is not None]
        unsuited = [leg for leg in self._legs if leg.unsuited]
        if not wishes or not unsuited:
            return False
        self._request = copy.copy(self._request)
        for name in wishes:
            setattr(self._request, name, None)
        for leg in unsuited:
            leg.done = leg.unsuited = False
            leg.ready_at = 0.0
        self._why = f"without {', '.join(wishes)}, which suited nobody"
        return True

    def _paused(self, seconds: float) -> Pause:
        self._waited += seconds
        return Pause(seconds)

    def _is_over(self) -> bool:
        remaining = self._remaining()
        return self.log.asked >= self.policy.retries.max_attempts or (remaining is not None and remaining <= 0)

    def _remaining(self) -> float | None:
        return None if self._until is None else self._until - self._parts.timer()

    def _until_somebody_is_ready(self, now: float) -> Pause | None:
        """How long to wait; None where waiting is of no use, or would take too long."""
        waiting = [leg for leg in self._legs if not leg.done]
        remaining = self._remaining()
        seconds = self._shortest_wait(waiting, now)
        if seconds is not None and remaining is not None and seconds >= remaining:
            seconds = None
        full = next((leg for leg in waiting if leg.slots is not None), None)
        if full is not None:
            bounds = [bound for bound in (seconds, remaining) if bound is not None]
            return Pause(min(bounds, default=_LONG), full.slots)
        if seconds is None:
            return None
        if not any(leg.patient for leg in waiting):
            self._stalled += seconds
        return Pause(seconds)

    def _shortest_wait(self, waiting: Sequence[Leg], now: float) -> float | None:
        """Seconds until one of them may be asked. Only who said when to come back is worth more than `max_delay`."""
        longest = self.policy.retries.max_delay - self._stalled
        times = [(leg.ready_at - now, leg.patient) for leg in waiting if leg.ready_at != float("inf")]
        worth = [max(_LOOK_AGAIN, wait) for wait, patient in times if patient or wait <= longest]
        return min(worth, default=None)

    def _try(self, leg: Leg, now: float) -> Ask | None:
        """Ask the provider of `leg`, with the first of its keys that may be used; None where none may now."""
        parts = self._parts
        try:
            routes = parts.roster.routes(leg.stop, self._settings)
        except LLMError as error:
            self._leave_unasked(leg, error)
            return None
        chosen = self._chosen(leg.stop)
        if chosen.refusal is not None:
            self._leave_unasked(leg, chosen.refusal)
            return None
        leg.ready_at, leg.patient, leg.slots = float("inf"), False, None
        left = [route for route in routes if (route.label, route.key) not in leg.left]
        for route in left:
            target = Target(leg.stop.provider, chosen.model or "", route.label)
            ask = self._admitted(leg, route, target, chosen.note, now)
            if ask is not None:
                return ask
            if leg.done:
                break
        self._give_back_place(leg)
        leg.done = leg.done or all((route.label, route.key) in leg.left for route in routes)
        return None

    def _admitted(self, leg: Leg, route: Route, target: Target, note: str, now: float) -> Ask | None:
        parts = self._parts
        # A retry has waited as it was told; whoever else comes now is to rest.
        holds = leg.retrying == target
        leg.retrying = None
        rest = None if holds else parts.bench.resting(target, now, route.key)
        if rest is not None:
            if isinstance(rest.error, RateLimitError):
                self._not_now(leg, target, rest.until, "it wants to be asked less often", patient=True)
            else:  # nothing that this request could wait for
                leg.left.add((route.label, route.key))
                self.log.not_now(leg, target, f"it has failed before: {rest.error.error_type}")
            # A copy: it is told what led to it here, and is raised.
            self.log.errors.setdefault(target.provider, copy.copy(rest.error))
            return None
        permit = parts.board.admit(target)
        if permit is None:
            self._not_now(leg, target, self._look_again_at(target, now), "it keeps failing", patient=False)
            return None
        if leg.on_budget and not parts.budget.take(parts.timer(), self.policy.retries):
            parts.board.released(permit)
            leg.done = True
            return None
        leg.last_resort = leg.on_budget = False
        request = self._request_for(leg, target, route.provider)
        ticket = parts.gate.enter(
            request, leg.stop, route.provider, self._settings, needs=self._needs, has_place=leg.place is not None
        )
        if ticket.refusal is not None:
            parts.board.released(permit)
            self._leave_unasked(leg, ticket.refusal)
            return None
        if ticket.seconds > 0:
            parts.board.released(permit)
            leg.slots = ticket.slots
            self._not_now(leg, target, now + ticket.seconds, ticket.why, patient=True)
            return None
        leg.place = None  # it is the ticket's now
        leg.tries += 1
        leg.asked_key = (route.label, route.key)
        dropped = "" if request.extra == self._request.extra else "without `extra`, which is not meant for it"
        why = "; ".join(filter(None, (self._why or leg.stop.why or "it comes first", note, dropped)))
        wait, self._waited = self._waited, 0.0
        logger.debug("asking %s: %s", target, why)
        return Ask(leg, route, target, request, permit, ticket, why, wait, parts.timer(), self._remaining())

    def _give_back_place(self, leg: Leg) -> None:
        if leg.place is not None:
            leg.place.release()
        leg.place = None

    def _request_for(self, leg: Leg, target: Target, provider: LLMProviderInterface) -> LLMRequest:
        """The request as that provider gets it: the very same object where nothing is to be changed."""
        changes: dict[str, object] = {}
        if (target.model or None) != self._request.model:
            changes["model"] = target.model or None
        if self._request.extra and leg.stop != self._first:
            changes["extra"] = {}  # one provider's own parameters, which another would refuse
        if (remaining := self._remaining()) is not None:
            timeout = kept_within(remaining, self._request.timeout, provider, whole=self._whole)
            if timeout is not None:
                changes["timeout"] = timeout
        if not changes:
            return self._request
        twin = copy.copy(self._request)  # keeps the fields of a subclass
        for name, changed in changes.items():
            setattr(twin, name, changed)
        return twin

    def _not_now(self, leg: Leg, target: Target, when: float, why: str, *, patient: bool) -> None:
        leg.ready_at = min(leg.ready_at, when)
        leg.patient = leg.patient or patient
        self.log.not_now(leg, target, why)

    def _leave_unasked(self, leg: Leg, error: LLMError) -> None:
        leg.done = True
        self.log.unasked(leg.stop, error)

    # ------------------------------------------------------------------------------------------- what came of it

    def answered(self, ask: Ask, response: LLMResponse) -> LLMResponse:
        """The answer, with all that led to it."""
        seconds = self._ended(ask, response)
        self._parts.board.succeeded(ask.permit, latency=seconds, first_token=ask.first_token)
        self._parts.roster.worked(ask.leg.stop, ask.route.label)
        self.log.note(ask, "answered", seconds)
        # Not every author's provider says who and what answers.
        response.provider = response.provider or ask.target.provider
        response.model = response.model or ask.target.model or ask.route.provider.default_model or None
        response.attempts = list(self.log.attempts)
        return response

    def failed(self, ask: Ask, error: LLMError) -> None:
        """Take a failure in; `next` says what follows. Raises `error` where nobody else is to be asked."""
        seconds = self._ended(ask, error.partial)
        self.log.note(ask, "failed", seconds, error)
        rule = rule_for(error, refusal_fails_over=self.policy.on_refusal == "fail_over")
        if rule.action is Action.FINAL:
            self._parts.board.released(ask.permit)
            raise self.log.told(error)
        self._aftermath.settle(ask, rule, error)
        leg = ask.leg
        if self._has_another_key(ask, rule, error):
            leg.ready_at, self._again = 0.0, leg
            self._why = f"another key of {ask.target.provider} failed: {error.error_type}"
            logger.info("%s failed (%s) in %.2f s; asking with another key", ask.target, short(error), seconds)
            return
        if (wait := self._aftermath.wait_before_retry(ask, rule, error)) is not None:
            leg.retrying, leg.ready_at = ask.target, 0.0
            self._again, self._pause = leg, wait
            self._why = f"once more after {error.error_type}"
            logger.info("%s failed (%s); asking it again in %.2f s", ask.target, short(error), wait)
            return
        self._leave(ask, rule, error)
        self._why = f"{ask.target.provider} failed: {error.error_type}"
        logger.info("%s failed (%s) in %.2f s; asking the next", ask.target, short(error), seconds)

    def broke(self, ask: Ask, error: LLMError) -> None:
        """Take in that a stream broke after it had begun. Somebody else may go on; this one is not asked again."""
        seconds = self._ended(ask, error.partial)
        self.log.note(ask, "broke", seconds, error)
        rule = rule_for(error)
        self._aftermath.settle(ask, rule, error)
        ask.leg.done = True
        self._why = f"{ask.target.provider} broke off: {error.error_type}"
        logger.info("%s broke off (%s) after %.2f s", ask.target, short(error), seconds)

    def abandoned(self, ask: Ask) -> None:
        """The caller wants no answer any more."""
        # What was written so far may be billed, and nobody says how much.
        seconds = self._ended(ask, LLMResponse(content="", provider=ask.target.provider))
        self._parts.board.released(ask.permit)
        self.log.note(ask, "abandoned", seconds)

    def unasked(self, ask: Ask) -> None:
        """The caller wants no answer any more, and nobody was asked for it."""
        self._parts.gate.leave(ask.ticket, None)
        self._parts.board.released(ask.permit)

    def close(self) -> None:
        """Give back what is held between two tries, where the caller gives up while waiting."""
        for leg in self._legs:
            self._give_back_place(leg)

    def patience(self, ask: Ask, *, streamed: bool) -> float | None:
        """Seconds after which another provider is asked beside this one; None where none is."""
        if not self.policy.hedge or ask.permit.probe or len(self._legs) == 1:
            return None
        return self._parts.board.peek(ask.target).p95(streamed=streamed)

    def beside(self, ask: Ask) -> Ask | None:
        """Somebody else to ask while `ask` is still under way; None where nobody can be asked now."""
        now = self._parts.clock()
        self._why = f"{ask.target.provider} is slower than it nearly always is"
        others = [leg for leg in self._legs if leg is not ask.leg and not leg.done and leg.ready_at <= now]
        asks = (self._try(leg, now) for leg in others)
        return None if self._is_over() else next((found for found in asks if found is not None), None)

    @property
    def is_shared(self) -> bool:
        """Whether what it is told is written to a file or to another machine."""
        return self._parts.is_shared

    def may_block(self) -> bool:
        """Whether `next` may visit a keyring, a file or another machine."""
        return self._parts.is_shared or not all(
            leg.done or self._parts.roster.is_at_hand(leg.stop, self._settings) for leg in self._legs
        )

    def continue_with(self, request: LLMRequest) -> None:
        """Ask this from now on."""
        self._request = request

    def _ended(self, ask: Ask, response: LLMResponse | None) -> float:
        self._parts.gate.leave(ask.ticket, response)
        return self._parts.timer() - ask.started

    def _leave(self, ask: Ask, rule: Rule, error: LLMError) -> None:
        """Go on to the next key or the next provider; this one may be the last resort."""
        leg = ask.leg
        if isinstance(error, ContextLengthError):
            self._needs = max(self._needs, error.prompt_tokens or 0, (error.context_tokens or 0) + 1)
            window = self._parts.gate.window(ask.route.provider, ask.target.model, self._settings)
            self._needs = max(self._needs, window + 1)
            # Those that are known to take more come before those of whom nothing is known.
            self._legs.sort(key=lambda other: self._window_is_unknown(other.stop))
        if isinstance(error, AuthenticationError) and self._parts.roster.refused(
            leg.stop, self._settings, ask.route.key
        ):
            leg.ready_at, self._again = 0.0, leg  # another key has taken its place
            return
        if rule.next_key:
            leg.left.add((ask.route.label, ask.route.key))
            routes = self._known_routes(leg)
            if any((route.label, route.key) not in leg.left for route in routes):
                leg.ready_at = 0.0
                self._again = leg
                return
        leg.unsuited = isinstance(error, UnsuitableRequestError)
        retryable = rule.action in {Action.RETRY, Action.FAIL_OVER} and self._aftermath.has_tries_left(ask)
        if not retryable:
            leg.done = True
            return
        # Where nobody else can be asked, waiting for this one is all there is.
        leg.last_resort, leg.on_budget = True, not self._aftermath.is_open(ask)
        leg.left.discard((ask.route.label, ask.route.key))
        leg.patient = error.retry_after is not None or isinstance(error, RateLimitError)
        now = self._parts.clock()
        leg.ready_at = max(now + self._aftermath.wait(ask, error), self._look_again_at(ask.target, now))

    def _has_another_key(self, ask: Ask, rule: Rule, error: LLMError) -> bool:
        """Whether another key can be used at once while this one, which was only too fast, rests."""
        rests = error.retry_after is None or error.retry_after > 0
        if rule.action is not Action.RETRY or not rule.next_key or not rests or not self._aftermath.has_tries_left(ask):
            return False
        now = self._parts.clock()
        return any(
            route.label != ask.route.label
            and (route.label, route.key) not in ask.leg.left
            and self._parts.bench.resting(replace(ask.target, key=route.label), now, route.key) is None
            for route in self._known_routes(ask.leg)
        )

    def _look_again_at(self, target: Target, now: float) -> float:
        """When it may be asked again, on the wall clock. Somebody's probe may end at any time."""
        probed = self._parts.board.peek(target).state == "half_open"
        return now + _LOOK_AGAIN if probed else max(self._parts.board.usable_at(target), now + _LOOK_AGAIN)

    def _window_is_unknown(self, stop: Stop) -> bool:
        try:
            provider = self._parts.roster.routes(stop, self._settings)[0].provider
        except LLMError:  # it cannot be asked at all
            return True
        return not self._parts.gate.window(provider, self._model_name(stop), self._settings)

    def _known_routes(self, leg: Leg) -> list[Route]:
        try:
            return self._parts.roster.routes(leg.stop, self._settings)
        except LLMError:  # the keys are gone; the next look says so
            return []

    def _failure(self) -> LLMError:
        """What the request ends with."""
        now = self._parts.clock()
        for leg in self._legs:
            if leg.stop.provider not in self.log.errors and (leg.note or not leg.done):
                target = Target(leg.stop.provider, self._model_name(leg.stop), self._parts.roster.label(leg.stop))
                health = self._parts.board.peek(target)
                self.log.errors[leg.stop.provider] = not_asked(target, health, leg.note, leg.ready_at - now)
        self.close()
        if not self.log.errors:
            return self.log.told(LLMTimeoutError("the deadline of the request passed before anybody could be asked"))
        again = [leg.ready_at - now for leg in self._legs if leg.ready_at > now and leg.ready_at != float("inf")]
        return self.log.told(final_error(self.log.errors, min(again, default=None)))
