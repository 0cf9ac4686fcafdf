"""What was spent is known to all who share a ledger, and is lost by no crash of a process or of a place."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from homeostasis_llm import Usage
from homeostasis_llm.manager.budgets.amounts import Entry, Place, Spent, end_of
from homeostasis_llm.manager.budgets.ledger import Ledger
from homeostasis_llm.manager.budgets.places import FilePlace, RedisPlace
from homeostasis_llm.manager.reach import TRY_AGAIN_AFTER
from tests.manager.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

AUGUST_31 = datetime(2026, 8, 31, 23, 59, 59, tzinfo=UTC).timestamp()
SEPTEMBER_1 = AUGUST_31 + 1
COUNTED = Usage(input_tokens=100, output_tokens=10)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spending.sqlite3"


def record(ledger: Ledger, cost: float | None = 1.0, provider: str = "openai", now: float = AUGUST_31) -> None:
    ledger.record(provider, "m", cost=cost, usage=COUNTED, now=now)


def day(ledger: Ledger, provider: str | None = "openai", now: float = AUGUST_31) -> Spent:
    return ledger.spent(provider, "day", now)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# ----------------------------------------------------------------------------------------------------- what it counts


def test_days_and_months_are_those_of_utc() -> None:
    ledger = Ledger()
    record(ledger, 1.0, now=AUGUST_31)
    record(ledger, 2.0, now=SEPTEMBER_1)

    assert day(ledger, now=AUGUST_31).dollars == ledger.spent("openai", "month", AUGUST_31).dollars == 1.0
    assert day(ledger, now=SEPTEMBER_1).dollars == 2.0


def test_a_month_is_all_of_its_days() -> None:
    ledger = Ledger()
    record(ledger, 1.0, now=AUGUST_31)
    record(ledger, 2.0, now=AUGUST_31 - 86_400 * 30)

    assert ledger.spent("openai", "month", AUGUST_31).dollars == 3.0
    assert day(ledger).dollars == 1.0


def test_providers_are_counted_apart_and_together() -> None:
    ledger = Ledger()
    record(ledger, 1.0, "openai")
    record(ledger, 2.0, "mistral")

    assert (day(ledger, "openai").dollars, day(ledger, "mistral").dollars) == (1.0, 2.0)
    assert day(ledger, None).dollars == 3.0
    assert day(ledger, "cohere") == Spent()


def test_a_call_of_unknown_price_is_counted_as_such() -> None:
    ledger = Ledger()
    record(ledger, 1.0)
    record(ledger, None)
    record(ledger, 0.0)

    assert day(ledger) == Spent(dollars=1.0, calls=3, unpriced_calls=1, input_tokens=300, output_tokens=30)


def test_a_call_without_counts_is_a_call() -> None:
    ledger = Ledger()
    ledger.record("openai", "m", cost=None, usage=None, now=AUGUST_31)

    assert day(ledger) == Spent(calls=1, unpriced_calls=1)


def test_each_model_of_each_day_can_be_listed() -> None:
    ledger = Ledger()
    record(ledger, 1.0)
    record(ledger, 1.0, now=SEPTEMBER_1)

    once = Spent(dollars=1.0, calls=1, input_tokens=100, output_tokens=10)
    assert ledger.entries(AUGUST_31) == {Entry("2026-08-31", "openai", "m"): once}


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_month_ends_where_the_next_begins(now: datetime, until: datetime) -> None:
    assert end_of("month", now.timestamp()) == until.timestamp()


def test_a_day_ends_at_midnight() -> None:
    assert end_of("day", AUGUST_31) == end_of("day", AUGUST_31 - 3600) == SEPTEMBER_1


def test_threads_lose_nothing(file: Path) -> None:
    ledger = Ledger(FilePlace(file))

    def record_fifty() -> None:
        for _ in range(50):
            record(ledger)

    threads = [Thread(target=record_fifty) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert day(ledger).calls == day(Ledger(FilePlace(file))).calls == 200
    ledger.close()


# ------------------------------------------------------------------------------------------------ with a place to share


@pytest.fixture(params=["file", "redis"])
def place(request: pytest.FixtureRequest, file: Path) -> Callable[[], Place]:
    """Makes the same place again and again, as each process does."""
    if request.param == "file":
        return lambda: FilePlace(file)
    server: RedisServer = request.getfixturevalue("redis_server")
    return lambda: RedisPlace(server.url)


def test_what_one_spends_others_know_within_a_second(place: Callable[[], Place]) -> None:
    clock = Clock()
    one, other = Ledger(place(), clock), Ledger(place(), clock)
    record(one, 0.25)
    assert day(other).dollars == 0.25

    record(one, 0.25)
    assert day(other).dollars == 0.25
    clock.now += 1
    assert day(other).dollars == 0.5
    one.close()
    other.close()


def test_what_was_spent_outlives_the_process(place: Callable[[], Place]) -> None:
    one = Ledger(place())
    record(one, 0.5)
    record(one, None, "mistral")
    one.close()

    after = Ledger(place())

    assert day(after, None) == Spent(0.5, 2, 1, 200, 20)
    assert after.entries(AUGUST_31).keys() == {
        Entry("2026-08-31", "openai", "m"),
        Entry("2026-08-31", "mistral", "m"),
    }
    after.close()


def test_a_new_month_begins_with_what_others_spent_in_it(place: Callable[[], Place]) -> None:
    clock = Clock()
    one, other = Ledger(place(), clock), Ledger(place(), clock)
    record(one, 1.0)
    record(one, 2.0, now=SEPTEMBER_1)
    assert day(other).dollars == 1.0

    assert other.spent("openai", "month", SEPTEMBER_1).dollars == 2.0
    one.close()
    other.close()


def test_names_may_hold_anything(place: Callable[[], Place]) -> None:
    odd = 'a"b,[c]:d\n/é😀'
    one = Ledger(place())
    one.record(odd, odd, cost=1.0, usage=None, now=AUGUST_31)
    one.close()

    after = Ledger(place())

    assert day(after, odd).dollars == 1.0
    after.close()


_SPEND = """
import sys, time
from homeostasis_llm.manager.budgets.ledger import Ledger
from homeostasis_llm.manager.budgets.places import FilePlace

ledger = Ledger(FilePlace(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    ledger.record("openai", "m", cost=0.5, usage=None, now=float(sys.argv[3]))
print("done", flush=True)
time.sleep(float(sys.argv[4]))
"""


def test_several_processes_spend_from_one_file(file: Path, child_environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", _SPEND, str(file), "200", str(AUGUST_31), "0"]
    children = [subprocess.Popen(command, env=child_environment, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]

    ledger = Ledger(FilePlace(file))

    assert day(ledger) == Spent(dollars=300.0, calls=600)
    ledger.close()


def test_a_process_that_is_killed_loses_nothing_it_had_recorded(file: Path, child_environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", _SPEND, str(file), "7", str(AUGUST_31), "600"]
    with subprocess.Popen(command, env=child_environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()

    ledger = Ledger(FilePlace(file))

    assert day(ledger).calls == 7
    ledger.close()


_FORK = """
import os, sys
from pathlib import Path
from homeostasis_llm.manager.database import Database

file = Database(Path(sys.argv[1]), "CREATE TABLE IF NOT EXISTS calls (pid INTEGER)")

def record():
    with file.connected(writing=True) as connection:
        connection.execute("INSERT INTO calls VALUES (?)", (os.getpid(),))
        return connection

before = record()
if child := os.fork():
    os.waitpid(child, 0)
same = record() is before
if child:
    with file.connected() as connection:
        print(same, connection.execute("SELECT count(*) FROM calls").fetchone()[0])
else:
    print(same, end=" ", flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_opens_the_file_for_itself(file: Path, child_environment: dict[str, str]) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _FORK, str(file)]
    run = subprocess.run(command, env=child_environment, capture_output=True, text=True, check=True)

    assert run.stdout == "False True 3\n"  # the child's word, then the parent's


def test_only_its_owner_may_read_the_file(file: Path) -> None:
    ledger = Ledger(FilePlace(file))
    record(ledger)

    assert file.stat().st_mode & 0o077 == 0
    ledger.close()


# ------------------------------------------------------------------------------------------ a place that is not there


def test_a_file_that_is_none_is_told_of_once_and_counting_goes_on(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.parent.mkdir()
    file.write_bytes(b"this is no database" * 100)
    ledger = Ledger(FilePlace(file))

    for _ in range(3):
        record(ledger)

    assert day(ledger).dollars == 3.0
    (told,) = caplog.records
    assert told.getMessage() == (
        f"{file}: what is spent is kept in this process alone until it can be reached: "
        "file is not a database; delete the file to start afresh"
    )
    ledger.close()


def test_what_was_spent_meanwhile_is_written_when_the_place_is_back(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    file.parent.mkdir()
    file.write_bytes(b"this is no database" * 100)
    ledger = Ledger(FilePlace(file), clock)
    record(ledger)
    file.unlink()

    clock.now += TRY_AGAIN_AFTER
    with caplog.at_level(logging.INFO):
        record(ledger)
        in_time(lambda: "can be reached again" in caplog.text)
    record(ledger)

    after = Ledger(FilePlace(file))
    assert day(after).calls == day(ledger).calls == 3
    ledger.close()
    after.close()


def test_a_redis_that_dies_is_no_outage(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    ledger = Ledger(RedisPlace(redis_server.url), clock)
    record(ledger)
    redis_server.stop()

    record(ledger)
    clock.now += 1
    assert day(ledger).calls == 2
    assert len(caplog.records) == 1

    redis_server.start()
    clock.now += TRY_AGAIN_AFTER
    with caplog.at_level(logging.INFO):
        assert day(ledger).calls == 2
        in_time(lambda: "can be reached again" in caplog.text)
    record(ledger)
    # What the Redis had held went with it; the calls of the meantime came.
    assert day(Ledger(RedisPlace(redis_server.url))).calls == 2


def test_what_others_keep_in_that_redis_is_left_alone(redis_server: RedisServer) -> None:
    import redis

    client = redis.Redis.from_url(redis_server.url)
    client.hset("homeostasis-llm:spending:2026-08", "[1, 2]", "x")
    ledger = Ledger(RedisPlace(redis_server.url))

    record(ledger)

    assert day(ledger).calls == 1
    client.close()


def in_time(condition: Callable[[], bool]) -> None:
    """Wait for another thread; a test that waits in vain fails."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")
