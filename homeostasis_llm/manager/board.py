"""Let calls through to healthy targets, and note how they ended. The decisions are in `breaker.py`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from uuid import uuid4

from ..errors import LLMError
from . import breaker
from .breaker import BreakerConfig
from .health import Health
from .stores import Change, HealthStore, MemoryStore
from .target import Target


@dataclass(slots=True, eq=False)
class Permit:
    """One call that was let through. It is settled once, by `succeeded`, `failed` or `released`; more is harmless."""

    target: Target
    probe: bool
    """Whether it is to find out if an open breaker may close. Nothing else goes until it is settled."""
    at: float
    """Wall clock, seconds."""
    turn: int
    """Of the target's breaker, then."""
    ticket: str | None = None
    """A probe's own name, in all processes."""
    settled: bool = field(default=False, init=False)


class HealthBoard:
    """Knows which targets may be asked. For any number of threads and tasks; never waits for a call to end."""

    def __init__(
        self,
        config: BreakerConfig | None = None,
        store: HealthStore | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives wall-clock seconds, which other processes understand too."""
        self._config = BreakerConfig() if config is None else config
        self._store: HealthStore = MemoryStore() if store is None else store
        self._clock = clock
        self._settling = Lock()

    @property
    def config(self) -> BreakerConfig:
        """When breakers open, and for how long."""
        return self._config

    def admit(self, target: Target) -> Permit | None:
        """Permit a call, to be settled; None where the breaker is open or a probe is under way."""
        now = self._clock()
        health = self._store.read(target)
        if breaker.usable_at(health, now) > now:
            return None
        if health.state == "closed":
            return Permit(target, probe=False, at=now, turn=health.turn)
        ticket = uuid4().hex
        # What was read may be old: only the store knows who came first.
        health = self._store.update(target, lambda found: breaker.probing(found, ticket, now, self._config))
        if health.probe == ticket:
            return Permit(target, probe=True, at=now, turn=health.turn, ticket=ticket)
        if health.state == "closed":
            return Permit(target, probe=False, at=now, turn=health.turn)
        return None

    def succeeded(self, permit: Permit, *, latency: float | None = None, first_token: float | None = None) -> None:
        """The call was answered; both times in seconds, where they are known."""
        now = self._clock()

        def change(health: Health) -> Health:
            times = health.times(latency, first_token)
            return breaker.succeeded(health, now, self._config, turn=permit.turn, ticket=permit.ticket, times=times)

        self._settle(permit, change)

    def failed(self, permit: Permit, error: LLMError) -> None:
        """The call failed in a way that counts against the target."""
        now = self._clock()
        self._settle(
            permit,
            lambda health: breaker.failed(health, error, now, self._config, turn=permit.turn, ticket=permit.ticket),
        )

    def released(self, permit: Permit) -> None:
        """The call says nothing of the target's health: it was abandoned, or its failure is not the target's fault."""
        now = self._clock()
        self._settle(permit, lambda health: breaker.released(health, now, ticket=permit.ticket))

    def peek(self, target: Target) -> Health:
        """What is known of `target`."""
        return self._store.read(target)

    def snapshot(self) -> dict[Target, Health]:
        """What is known of all that were ever asked."""
        return self._store.read_all()

    def usable_at(self, target: Target) -> float:
        """The wall-clock time from which `target` may be asked: now, or later. A probe may be settled before."""
        return breaker.usable_at(self._store.read(target), self._clock())

    def degraded(self, target: Target) -> bool:
        """Whether `target` is to be asked after healthy ones: it may not be asked now, or many of its calls failed."""
        return breaker.is_poor(self._store.read(target), self._clock(), self._config)

    def degraded_providers(self) -> set[str]:
        """Those of whom any target is `degraded`."""
        now, known = self._clock(), self._store.read_all()
        return {target.provider for target, health in known.items() if breaker.is_poor(health, now, self._config)}

    def success_rate(self, target: Target) -> float | None:
        """The part of the window's calls that `target` answered; None where there were none."""
        return self._store.read(target).success_rate(self._clock(), self._config)

    def reset(self, provider: str | None = None) -> None:
        """Forget all that is known of a provider's targets, or of all."""
        self._store.clear(provider)

    def force_close(self, provider: str) -> None:
        """Let calls through to all of a provider's targets again, on a person's word."""
        now = self._clock()
        for target in self._store.read_all():
            if target.provider == provider:
                self._store.update(target, lambda health: breaker.closed(health, now))

    def close(self) -> None:
        """Write what the store has not written yet, and give back its connections."""
        self._store.close()

    def _settle(self, permit: Permit, change: Change) -> None:
        with self._settling:
            if permit.settled:
                return
            permit.settled = True
        self._store.update(permit.target, change)
