"""Keep to what may be spent in a day and in a month, with one provider and with all together.

A call is let go while less than the limit is spent; what it will cost is not known before. So a limit is passed by the
calls that are under way then, at most.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from ...catalog import canonical_name
from ...config import Settings
from ...errors import QuotaExceededError
from ...provider import LLMProviderInterface
from ...response import LLMResponse
from .amounts import NOTHING, Period, Spent, end_of
from .ledger import Ledger
from .prices import cost_of

logger = logging.getLogger("homeostasis_llm.manager")

REACHED = "spending_limit"
"""The `code` of the error for a limit that is reached: ours, and not the provider's."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be spent in a day or a month."""

    setting: str
    """As in `providers.openai.spend_per_day`."""
    provider: str | None
    """None for all together."""
    period: Period
    dollars: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a provider may be asked."""

    limit: Limit | None = None
    """The limit that is reached; None where none is."""
    spent: Spent = NOTHING
    """What was spent of it."""
    until: float = 0.0
    """Wall-clock seconds at which the limit begins anew."""

    @property
    def allowed(self) -> bool:
        """Whether no limit is reached."""
        return self.limit is None

    @property
    def why(self) -> str:
        """For people: why it may not be asked; empty where it may."""
        if self.limit is None:
            return ""
        whose = "all providers together" if self.limit.provider is None else self.limit.provider
        when = datetime.fromtimestamp(self.until, UTC)
        return (
            f"{whose} cost {_shown(self.spent.dollars)} of {_shown(self.limit.dollars)} US dollars"
            f" this {self.limit.period}"
            f"{unpriced(self.spent)}; it goes on at {when:%Y-%m-%d %H:%M} UTC, or with a higher `{self.limit.setting}`"
        )

    def error(self, provider: str, now: float) -> QuotaExceededError | None:
        """Why `provider` is not asked; None where it may be. `now` is wall-clock seconds."""
        if self.limit is None:
            return None
        return QuotaExceededError(self.why, provider=provider, code=REACHED, retry_after=max(0.0, self.until - now))


_ALLOWED = Verdict()


class Spending:
    """What may be spent still, by the settings and a ledger. For any number of threads."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._told: set[tuple[str, str]] = set()

    def check(self, provider: str, settings: Settings, now: float, *, free: bool = False) -> Verdict:
        """Whether `provider` may be asked at `now`, in wall-clock seconds. What is `free` always may."""
        if free:
            return _ALLOWED
        reached = [
            Verdict(limit, spent, end_of(limit.period, now))
            for limit in limits_of(provider, settings)
            if (spent := self.ledger.spent(limit.provider, limit.period, now)).dollars >= limit.dollars
        ]
        return max(reached, key=lambda verdict: verdict.until, default=_ALLOWED)

    def record(
        self,
        response: LLMResponse,
        provider: LLMProviderInterface,
        model: str | None,
        settings: Settings,
        now: float,
    ) -> float | None:
        """Note what `response` has cost and return it; None where that is unknown, which is told once for each model.

        `model` is what the provider was asked for.
        """
        cost = cost_of(response, provider, model, settings)
        whose = canonical_name(provider.name)
        answered_by = model or response.model or ""
        self.ledger.record(whose, answered_by, cost=cost, usage=response.usage, now=now)
        if cost is None and (whose, answered_by) not in self._told and limits_of(whose, settings):
            self._told.add((whose, answered_by))
            logger.warning(
                "the price of %s of %s is not known, so that it counts towards no limit: set `providers.%s.prices`",
                *(answered_by or "the default model", whose, whose),
            )
        return cost


def limits_of(provider: str, settings: Settings) -> list[Limit]:
    """The limits that are set for calls of `provider`."""
    name = canonical_name(provider)
    own, total = settings.provider(name), settings.spending
    possible: list[tuple[str, str | None, Period, float | None]] = [
        (f"providers.{name}.spend_per_day", name, "day", own.spend_per_day),
        (f"providers.{name}.spend_per_month", name, "month", own.spend_per_month),
        ("spending.per_day", None, "day", total.per_day),
        ("spending.per_month", None, "month", total.per_month),
    ]
    return [Limit(setting, who, period, most) for setting, who, period, most in possible if most is not None]


def unpriced(spent: Spent) -> str:
    """What to say beside an amount of which something is missing; empty where nothing is."""
    if spent.unpriced_calls == 0:
        return ""
    return f", and nobody knows what {spent.unpriced_calls} of {spent.calls} calls have cost"


def _shown(dollars: float) -> str:
    return f"{dollars:,.2f}" if dollars == 0 or dollars >= 1 else f"{dollars:.2g}"
