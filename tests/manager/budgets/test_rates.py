"""No more is asked of a provider in a minute than it may be, by one process or by several together."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from homeostasis_llm import InvalidRequestError, LLMError
from homeostasis_llm.config import ProviderSettings
from homeostasis_llm.manager import redis
from homeostasis_llm.manager.budgets import rates
from homeostasis_llm.manager.budgets.rates import RateLimits, Rates
from homeostasis_llm.manager.reach import TRY_AGAIN_AFTER
from tests.manager.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The wall clock of the limits in memory."""
    from limits.storage import memory

    ours = Clock()
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=ours.time))
    monkeypatch.setattr(rates, "time", SimpleNamespace(time=ours.time))
    return ours


def admitted(limits: RateLimits, allowed: Rates, tokens: int = 0, *, of: int = 100) -> int:
    return [limits.acquire("openai", allowed, tokens) for _ in range(of)].count(0.0)


@pytest.mark.usefixtures("clock")
def test_no_more_requests_go_in_a_minute_than_are_allowed() -> None:
    limits = RateLimits()

    assert admitted(limits, Rates(requests=5)) == 5


def test_a_refused_request_fits_after_the_seconds_that_it_was_told(clock: Clock) -> None:
    limits, allowed = RateLimits(), Rates(requests=2)
    limits.acquire("openai", allowed)
    clock.now += 20
    limits.acquire("openai", allowed)
    clock.now += 5

    wait = limits.acquire("openai", allowed)

    assert wait == pytest.approx(35, abs=0.01)
    clock.now += wait - 0.1
    assert limits.acquire("openai", allowed) > 0
    clock.now += 0.1
    assert limits.acquire("openai", allowed) == 0


@pytest.mark.usefixtures("clock")
def test_no_more_tokens_go_in_a_minute_than_are_allowed() -> None:
    assert admitted(RateLimits(), Rates(tokens=1000), 300) == 3


@pytest.mark.parametrize(
    ("used", "passed", "wanted"), [(900, 10, 300), (500, 70, 900), (1000, 0, 1000), (900, 100, 950)]
)
def test_tokens_fit_after_the_seconds_that_they_were_told(clock: Clock, used: int, passed: float, wanted: int) -> None:
    limits, allowed = RateLimits(), Rates(tokens=1000)
    limits.acquire("openai", allowed, used)
    clock.now += passed

    wait = limits.acquire("openai", allowed, wanted)

    assert wait > 1
    clock.now += wait - 0.5
    assert limits.acquire("openai", allowed, wanted) > 0
    clock.now += 0.5
    assert limits.acquire("openai", allowed, wanted) == 0


@pytest.mark.usefixtures("clock")
def test_a_request_without_room_for_its_tokens_takes_no_request_from_the_budget() -> None:
    limits, allowed = RateLimits(), Rates(requests=2, tokens=100)

    assert limits.acquire("openai", allowed, 60) == 0
    assert limits.acquire("openai", allowed, 60) > 0
    assert limits.acquire("openai", allowed, 40) == 0


@pytest.mark.usefixtures("clock")
def test_a_request_over_the_number_takes_no_tokens_from_the_budget() -> None:
    limits = RateLimits()
    assert limits.acquire("openai", Rates(requests=1, tokens=100), 10) == 0

    assert limits.acquire("openai", Rates(requests=1, tokens=100), 90) > 0

    assert limits.acquire("openai", Rates(tokens=100), 90) == 0


@pytest.mark.usefixtures("clock")
def test_each_provider_has_its_own_budget() -> None:
    limits, allowed = RateLimits(), Rates(requests=1)

    assert limits.acquire("openai", allowed) == limits.acquire("mistral", allowed) == 0
    assert limits.acquire("openai", allowed) > 0


def test_without_a_limit_all_go() -> None:
    assert admitted(RateLimits(), Rates(), 10**9) == 100


def test_a_request_of_more_tokens_than_a_window_has_goes_when_a_window_is_free(clock: Clock) -> None:
    limits, allowed = RateLimits(), Rates(tokens=100)

    assert limits.acquire("openai", allowed, 150) == 0
    # The fifty that did not fit are still to be paid for.
    assert limits.acquire("openai", allowed, 10) > 0
    clock.now += 120
    assert limits.acquire("openai", allowed, 40) == 0
    assert limits.acquire("openai", allowed, 11) > 0
    assert limits.acquire("openai", allowed, 10) == 0


@pytest.mark.usefixtures("clock")
def test_tokens_that_were_not_used_can_be_used_by_others() -> None:
    limits, allowed = RateLimits(), Rates(tokens=100)
    limits.acquire("openai", allowed, 90)

    limits.settle("openai", allowed, 90, 20)

    assert limits.acquire("openai", allowed, 80) == 0
    assert limits.acquire("openai", allowed, 1) > 0


def test_tokens_given_back_late_make_no_room_for_more_than_the_limit(clock: Clock) -> None:
    limits, allowed = RateLimits(), Rates(tokens=100)
    clock.now -= clock.now % 60
    limits.acquire("openai", allowed, 90)
    clock.now += 90  # what was counted has faded by half

    limits.settle("openai", allowed, 90, 0, seconds=90)

    assert limits.acquire("openai", allowed, 60) > 0
    assert limits.acquire("openai", allowed, 55) == 0


@pytest.mark.usefixtures("clock")
def test_more_tokens_than_estimated_are_counted_too() -> None:
    limits, allowed = RateLimits(), Rates(tokens=100)
    limits.acquire("openai", allowed, 10)

    limits.settle("openai", allowed, 10, 70)

    assert limits.acquire("openai", allowed, 31) > 0
    assert limits.acquire("openai", allowed, 30) == 0


def test_tokens_beyond_the_window_are_paid_for_by_the_next_request(clock: Clock) -> None:
    limits, allowed = RateLimits(), Rates(tokens=100)
    clock.now -= clock.now % 60
    limits.acquire("openai", allowed, 10)
    limits.settle("openai", allowed, 10, 180)

    wait = limits.acquire("openai", allowed, 10)

    # Of the full window, all but ten must fade away: eighty are owed, ten are wanted.
    assert wait == pytest.approx(60 + 54, abs=0.1)


def test_the_settings_of_a_provider_are_for_a_minute() -> None:
    set_to = ProviderSettings(requests_per_minute=7, tokens_per_minute=9000)

    assert Rates.of(set_to) == Rates(requests=7, tokens=9000)
    assert Rates.of(ProviderSettings()) == Rates()


def test_a_url_that_is_none_is_told_in_one_line() -> None:
    with pytest.raises(InvalidRequestError, match="The URL of the Redis that shares rates: ") as caught:
        RateLimits("http://127.0.0.1")
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "find_spec", lambda _: None)

    with pytest.raises(
        LLMError, match=r"^Sharing rates through Redis needs a package: pip install 'homeostasis-llm\[redis\]'$"
    ):
        RateLimits("redis://127.0.0.1")


# ------------------------------------------------------------------------------------------------------ with a Redis


def test_two_managers_share_what_one_redis_counts(redis_server: RedisServer) -> None:
    one, other = RateLimits(redis_server.url), RateLimits(redis_server.url)
    allowed = Rates(requests=10, tokens=1000)

    assert one.acquire("openai", allowed, 600) == 0
    assert other.acquire("openai", allowed, 600) > 0
    one.settle("openai", allowed, 600, 100)
    assert other.acquire("openai", allowed, 600) == 0
    assert admitted(one, Rates(requests=10)) == 8


def test_the_redis_says_how_long_to_wait(redis_server: RedisServer) -> None:
    limits = RateLimits(redis_server.url, window=1000)
    limits.acquire("openai", Rates(requests=1, tokens=100), 100)

    assert limits.acquire("openai", Rates(requests=1)) == pytest.approx(1000, abs=100)
    assert limits.acquire("openai", Rates(tokens=100), 50) == pytest.approx(1500, abs=100)


def test_a_redis_that_dies_leaves_each_process_its_own_budget_with_one_warning(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    limits, allowed = RateLimits(redis_server.url, clock=lambda: now), Rates(requests=3)
    limits.acquire("openai", allowed)
    redis_server.stop()

    with caplog.at_level(logging.INFO):
        assert admitted(limits, allowed) == 3

    (told,) = caplog.records
    assert told.levelname == "WARNING"
    assert "each process keeps to the rates for itself until it can be reached" in told.getMessage()


def test_a_redis_that_is_back_is_used_again(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    limits, allowed = RateLimits(redis_server.url, clock=lambda: now), Rates(requests=3)
    redis_server.stop()
    assert admitted(limits, allowed) == 3
    redis_server.start()

    assert limits.acquire("openai", allowed) > 0  # it is not asked again yet
    now += TRY_AGAIN_AFTER
    caplog.clear()
    with caplog.at_level(logging.INFO):
        in_time(lambda: limits.acquire("openai", allowed) == 0)

    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == ["can be reached again"]
    assert RateLimits(redis_server.url).acquire("openai", allowed) == 0
    assert admitted(limits, allowed) == 1


def test_a_redis_that_hangs_costs_one_request_half_a_second_and_others_nothing(redis_server: RedisServer) -> None:
    limits, allowed = RateLimits(redis_server.url, clock=lambda: 0.0), Rates(requests=3)
    limits.acquire("openai", allowed)
    redis_server.freeze()

    begin = time.monotonic()
    assert admitted(limits, allowed, of=1000) == 3

    assert time.monotonic() - begin < 60  # a thousand times half a second would be more
    redis_server.thaw()


_ASK = """
import json, sys, time
from homeostasis_llm.manager import redis
from homeostasis_llm.manager.budgets.rates import RateLimits, Rates

redis._PATIENCE = 60  # a busy machine is no lost Redis
url, most, window, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
limits, allowed, told = RateLimits(url, window=window), Rates(requests=most), []
limits.acquire("another", allowed)  # all is imported and connected
print("ready", flush=True)
sys.stdin.readline()
end = time.time() + seconds
while time.time() < end:
    begin = time.time()
    wait = limits.acquire("openai", allowed)
    told.append((begin, time.time(), wait))
    time.sleep(min(wait, 0.1))
print(json.dumps(told))
"""


def test_four_processes_keep_one_limit_together_within_five_percent(
    redis_server: RedisServer, child_environment: dict[str, str]
) -> None:
    most, window = 100, 2
    command = [sys.executable, "-c", _ASK, redis_server.url, str(most), str(window), "6.5"]
    children = [
        subprocess.Popen(command, env=child_environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    asked = [call for child in children for call in json.loads(child.communicate()[0])]
    assert [child.returncode for child in children] == [0, 0, 0, 0]

    gone = sorted((begin, end) for begin, end, wait in asked if wait == 0)
    # When a call was counted is known to lie between its begin and its end, so a busy machine changes nothing here.
    for first, _ in gone:
        within = sum(first <= begin and end < first + window for begin, end in gone)
        assert within <= 1.05 * most
    for begin, end, wait in asked:
        if wait > 0:
            before = sum(end_of > begin - window and begin_of <= end for begin_of, end_of in gone)
            assert before >= 0.95 * most
    assert len(gone) >= 2 * most  # the window has opened again


def in_time(condition: Callable[[], bool]) -> None:
    """Wait for another thread; a test that waits in vain fails."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")
