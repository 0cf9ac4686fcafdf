"""Whatever happens in whatever order, a breaker keeps its promises.

Two boards share one store, as two processes do. Calls are let through, answered, lost and settled twice; clocks jump.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from homeostasis_llm import ServerError
from homeostasis_llm.manager import breaker
from homeostasis_llm.manager.board import HealthBoard, Permit
from homeostasis_llm.manager.breaker import BreakerConfig
from homeostasis_llm.manager.health import Health
from homeostasis_llm.manager.stores import MemoryStore
from homeostasis_llm.manager.target import Target

TARGET = Target("openai", "gpt-x")
OTHER = Target("anthropic")
CONFIG = BreakerConfig(
    failure_threshold=3, min_calls=6, window=60, half_life=20, open_seconds=5, max_open_seconds=40, probe_seconds=30
)
A_DAY = 86_400.0

boards = st.sampled_from([0, 1])
waits = st.one_of(
    st.sampled_from([0.0, 0.1, 4.9, 5.0, 29.9, 30.0, 40.0, 60.0]), st.floats(min_value=0, max_value=2 * A_DAY)
)


class Breaker(RuleBasedStateMachine):
    permits: Bundle[Permit] = Bundle("permits")
    settled: Bundle[Permit] = Bundle("settled")

    @initialize(start=st.floats(min_value=1e9, max_value=3e9))
    def begin(self, start: float) -> None:
        self.now = start
        store = MemoryStore()
        self.boards = [HealthBoard(CONFIG, store, lambda: self.now) for _ in range(2)]
        self.may_close = False
        self.was: Health = Health()
        self.probe: Permit | None = None
        """The one that has the place, as far as this test has seen."""
        self.closed_until: float | None = None
        """Nobody may go before, as far as this test has seen."""

    def health(self) -> Health:
        return self.boards[0].peek(TARGET)

    @rule(seconds=waits)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.floats(min_value=0, max_value=1))
    def the_clock_is_corrected(self, seconds: float) -> None:
        self.now -= seconds

    @rule(seconds=st.floats(min_value=3600, max_value=A_DAY))
    def the_clock_is_set_back(self, seconds: float) -> None:
        self.now -= seconds
        self.closed_until = None  # nobody need wait for a time that may not come

    @rule(target=permits, board=boards)
    def a_call_is_let_through(self, board: int) -> Permit | MultipleResults[Permit]:
        before = self.health()
        permit = self.boards[board].admit(TARGET)
        if self.closed_until is not None and self.now < self.closed_until:
            assert permit is None, "a call beside a probe, or through an open breaker"
        if permit is None:
            assert before.state != "closed", "a closed breaker stopped a call"
            assert before.retry_at is not None
            assert self.now < before.retry_at, "a target that may be probed is not"
            assert self.now >= before.changed_at - breaker._CLOCKS_DIFFER, "a target waits for a clock set back"
            return multiple()
        assert permit.probe is (before.state != "closed")
        if permit.probe:
            self.probe = permit
            self.closed_until = self.now + CONFIG.probe_seconds
        return permit

    @rule(permit=consumes(permits), target=settled, board=boards)
    def a_call_is_answered(self, permit: Permit, board: int) -> Permit:
        self.may_close = permit is self.probe
        self.boards[board].succeeded(permit, latency=0.5, first_token=0.1)
        if permit is self.probe:
            assert self.health().state == "closed"
            self.probe = self.closed_until = None
        return permit

    @rule(
        permit=consumes(permits),
        target=settled,
        board=boards,
        retry_after=st.none() | st.floats(min_value=0, max_value=10 * A_DAY),
    )
    def a_call_fails(self, permit: Permit, board: int, retry_after: float | None) -> Permit:
        before = self.health()
        self.boards[board].failed(permit, ServerError("broken", retry_after=retry_after))
        after = self.health()
        if permit is self.probe:
            self.probe = None
            assert after.state == "open"
            assert after.openings == before.openings + 1
        if after.turn != before.turn:
            assert after.retry_at is not None
            longest = max(CONFIG.max_open_seconds, min(retry_after or 0.0, A_DAY))
            assert self.now + CONFIG.open_seconds <= after.retry_at <= self.now + longest
            assert after.retry_at >= self.now + min(retry_after or 0.0, A_DAY)
            self.closed_until = after.retry_at
        return permit

    @rule(permit=consumes(permits), target=settled, board=boards)
    def a_call_is_given_back(self, permit: Permit, board: int) -> Permit:
        before = self.health()
        self.boards[board].released(permit)
        if permit is self.probe:
            self.probe = self.closed_until = None
            assert self.boards[board].usable_at(TARGET) == self.now
        else:
            assert self.health() == before
        return permit

    @rule(permit=consumes(permits))
    def a_call_is_lost(self, permit: Permit) -> None:
        """Its process died."""

    @rule(permit=settled, board=boards, how=st.sampled_from(["succeeded", "failed", "released"]))
    def a_call_is_settled_again(self, permit: Permit, board: int, how: str) -> None:
        before = self.health()
        match how:
            case "succeeded":
                self.boards[board].succeeded(permit, latency=9.0, first_token=9.0)
            case "failed":
                self.boards[board].failed(permit, ServerError("broken"))
            case _:
                self.boards[board].released(permit)
        assert self.health() == before

    @rule(board=boards)
    def three_calls_in_a_row_fail(self, board: int) -> None:
        """Left to chance it is too rare."""
        for _ in range(CONFIG.failure_threshold):
            permit = self.a_call_is_let_through(board)
            if not isinstance(permit, Permit):
                return
            self.a_call_fails(permit, board, None)
        assert self.health().state == "open"

    @rule(board=boards)
    def another_provider_is_closed_by_hand(self, board: int) -> None:
        before = self.health()
        self.boards[board].force_close(OTHER.provider)
        self.boards[board].reset(OTHER.provider)
        assert self.health() == before

    @rule(board=boards)
    def a_person_closes_it(self, board: int) -> None:
        self.may_close = True
        self.boards[board].force_close(TARGET.provider)
        self.probe = self.closed_until = None

    @rule(board=boards)
    def a_person_forgets_it(self, board: int) -> None:
        self.may_close = True
        self.boards[board].reset(TARGET.provider)
        self.probe = self.closed_until = None

    @invariant()
    def it_closes_by_a_probe_or_a_person_alone(self) -> None:
        health = self.health()
        if self.was.state != "closed" and health.state == "closed":
            assert self.may_close, "it closed by itself"
        self.was, self.may_close = health, False

    @invariant()
    def it_can_be_asked_in_the_end(self) -> None:
        health = self.health()
        when = breaker.usable_at(health, self.now)
        assert when - self.now <= A_DAY + breaker._CLOCKS_DIFFER
        if health.state != "closed":
            assert breaker.probing(health, "next", when, CONFIG).probe == "next"

    @invariant()
    def its_facts_agree(self) -> None:
        health = self.health()
        assert (health.state == "half_open") is (health.probe is not None)
        assert (health.state == "closed") is (health.retry_at is None) is (health.openings == 0)
        assert health.state != "closed" or health.consecutive_failures < CONFIG.failure_threshold
        # Whoever may be probed has its place in the order again, else nobody would ask it while others answer.
        may_be_asked = breaker.usable_at(health, self.now) <= self.now
        assert health.state == "closed" or all(board.degraded(TARGET) != may_be_asked for board in self.boards)
        assert len(health.slices) <= 21
        rate = health.success_rate(self.now, CONFIG)
        assert (rate is None) is (health.calls(self.now, CONFIG.window) == 0)
        assert rate is None or 0 <= rate <= 1
        assert Health.from_json(health.to_json()) == health


TestBreaker = Breaker.TestCase
TestBreaker.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
