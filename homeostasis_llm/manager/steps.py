"""Name what a request goes through: whom to ask now, how long to pause, how far it has come with each provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..request import LLMRequest
from .bench import Bench
from .board import HealthBoard, Permit
from .budgets.concurrency import Slots
from .gate import Gate, Ticket
from .retries import RetryBudget
from .roster import Roster, Route, Stop
from .target import Target


@dataclass(slots=True, kw_only=True)
class Parts:
    """What all requests of one manager share."""

    roster: Roster
    board: HealthBoard
    bench: Bench
    gate: Gate
    budget: RetryBudget
    is_shared: bool
    """Whether health, spending or rates are kept outside of this process."""
    clock: Callable[[], float]
    """Seconds since 1970."""
    timer: Callable[[], float]
    """Seconds since whenever; it never goes back."""
    random: Callable[[], float]


@dataclass(slots=True)
class Ask:
    """Ask this provider now, then call `answered`, `failed` or `abandoned`."""

    leg: Leg
    route: Route
    target: Target
    request: LLMRequest
    permit: Permit
    ticket: Ticket
    why: str
    wait: float
    started: float
    remaining: float | None
    """Seconds until the deadline of the request."""
    first_token: float | None = None
    """Seconds until the answer began."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, then call `next` again."""

    seconds: float
    slots: Slots | None = None
    """Where to wait for a place, for so long at most; then call `placed` before `next`."""


@dataclass(slots=True)
class Leg:
    """One place in the order, as far as this request has come with it."""

    stop: Stop
    left: set[tuple[str, int]] = field(default_factory=set)
    """The keys that are not to be tried again, by label and mark."""
    tries: int = 0
    done: bool = False
    unsuited: bool = False
    """Whether it does not take some parameter of the request."""
    ready_at: float = 0.0
    """Wall clock; before that it is not asked."""
    patient: bool = False
    """Whether waiting for it is worth all the time there is."""
    slots: Slots | None = None
    """Where a place is to be waited for."""
    place: Slots | None = None
    """Where one was got, and is held."""
    last_resort: bool = False
    """Whether it has failed, and is asked again only where nobody else can be."""
    on_budget: bool = False
    """Whether that counts as a retry."""
    retrying: Target | None = None
    """Who is asked once more after a wait."""
    counted: set[Target] = field(default_factory=set)
    """Whose health has this request's failure in it already."""
    asked_key: tuple[str, int] | None = None
    note: str = ""
    """Why it was not asked the last time it was looked at."""
