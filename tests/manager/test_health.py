"""What opens a breaker, what closes it, and what is remembered of a target. The clock is turned by hand."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import pytest

from homeostasis_llm import InvalidRequestError, LLMConnectionError, ServerError
from homeostasis_llm.manager.board import HealthBoard, Permit
from homeostasis_llm.manager.breaker import BreakerConfig
from homeostasis_llm.manager.health import Health
from homeostasis_llm.manager.target import Target
from homeostasis_llm.redaction import remember

TARGET = Target("openai", "gpt-x")
START = 1_800_000_000.0
CONFIG = BreakerConfig(
    failure_threshold=3, min_calls=8, window=60, half_life=20, open_seconds=5, max_open_seconds=30, probe_seconds=90
)


class Clock:
    """A wall clock that only moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns so often that they meet where they should not."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def board(clock: Clock) -> HealthBoard:
    return HealthBoard(CONFIG, clock=clock)


def admitted(board: HealthBoard, target: Target = TARGET) -> Permit:
    permit = board.admit(target)
    assert permit is not None
    return permit


def fail(board: HealthBoard, times: int = 1, *, retry_after: float | None = None, target: Target = TARGET) -> None:
    for _ in range(times):
        board.failed(admitted(board, target), ServerError("broken", retry_after=retry_after))


def succeed(board: HealthBoard, times: int = 1) -> None:
    for _ in range(times):
        board.succeeded(admitted(board))


def test_a_target_nobody_has_asked_may_be_asked_and_has_no_success_rate(board: HealthBoard) -> None:
    assert board.peek(TARGET) == Health()
    assert board.success_rate(TARGET) is None
    assert board.usable_at(TARGET) == START
    assert not board.degraded(TARGET)
    assert board.snapshot() == {}
    assert not admitted(board).probe


def test_failures_in_a_row_open_the_breaker_and_nothing_goes_through(board: HealthBoard, clock: Clock) -> None:
    fail(board, 2)
    assert board.peek(TARGET).state == "closed"

    fail(board)

    assert board.peek(TARGET).state == "open"
    assert board.usable_at(TARGET) == START + 5
    assert board.degraded(TARGET)
    clock.now += 4.9
    assert board.admit(TARGET) is None


def test_a_success_ends_the_row(board: HealthBoard) -> None:
    for _ in range(2):  # more would be too many failures among the calls
        fail(board, 2)
        succeed(board)

    assert board.peek(TARGET).state == "closed"


def test_failures_further_apart_than_the_window_are_no_row(board: HealthBoard, clock: Clock) -> None:
    for _ in range(10):
        fail(board)
        clock.now += CONFIG.window + 10

    assert board.peek(TARGET).state == "closed"


def test_half_the_calls_failing_opens_the_breaker_though_none_follow_each_other(board: HealthBoard) -> None:
    for _ in range(3):
        succeed(board)
        fail(board)
    assert board.peek(TARGET).state == "closed"

    succeed(board)
    fail(board)

    assert board.peek(TARGET).state == "open"


def test_newer_failures_weigh_more_than_older_successes(board: HealthBoard, clock: Clock) -> None:
    succeed(board, 10)
    clock.now += 40
    fail(board, 2)
    succeed(board)

    assert board.success_rate(TARGET) == pytest.approx((10 / 4 + 1) / (10 / 4 + 3), rel=0.1)
    assert board.peek(TARGET).calls(clock.now, CONFIG.window) == 13

    clock.now += 30
    assert board.peek(TARGET).calls(clock.now, CONFIG.window) == 3
    clock.now += 60
    assert board.success_rate(TARGET) is None


def test_the_window_does_not_grow(board: HealthBoard, clock: Clock) -> None:
    for _ in range(500):
        succeed(board)
        clock.now += 1.7

    assert len(board.peek(TARGET).slices) <= 11


def test_one_failure_degrades_nobody_and_many_of_enough_calls_do(board: HealthBoard) -> None:
    fail(board)
    assert not board.degraded(TARGET)

    succeed(board, 4)
    fail(board, 2)
    assert not board.degraded(TARGET)  # 4 of 7 is poor, and too few

    succeed(board)
    assert board.degraded(TARGET)
    assert board.peek(TARGET).state == "closed"


def test_when_the_time_has_come_one_probe_goes_and_closes_by_succeeding(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    clock.now += 5

    probe = admitted(board)
    assert probe.probe
    assert board.peek(TARGET).state == "half_open"
    assert board.admit(TARGET) is None
    assert board.degraded(TARGET)

    board.succeeded(probe)

    health = board.peek(TARGET)
    assert (health.state, health.retry_at, health.openings, health.consecutive_failures) == ("closed", None, 0, 0)
    assert board.success_rate(TARGET) == 1.0
    assert not admitted(board).probe
    assert not board.degraded(TARGET)


def test_time_alone_closes_nothing(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    clock.now += 1_000_000

    assert board.peek(TARGET).state == "open"
    assert admitted(board).probe
    assert board.admit(TARGET) is None


def test_each_probe_that_fails_doubles_the_wait_up_to_a_cap(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    waits = []
    for _ in range(6):
        waits.append(board.usable_at(TARGET) - clock.now)
        clock.now = board.usable_at(TARGET)
        fail(board)

    assert waits == [5, 10, 20, 30, 30, 30]


def test_after_it_was_closed_the_waits_start_short_again(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    clock.now += 5
    fail(board)
    clock.now += 10
    succeed(board)
    fail(board, 3)

    assert board.usable_at(TARGET) == clock.now + 5


@pytest.mark.parametrize(("asked_for", "waited"), [(None, 5), (1.0, 5), (45.0, 45), (1e12, 86_400)])
def test_a_provider_that_says_to_wait_longer_is_obeyed_up_to_a_day(
    board: HealthBoard, asked_for: float | None, waited: float
) -> None:
    fail(board, 2)
    fail(board, retry_after=asked_for)

    assert board.usable_at(TARGET) == START + waited


def test_a_probe_that_is_given_back_lets_the_next_go_at_once(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    clock.now += 5
    board.released(admitted(board))

    assert board.peek(TARGET).state == "open"
    assert board.usable_at(TARGET) == clock.now
    assert admitted(board).probe


def test_a_probe_that_is_never_settled_loses_its_place(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    clock.now += 5
    lost = admitted(board)
    clock.now += CONFIG.probe_seconds - 0.1
    assert board.admit(TARGET) is None
    clock.now += 0.1
    second = admitted(board)

    board.succeeded(lost)
    assert board.peek(TARGET).state == "half_open"
    board.failed(second, ServerError("still broken"))
    assert board.peek(TARGET).state == "open"


def test_a_late_probe_whose_place_nobody_took_still_counts(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    clock.now += 5
    late = admitted(board)
    clock.now += CONFIG.probe_seconds + 10

    board.succeeded(late)

    assert board.peek(TARGET).state == "closed"


def test_calls_let_through_before_it_opened_neither_close_it_nor_keep_it_open(board: HealthBoard, clock: Clock) -> None:
    before = [admitted(board) for _ in range(20)]
    fail(board, 3)
    board.succeeded(before.pop())
    assert board.peek(TARGET).state == "open"

    board.failed(before.pop(), ServerError("late", retry_after=500))
    assert board.usable_at(TARGET) == START + 5

    clock.now += 5
    succeed(board)
    for permit in before:
        board.failed(permit, ServerError("timed out at last"))
    assert board.peek(TARGET).state == "closed"


def test_a_late_success_does_not_end_a_row_that_began_after_it(board: HealthBoard, clock: Clock) -> None:
    late = admitted(board)
    fail(board, 3)
    clock.now += 5
    succeed(board)
    fail(board, 2)

    board.succeeded(late, latency=3.0)

    assert board.peek(TARGET).consecutive_failures == 2
    assert board.peek(TARGET).calls(clock.now, CONFIG.window) == 3
    assert board.peek(TARGET).latency == 3.0


def test_calls_let_through_before_a_person_closed_it_count_for_nothing(board: HealthBoard) -> None:
    succeed(board)
    before = [admitted(board) for _ in range(5)]
    board.force_close("openai")

    for permit in before:
        board.failed(permit, ServerError("broken"))

    assert board.peek(TARGET).state == "closed"


def test_a_call_that_was_given_back_counts_for_nothing(board: HealthBoard) -> None:
    fail(board, 2)
    for _ in range(10):
        board.released(admitted(board))
    assert board.success_rate(TARGET) == 0.0
    assert board.peek(TARGET).consecutive_failures == 2


@pytest.mark.parametrize("settle", ["succeeded", "failed", "released"])
def test_settling_twice_changes_nothing(board: HealthBoard, settle: str) -> None:
    permit = admitted(board)
    ways: dict[str, Callable[[], None]] = {
        "succeeded": lambda: board.succeeded(permit),
        "failed": lambda: board.failed(permit, ServerError("broken")),
        "released": lambda: board.released(permit),
    }
    ways[settle]()
    once = board.peek(TARGET)

    for way in ways.values():
        way()

    assert board.peek(TARGET) == once


def test_each_model_and_key_has_a_health_of_its_own(board: HealthBoard) -> None:
    other = Target("openai", "gpt-x", "backup")
    fail(board, 3)

    assert board.admit(TARGET) is None
    assert board.admit(other) is not None
    assert board.snapshot().keys() == {TARGET}


def test_a_person_closes_or_forgets_what_belongs_to_one_provider(board: HealthBoard) -> None:
    anthropic = Target("anthropic")
    fail(board, 3)
    fail(board, 3, target=anthropic)
    late = board.peek(TARGET)

    board.force_close("openai")
    health = board.peek(TARGET)
    assert (health.state, board.usable_at(TARGET)) == ("closed", START)
    assert health.last_error == late.last_error
    assert board.peek(anthropic).state == "open"

    board.reset("anthropic")
    assert board.snapshot().keys() == {TARGET}
    board.reset()
    assert board.snapshot() == {}


def test_a_probe_under_way_while_a_person_closes_changes_nothing_any_more(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    clock.now += 5
    probe = admitted(board)
    board.force_close("openai")

    board.failed(probe, ServerError("broken"))

    assert board.peek(TARGET).state == "closed"


def test_a_clock_that_is_set_back_keeps_nobody_waiting(board: HealthBoard, clock: Clock) -> None:
    fail(board, 3)
    clock.now -= 86_400
    assert admitted(board).probe
    assert board.admit(TARGET) is None


def test_what_a_clock_counted_before_it_was_set_back_is_forgotten(board: HealthBoard, clock: Clock) -> None:
    fail(board, 2)
    clock.now -= 86_400
    fail(board)

    assert board.peek(TARGET).state == "closed"
    assert len(board.peek(TARGET).slices) == 1


def test_times_are_averaged_and_the_slowest_first_tokens_known(board: HealthBoard) -> None:
    board.succeeded(admitted(board), latency=1.0, first_token=0.2)
    board.succeeded(admitted(board), latency=2.0)
    health = board.peek(TARGET)
    assert health.latency == pytest.approx(1.2)
    assert health.first_token == 0.2
    assert health.p95(streamed=True) is None

    for hundredths in range(1, 100):
        board.succeeded(admitted(board), first_token=hundredths / 100)
    health = board.peek(TARGET)
    assert len(health.first_tokens) == 50
    assert health.p95(streamed=True) == 0.97
    assert health.latency == pytest.approx(1.2)


def test_five_first_tokens_are_enough(board: HealthBoard) -> None:
    for seconds in (0.5, 0.0, 0.2, 0.1, 0.3):
        board.succeeded(admitted(board), first_token=seconds)

    assert board.peek(TARGET).p95(streamed=True) == 0.5
    assert board.peek(TARGET).p95(streamed=False) is None


def test_whole_answers_are_slow_by_their_own_measure(board: HealthBoard) -> None:
    for seconds in range(1, 100):
        board.succeeded(admitted(board), latency=float(seconds))
    board.succeeded(admitted(board), latency=1000.0, first_token=0.1)

    assert board.peek(TARGET).p95(streamed=False) == 97.0
    assert len(board.peek(TARGET).answers) == 50


def test_the_last_error_holds_no_key_that_became_known_after_it(board: HealthBoard) -> None:
    error = LLMConnectionError("no answer for made-up-key-1234 " + "x" * 1000)
    remember("made-up-key-1234")

    board.failed(admitted(board), error)

    kept = board.peek(TARGET).last_error
    assert kept is not None
    assert kept.message.startswith("no answer for [key removed] xxx")
    assert len(kept.message) == 300
    assert kept.kind == "connection"


def test_health_survives_json_and_pickle(board: HealthBoard, clock: Clock) -> None:
    board.succeeded(admitted(board), latency=0.5, first_token=0.25)
    fail(board, 3)
    clock.now += 5
    admitted(board)
    health = board.peek(TARGET)

    assert Health.from_json(health.to_json()) == health
    assert Health.from_json(health.to_json().encode()) == health
    assert pickle.loads(pickle.dumps(health)) == health  # noqa: S301  # made in this line


def test_json_of_a_newer_version_is_read_and_what_is_no_health_is_refused() -> None:
    assert Health.from_json('{"state": "open", "retry_at": 7, "mood": "bad"}') == Health(state="open", retry_at=7.0)
    for text in ("", "[]", '{"state": "asleep"}', '{"slices": 3}'):
        with pytest.raises(ValueError, match="validation error"):
            Health.from_json(text)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"failure_threshold": 0}, "BreakerConfig.failure_threshold: input should be greater than 0, got 0"),
        ({"failure_rate": 0}, "BreakerConfig.failure_rate: input should be greater than 0, got 0"),
        ({"poor_success": 1.5}, "BreakerConfig.poor_success: input should be less than or equal to 1, got 1.5"),
        ({"window": -1}, "BreakerConfig.window: input should be greater than 0, got -1"),
        ({"max_open_seconds": 1}, "BreakerConfig.max_open_seconds: is 1.0, less than open_seconds, 5.0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_one_line(setting: dict[str, float], said: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        BreakerConfig(**setting)  # type: ignore[arg-type]  # one of them is wrong on purpose

    assert str(caught.value) == said


@pytest.mark.usefixtures("hasty_threads")
def test_of_many_threads_that_come_at_once_one_is_the_probe_and_no_call_is_lost(
    board: HealthBoard, clock: Clock
) -> None:
    fail(board, 3)
    clock.now += 5
    probes: list[Permit] = []
    together = Barrier(8)

    def ask() -> None:
        together.wait()
        permit = board.admit(TARGET)
        if permit is not None:
            probes.append(permit)

    _in_threads(ask, 8)
    assert len(probes) == 1
    board.succeeded(probes[0])

    _in_threads(lambda: succeed(board, 200), 8)
    assert board.peek(TARGET).calls(clock.now, CONFIG.window) == 1 + 8 * 200


@pytest.mark.usefixtures("hasty_threads")
def test_of_threads_that_settle_one_permit_at_once_one_counts(board: HealthBoard, clock: Clock) -> None:
    for _ in range(50):
        permit = admitted(board)
        together = Barrier(4)

        def settle(permit: Permit = permit, together: Barrier = together) -> None:
            together.wait()
            board.succeeded(permit)

        _in_threads(settle, 4)

    assert board.peek(TARGET).calls(clock.now, CONFIG.window) == 50


def _in_threads(work: Callable[[], None], count: int) -> None:
    threads = [Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
