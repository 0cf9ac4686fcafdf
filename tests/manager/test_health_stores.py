"""Health in a file and in a Redis: what processes share, and what is left when the place is broken or gone."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from homeostasis_llm import InvalidRequestError, LLMError, ServerError
from homeostasis_llm.manager.board import HealthBoard, Permit
from homeostasis_llm.manager.breaker import BreakerConfig
from homeostasis_llm.manager.health import Health
from homeostasis_llm.manager.stores import FileStore, HealthStore, MemoryStore, RedisStore
from homeostasis_llm.manager.stores.redis import HASH
from homeostasis_llm.manager.target import Target
from tests.manager.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]  # pytest finds the fixture by its name

TARGET = Target("openai", "vendor/gpt-x:free", "the #2 kéy")
OTHER = Target("anthropic")
START = 1_800_000_000.0
CONFIG = BreakerConfig(failure_threshold=3, min_calls=1000, open_seconds=5, probe_seconds=60)
A_LONG_TIME = 30.0
"""Seconds that a busy machine may take for what takes a moment."""


class Clock:
    """Only moves when told to; shared by what is wall clock and what is not."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


Make = Callable[[], HealthStore]


def timed(latency: float, first_token: float | None) -> Callable[[Health], Health]:
    """The change by the times of one call."""
    return lambda health: replace(health, **health.times(latency, first_token))


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason to fail."""
    be_patient(monkeypatch, A_LONG_TIME)


def be_patient(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    for module in ("database", "redis"):
        monkeypatch.setattr(f"homeostasis_llm.manager.{module}._PATIENCE", seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["file", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where stores meet: a path or a URL."""
    if request.param == "file":
        return str(tmp_path / "state" / "health.sqlite")
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


@pytest.fixture
def make(place: str, clock: Clock) -> Iterator[Make]:
    """One more store at that place, as another process would have it."""
    made: list[HealthStore] = []

    def one_more() -> HealthStore:
        made.append(store_at(place, clock))
        return made[-1]

    yield one_more
    for store in made:
        store.close()


def store_at(place: str, clock: Callable[[], float] = time.monotonic) -> HealthStore:
    return RedisStore(place, clock) if place.startswith("redis:") else FileStore(place, clock)


def board_on(store: HealthStore, clock: Callable[[], float]) -> HealthBoard:
    return HealthBoard(CONFIG, store, clock)


def admitted(board: HealthBoard, target: Target = TARGET) -> Permit:
    permit = board.admit(target)
    assert permit is not None
    return permit


def fail(board: HealthBoard, times: int = 3, target: Target = TARGET) -> None:
    for _ in range(times):
        board.failed(admitted(board, target), ServerError("broken"))


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + A_LONG_TIME
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def comes_back(board: HealthBoard, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Look, later and later, until the store has found its place again."""

    def is_back() -> bool:
        clock.now += 5
        board.peek(TARGET)
        return any("can be reached again" in record.getMessage() for record in caplog.records)

    wait_until(is_back)


def test_memory_keeps_lists_and_forgets() -> None:
    keeps_lists_and_forgets(MemoryStore())


def test_a_shared_place_keeps_lists_and_forgets(make: Make) -> None:
    store = make()
    keeps_lists_and_forgets(store)
    store.close()
    assert make().read_all() == {}


def keeps_lists_and_forgets(store: HealthStore) -> None:
    assert store.read(TARGET) == Health()
    assert store.update(TARGET, timed(0.5, 0.1)).latency == 0.5
    store.update(OTHER, timed(2.0, None))

    assert store.read(TARGET).first_token == 0.1
    assert {target: health.latency for target, health in store.read_all().items()} == {TARGET: 0.5, OTHER: 2.0}

    store.clear("openai")
    assert store.read_all().keys() == {OTHER}
    store.clear()
    assert store.read_all() == {}


def test_what_one_process_wrote_the_next_one_knows(make: Make, clock: Clock) -> None:
    board = board_on(make(), clock)
    board.succeeded(admitted(board, OTHER), latency=0.5, first_token=0.1)
    fail(board)

    later = board_on(make(), clock)

    assert later.snapshot() == board.snapshot()
    assert later.admit(TARGET) is None


def test_an_open_breaker_is_known_to_others_within_a_second(make: Make, clock: Clock) -> None:
    one, other = board_on(make(), clock), board_on(make(), clock)
    assert other.peek(TARGET).state == "closed"
    fail(one)
    assert other.peek(TARGET).state == "closed"

    clock.now += 1

    assert other.peek(TARGET) == one.peek(TARGET)
    assert other.admit(TARGET) is None


def test_two_processes_never_probe_at_once_even_before_they_know_of_each_other(make: Make, clock: Clock) -> None:
    one, other = board_on(make(), clock), board_on(make(), clock)
    fail(one)
    clock.now += 5
    assert other.peek(TARGET).state == "open"

    probe = admitted(one)
    assert other.admit(TARGET) is None
    assert other.peek(TARGET).state == "half_open"

    one.succeeded(probe)
    clock.now += 1
    assert not admitted(other).probe


def test_a_probe_whose_place_another_process_took_closes_nothing(make: Make, clock: Clock) -> None:
    one, other = board_on(make(), clock), board_on(make(), clock)
    fail(one)
    clock.now += 5
    lost = admitted(one)
    clock.now += CONFIG.probe_seconds
    assert admitted(other).probe

    one.succeeded(lost)

    assert one.peek(TARGET).state == "half_open"


def test_averages_are_written_once_a_second_and_at_the_end_and_none_is_lost(make: Make, clock: Clock) -> None:
    store = make()
    one, other = board_on(store, clock), board_on(make(), clock)

    def calls_known_to_a_third() -> int:
        return board_on(make(), clock).peek(TARGET).calls(clock.now, CONFIG.window)

    for _ in range(5):
        for board in (one, other):
            board.succeeded(admitted(board))
    assert calls_known_to_a_third() == 2  # each one's first

    clock.now += 1
    one.succeeded(admitted(one))
    assert calls_known_to_a_third() == 2 + 4

    other.peek(TARGET)
    assert calls_known_to_a_third() == 2 + 4 + 4

    one.succeeded(admitted(one))
    store.close()
    assert calls_known_to_a_third() == 2 + 4 + 4 + 2
    assert one.peek(TARGET).calls(clock.now, CONFIG.window) == 12  # closed, and usable all the same


def test_what_a_person_forgets_is_forgotten_everywhere(make: Make, clock: Clock) -> None:
    one, other = board_on(make(), clock), board_on(make(), clock)
    fail(one)
    fail(one, target=OTHER)
    clock.now += 1
    assert other.peek(TARGET).state == "open"

    other.reset("openai")

    clock.now += 1
    assert one.snapshot().keys() == {OTHER}


_WORK = """
import sys, time
from homeostasis_llm.manager.board import HealthBoard
from homeostasis_llm.manager.breaker import BreakerConfig
from homeostasis_llm.manager import database, redis
from homeostasis_llm.manager.stores import FileStore, RedisStore
from homeostasis_llm.manager.target import Target

database._PATIENCE = redis._PATIENCE = 30.0
place, calls = sys.argv[1], int(sys.argv[2])
store = (RedisStore if place.startswith("redis:") else FileStore)(place)
config = BreakerConfig(failure_threshold=3, min_calls=1000, open_seconds=5, probe_seconds=60, window=3600)
board = HealthBoard(config, store, lambda: 1_800_000_005.0)
target = Target("openai")
print("ready", flush=True)
sys.stdin.readline()
permit = board.admit(target)
print("probe" if permit and permit.probe else permit, flush=True)
sys.stdin.readline()
if permit:
    board.succeeded(permit)
while board.admit(target) is None:  # until it sees that the probe has closed it
    time.sleep(0.05)
for number in range(calls):
    board.succeeded(board.admit(target))
    if number % 10 == 0:
        board._store.close()  # as if a second had passed
store.close()
assert store._reachable
"""


def test_of_four_processes_one_is_the_probe_and_no_call_of_any_is_lost(
    place: str, make: Make, clock: Clock, child_environment: dict[str, str]
) -> None:
    target = Target("openai")
    fail(board_on(make(), clock), target=target)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _WORK, place, "50"],
            env=child_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        assert [_line_of(child) for child in children] == ["ready"] * 4
        for child in children:
            _tell(child)
        assert sorted(_line_of(child) for child in children) == ["None"] * 3 + ["probe"]
        for child in children:
            _tell(child)
        for child in children:
            child.communicate(timeout=A_LONG_TIME)
        assert [child.returncode for child in children] == [0] * 4
    finally:
        for child in children:
            child.kill()
            child.communicate()

    clock.now += 10
    assert board_on(make(), clock).peek(target).calls(clock.now, 3600) == 1 + 4 * 50


def _line_of(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


@pytest.mark.parametrize("kind", ["garbage", "folder", "below a file"])
def test_a_file_that_cannot_be_used_is_told_of_once_and_done_without(
    kind: str, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "health.sqlite"
    match kind:
        case "garbage":
            path.write_bytes(b"this is no database at all " * 100)
        case "folder":
            path.mkdir()
        case _:
            path.write_bytes(b"")
            path = path / "health.sqlite"

    board = board_on(FileStore(path, clock), clock)
    fail(board)
    for _ in range(20):
        assert board.admit(TARGET) is None
        clock.now += 0.2
    board.close()

    assert board.peek(TARGET).state == "open"
    (warning,) = warnings_of(caplog)
    assert warning.startswith(f"{path}: health is kept in this process alone until it can be reached: ")
    assert ("delete the file to start afresh" in warning) is (kind == "garbage")


def test_a_file_that_nobody_may_write_is_told_of_once(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "health.sqlite"
    board = board_on(FileStore(path, clock), clock)
    fail(board, 1)
    # As a full or read-only disk has SQLite say; permissions do not bind root, whom tests may run as.
    board._store._place._file._connection.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]  # looked into

    fail(board, 2)
    assert board.peek(TARGET).state == "open"
    assert len(warnings_of(caplog)) == 1


def test_a_file_that_another_process_holds_is_done_without_until_it_is_free(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient(monkeypatch, 0.5)
    caplog.set_level(logging.INFO)
    path = tmp_path / "health.sqlite"
    board = board_on(FileStore(path, clock), clock)
    fail(board, 1)
    hog = sqlite3.connect(path, isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")

    fail(board, 2)
    assert board.peek(TARGET).state == "open"
    assert len(warnings_of(caplog)) == 1

    hog.execute("ROLLBACK")
    hog.close()
    comes_back(board, clock, caplog)
    board.peek(TARGET)
    other = board_on(FileStore(path, clock), clock)
    assert other.peek(TARGET).state == "open"
    board.close()
    other.close()


def test_threads_that_make_the_file_at_once_all_get_to_use_it(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10):
        path = tmp_path / f"{number}.sqlite"
        together = Barrier(6)

        def make_it(path: Path = path, together: Barrier = together) -> None:
            store = FileStore(path, clock)
            together.wait()
            store.update(TARGET, timed(0.5, None))
            store.close()

        threads = [Thread(target=make_it) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert not warnings_of(caplog)


def test_a_file_that_is_deleted_is_made_anew(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "health.sqlite"
    board = board_on(FileStore(path, clock), clock)
    fail(board)
    for leftover in tmp_path.glob("health.sqlite*"):
        leftover.unlink()
    clock.now += 1
    assert board.snapshot() == {}
    fail(board, target=OTHER)

    other = board_on(FileStore(path, clock), clock)
    assert other.snapshot().keys() == {OTHER}
    board.close()
    other.close()
    assert not warnings_of(caplog)


def test_a_change_that_fails_leaves_the_file_to_others(tmp_path: Path, clock: Clock) -> None:
    one, other, later = (FileStore(tmp_path / "health.sqlite", clock) for _ in range(3))
    states = [Health(latency=1.0)]

    with pytest.raises(IndexError):  # at the second time, upon what is in the file
        one.update(TARGET, lambda _: states.pop())

    assert other.update(OTHER, timed(0.5, None)).latency == 0.5
    other.close()
    assert later.read_all().keys() == {OTHER}
    later.close()
    one._place.close()


def test_the_file_is_its_owners_alone(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "health.sqlite"
    store = FileStore(path, clock)
    store.update(TARGET, timed(0.5, None))
    store.close()

    assert path.stat().st_mode & 0o077 == 0 or sys.platform == "win32"


def test_what_another_version_wrote_and_nobody_understands_counts_as_nothing(make: Make, place: str) -> None:
    make().update(OTHER, timed(0.5, None))
    if place.startswith("redis:"):
        import redis

        client = redis.Redis.from_url(place)
        client.hset(HASH, '["openai", "vendor/gpt-x:free", "the #2 k\\u00e9y"]', '{"state": "asleep"}')
        for field in ("no json", "7", '["one"]', "[1, 2, 3]"):
            client.hset(HASH, field, "{}")
        client.close()
    else:
        connection = sqlite3.connect(place, isolation_level=None)
        connection.execute("INSERT INTO health VALUES (?, ?, ?, '{')", (TARGET.provider, TARGET.model, TARGET.key))
        connection.close()

    store = make()
    assert {target: health.latency for target, health in store.read_all().items()} == {TARGET: None, OTHER: 0.5}
    assert store.update(TARGET, timed(0.25, None)).latency == 0.25
    assert make().read(TARGET).latency == 0.25


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_opens_the_file_for_itself(
    tmp_path: Path, clock: Clock, child_environment: dict[str, str]
) -> None:
    path = tmp_path / "health.sqlite"
    work = f"""
import os
from homeostasis_llm.manager.stores import FileStore
from homeostasis_llm.manager.target import Target
from tests.manager.test_health_stores import timed
store = FileStore({str(path)!r})
store.update(Target("parent"), timed(0.5, None))
if (child := os.fork()) == 0:
    store.update(Target("child"), timed(0.5, None))
    store.close()
    os._exit(0 if store._reachable and store._place._file._of_the_parent else 1)
_, status = os.waitpid(child, 0)
assert status == 0, status
store.update(Target("parent"), timed(0.5, None))
store.close()
"""
    subprocess.run([sys.executable, "-c", work], env=child_environment, check=True, timeout=A_LONG_TIME)

    store = FileStore(path, clock)
    assert store.read_all().keys() == {Target("parent"), Target("child")}
    store.close()


def test_a_redis_that_dies_costs_one_warning_and_when_it_returns_empty_all_is_there_again(
    redis_server: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, other = (board_on(RedisStore(redis_server.url, clock), clock) for _ in range(2))
    fail(one, target=OTHER)

    redis_server.stop()
    clock.now += 1
    fail(one)
    for _ in range(20):
        clock.now += 0.1
        assert one.admit(TARGET) is None
        assert one.admit(OTHER) is None
    (warning,) = warnings_of(caplog)
    assert f"redis://127.0.0.1:{redis_server.port}/0: health is kept in this process alone" in warning

    redis_server.start()
    comes_back(one, clock, caplog)
    one.peek(TARGET)

    assert {target: health.state for target, health in other.snapshot().items()} == {TARGET: "open", OTHER: "open"}
    probe = admitted(one)
    assert other.admit(TARGET) is None
    one.succeeded(probe)
    clock.now += 1
    assert not admitted(other).probe
    assert len(warnings_of(caplog)) == 1
    for board in (one, other):
        board.close()


def test_what_others_changed_later_wins_when_a_redis_returns(
    redis_server: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient(monkeypatch, 0.5)
    caplog.set_level(logging.INFO)
    one, other = (board_on(RedisStore(redis_server.url, clock), clock) for _ in range(2))
    fail(one)
    redis_server.freeze()
    clock.now += 1
    assert one.peek(TARGET).state == "open"
    redis_server.thaw()
    clock.now += 4
    other.succeeded(admitted(other))

    comes_back(one, clock, caplog)

    assert one.peek(TARGET).state == "closed"
    for board in (one, other):
        board.close()


def test_a_redis_that_hangs_is_waited_for_once(
    redis_server: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient(monkeypatch, 0.5)
    board = board_on(RedisStore(redis_server.url, clock), clock)
    fail(board, 1)
    redis_server.freeze()
    clock.now += 1

    fail(board, 2)

    assert board.admit(TARGET) is None
    assert len(warnings_of(caplog)) == 1
    board.close()


def test_while_one_thread_waits_for_a_redis_the_others_go_on(
    redis_server: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = RedisStore(redis_server.url, clock)
    board = board_on(store, clock)
    fail(board, 1)
    redis_server.freeze()
    clock.now += 1
    waiting = Thread(target=board.peek, args=(TARGET,))
    waiting.start()
    wait_until(store._lock.locked)

    assert not admitted(board).probe

    assert waiting.is_alive()
    redis_server.thaw()
    waiting.join()
    assert not warnings_of(caplog)
    board.close()


def test_a_redis_that_hangs_up_is_asked_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        calls: list[object] = []

        def hang_up() -> None:
            with suppress(OSError):  # when the listener is shut
                while True:
                    connection, address = listener.accept()
                    calls.append(address)
                    connection.close()

        hanging_up = Thread(target=hang_up)
        hanging_up.start()
        board = board_on(RedisStore(f"redis://127.0.0.1:{listener.getsockname()[1]}", clock), clock)
        fail(board)
        assert board.admit(TARGET) is None
        board.close()
        listener.shutdown(socket.SHUT_RDWR)
        hanging_up.join()

    assert len(calls) == 1
    assert len(warnings_of(caplog)) == 1


def test_a_redis_forgets_what_nobody_has_written_to_for_a_week(redis_server: RedisServer, clock: Clock) -> None:
    import redis

    store = RedisStore(redis_server.url, clock)
    store.update(TARGET, timed(0.5, None))
    store.close()

    client = redis.Redis.from_url(redis_server.url)
    assert 6 * 86_400 < int(client.ttl(HASH)) <= 7 * 86_400
    client.close()


def test_a_redis_that_was_never_there_and_one_that_refuses_are_done_without(
    redis_server: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    import redis

    client = redis.Redis.from_url(redis_server.url)
    client.set(HASH, "another program's")
    client.close()
    refusing = board_on(RedisStore(redis_server.url, clock), clock)
    fail(refusing)
    assert refusing.admit(TARGET) is None
    refusing.close()
    redis_server.stop()
    absent = board_on(RedisStore(redis_server.url.replace("//", "//user:made-up-password@"), clock), clock)
    fail(absent)
    assert absent.admit(TARGET) is None
    absent.close()

    wrong_type, gone = warnings_of(caplog)
    assert "WRONGTYPE" in wrong_type
    assert "refused" in gone.lower()
    assert "made-up-password" not in caplog.text


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://localhost:port", ""])
def test_what_is_no_address_of_a_redis_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^The URL of the Redis that shares health: .+$"):
        RedisStore(url)


def test_without_its_package_redis_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: dict[str, Any] = sys.modules
    monkeypatch.setitem(modules, "redis", None)

    with pytest.raises(LLMError, match=r"pip install 'homeostasis-llm\[redis\]'$"):
        RedisStore("redis://localhost")


def test_redis_is_loaded_by_those_who_use_it(child_environment: dict[str, str]) -> None:
    code = "import sys, homeostasis_llm.manager.board; print('redis' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], env=child_environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list what is open")
def test_a_store_that_nobody_closes_closes_its_file_when_nobody_has_it(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "health.sqlite"
    store = FileStore(path, clock)
    store.update(TARGET, timed(0.5, None))
    assert str(path) in _opened()

    del store
    gc.collect()

    assert not [name for name in _opened() if name.startswith(str(path))]


def _opened() -> list[str]:
    found = []
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # what has listed them is gone
            found.append(str(one.readlink()))
    return found
