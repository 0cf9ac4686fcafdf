"""Say what can be set of how failures are met, and of what may be spent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ..request import Seconds
from .tables import Table, must

Count = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Dollars = Annotated[float, Field(ge=0)]


def _place(given: str) -> str:
    if given in {"file", "memory"}:
        return given
    if not given.startswith(("redis://", "rediss://", "unix://")):
        raise must('be "file", "memory" or the URL of a Redis')
    if "@" in given:
        raise must("hold no password; a URL with one goes into the environment variable HOMEOSTASIS_STATE")
    return given


class Failover(Table):
    """How failures are met. `LLMManager` and its `RetryConfig` say what each of these means."""

    on_break: Literal["raise", "continue", "restart"] = "raise"
    """What happens when a stream breaks after something of it was passed on."""
    on_refusal: Literal["raise", "fail_over"] = "raise"
    """What happens when a content filter refuses."""
    on_other_model: Literal["drop", "refuse"] = "drop"
    """What happens when a provider is to be asked for a model of somebody else's."""
    hedge: bool = False
    """Whether a second provider is asked when the first is slower than it nearly always is."""
    state: Annotated[str, AfterValidator(_place)] = "file"
    """Where health, spending and rates are kept: in a file for all of the user's processes, in the memory of one, or in
    a Redis for several machines. `HOMEOSTASIS_STATE` comes before it."""
    max_retries: NonNegative = 2
    base_delay: Annotated[float, Field(ge=0)] = 0.5
    max_delay: Annotated[float, Field(ge=0)] = 10.0
    exponential_base: Annotated[float, Field(ge=1)] = 2.0
    jitter: bool = True
    deadline: Seconds = 300.0
    max_attempts: Count = 10
    retry_budget: Annotated[float, Field(ge=0, le=1)] = 0.2
    min_retries: NonNegative = 10
    budget_window: Seconds = 60.0


RETRIES = (
    *("max_retries", "base_delay", "max_delay", "exponential_base", "jitter", "deadline", "max_attempts"),
    *("retry_budget", "min_retries", "budget_window"),
)
"""Which of those a `RetryConfig` has, under the same names."""


class Spending(Table):
    """What may be spent, with all providers together, in US dollars; days and months are those of UTC."""

    per_day: Dollars | None = None
    per_month: Dollars | None = None


class Price(Table):
    """What a model costs, in US dollars for a million tokens."""

    input: Dollars
    output: Dollars
