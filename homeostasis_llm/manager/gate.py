"""Let a request through to a provider, or say why not: which model it is to ask, and what is left of its budgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from ..config import Settings
from ..errors import InvalidRequestError, LLMError
from ..provider import LLMProviderInterface
from ..request import LLMRequest
from ..response import LLMResponse
from .budgets.concurrency import Slots
from .budgets.context import estimate, window_of
from .budgets.model_names import owners_first, resolve, unified_route
from .budgets.prices import is_free
from .budgets.rates import RateLimits, Rates
from .budgets.spending import Spending, limits_of
from .policy import OnOtherModel
from .roster import Stop

_TOO_FAST = "as much was asked of it in this minute as may be"

_FULL = "as many requests are with it as it may have at a time"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model for one provider."""

    model: str | None
    note: str = ""
    refusal: LLMError | None = None


@dataclass(slots=True)
class Ticket:
    """What a request takes up while it is with a provider."""

    refusal: LLMError | None = None
    """Why it may not go there at all."""
    seconds: float = 0.0
    """How long it would have to wait."""
    why: str = ""
    slots: Slots | None = None
    """Where a place was taken, or is to be waited for."""
    charge: _Charge | None = None
    """What is to be counted when it comes back."""


@dataclass(slots=True)
class _Charge:
    name: str
    provider: LLMProviderInterface
    model: str | None
    settings: Settings
    rates: Rates
    estimated: int
    at: float


class Gate:
    """All that stands between a request and a provider. Safe for threads."""

    def __init__(self, rates: RateLimits, spending: Spending, clock: Callable[[], float]) -> None:
        self._rates = rates
        self.spending = spending
        self._clock = clock
        self._slots: dict[str, Slots] = {}
        self._lock = Lock()

    def order(self, stops: Sequence[Stop], model: str | None, settings: Settings) -> list[Stop]:
        """`stops`, with OpenRouter in the place of those it stands in for, and who has `model` before who has not."""
        unified = settings.openrouter_unified.enabled
        routed = [_unified(stop, model, settings) for stop in stops] if unified else list(stops)
        if model is not None and len(routed) > 1:
            names = owners_first(model, [stop.provider for stop in routed], settings)
            routed.sort(key=lambda stop: names.index(stop.provider))
        return list(dict.fromkeys(routed))

    def model(
        self, request: LLMRequest, stop: Stop, settings: Settings, *, first: bool, on_other_model: OnOtherModel
    ) -> Chosen:
        """The model that this provider is asked for."""
        if stop.model is not None:
            return Chosen(settings.provider(stop.provider).model_map.get(stop.model, stop.model))
        if request.model is None:
            return Chosen(None)
        found = resolve(request.model, stop.provider, settings, first=first, on_other_model=on_other_model)
        return Chosen(found.model, found.note, found.error(stop.provider))

    def enter(  # what all checks need to know
        self,
        request: LLMRequest,
        stop: Stop,
        provider: LLMProviderInterface,
        settings: Settings,
        *,
        needs: int,
        has_place: bool = False,
    ) -> Ticket:
        """Take up what the request needs there, or nothing of it.

        `needs` is how many tokens it is known to have, at least; with `has_place` it has waited for a place already.
        """
        now, name = self._clock(), stop.provider
        model = request.model or provider.default_model
        if (refusal := _unfit(request, provider, model, settings, needs)) is not None:
            return Ticket(refusal=refusal)
        if limits_of(name, settings):
            verdict = self.spending.check(name, settings, now, free=is_free(provider, model, settings))
            if (refusal := verdict.error(name, now)) is not None:
                return Ticket(refusal=refusal)
        slots = self._slots_of(name, settings)
        if slots is not None and not has_place and not slots.try_acquire():
            return Ticket(seconds=float("inf"), why=_FULL, slots=slots)
        rates = Rates.of(settings.provider(name))
        tokens = 0 if rates.tokens is None else estimate(request, name, model, None).tokens + (request.max_tokens or 0)
        if (seconds := self._rates.acquire(name, rates, tokens)) > 0:
            if slots is not None and not has_place:
                slots.release()
            return Ticket(seconds=seconds, why=_TOO_FAST)
        return Ticket(slots=slots, charge=_Charge(name, provider, model or None, settings, rates, tokens, now))

    def leave(self, ticket: Ticket, response: LLMResponse | None) -> None:
        """Give back what is not needed any more, and count what was used; None where nothing was answered."""
        if ticket.slots is not None:
            ticket.slots.release()
        if (charge := ticket.charge) is None:
            return
        now = self._clock()
        usage = None if response is None else response.usage
        used = 0 if response is None else charge.estimated if usage is None else usage.total_tokens
        if used is not None and charge.rates.tokens is not None:
            self._rates.settle(charge.name, charge.rates, charge.estimated, used, seconds=now - charge.at)
        if response is None:
            return
        response.cost = self.spending.record(response, charge.provider, charge.model, charge.settings, now)

    def window(self, provider: LLMProviderInterface, model: str, settings: Settings) -> int:
        """How many tokens the model, or else the provider's default, takes; 0 where that is not known."""
        return _window(provider, model or provider.default_model, settings) or 0

    def close(self) -> None:
        """Write what is not written yet, and give back connections."""
        self.spending.ledger.close()
        self._rates.close()

    def _slots_of(self, provider: str, settings: Settings) -> Slots | None:
        most = settings.provider(provider).max_concurrent
        if most is None:
            return None
        with self._lock:
            slots = self._slots.setdefault(provider, Slots(most))
        if slots.limit != most:
            slots.limit = most
        return slots


def _unified(stop: Stop, model: str | None, settings: Settings) -> Stop:
    route = None if stop.place is not None else unified_route(stop.provider, stop.model or model, settings)
    return stop if route is None else Stop(*route, why=f"OpenRouter stands in for {stop.provider}")


def _window(provider: LLMProviderInterface, model: str, settings: Settings) -> int | None:
    told = getattr(provider, "context_window", None)  # its author may say so
    if isinstance(told, int):
        return told
    return window_of(provider.name, model, settings) if model else None


def _unfit(
    request: LLMRequest, provider: LLMProviderInterface, model: str, settings: Settings, needs: int
) -> LLMError | None:
    """Why that model cannot take the request, as far as that is known before it is asked."""
    if not model:
        return InvalidRequestError(
            f"{provider.name} has no default model: name one in the request, or in the settings as "
            f"`providers.{provider.name}.default_model`",
            provider=provider.name,
        )
    window = _window(provider, model, settings)
    if window is None:
        return None
    found = estimate(request, provider.name, model, window)
    if needs > window:
        return replace(found, tokens=needs, margin=0.0).error(provider.name, model)
    return found.error(provider.name, model)
