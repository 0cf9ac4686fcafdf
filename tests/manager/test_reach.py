"""A place that cannot be reached is told of once, and left alone until it can be."""

from __future__ import annotations

import contextlib
from threading import Event

import pytest

from homeostasis_llm.manager.reach import TRY_AGAIN_AFTER, Reach, UnreachableError


def fail() -> None:
    raise UnreachableError("it is gone")


def test_what_the_place_says_is_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    assert Reach("place", "we do without", fail).use(lambda: 7) == 7
    assert not caplog.records


def test_a_lost_place_is_not_asked_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    reach = Reach("place", "we do without", fail, clock=lambda: 0.0)
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        fail()

    for _ in range(3):
        with pytest.raises(UnreachableError):
            reach.use(ask)

    assert asked == 1
    assert [record.getMessage() for record in caplog.records] == [
        "place: we do without until it can be reached: it is gone"
    ]


def test_of_several_that_are_on_their_way_one_tells(caplog: pytest.LogCaptureFixture) -> None:
    reach = Reach("place", "we do without", fail, clock=lambda: 0.0)

    def first_another_fails() -> None:
        with contextlib.suppress(UnreachableError):
            reach.use(fail)
        fail()

    with pytest.raises(UnreachableError):
        reach.use(first_another_fails)

    assert len(caplog.records) == 1


def test_it_is_looked_for_every_few_seconds_by_a_thread_of_its_own() -> None:
    now = 0.0
    looked = Event()
    reach = Reach("place", "we do without", looked.set, clock=lambda: now)
    with pytest.raises(UnreachableError):
        reach.use(fail)

    now += TRY_AGAIN_AFTER / 2
    with pytest.raises(UnreachableError):
        reach.use(fail)
    assert not looked.is_set()

    now += TRY_AGAIN_AFTER / 2
    with pytest.raises(UnreachableError):
        reach.use(fail)
    assert looked.wait(10)


def test_a_mistake_of_ours_is_no_lost_place() -> None:
    reach = Reach("place", "we do without", fail)

    with pytest.raises(ZeroDivisionError):
        reach.use(lambda: 1 // 0)
    assert reach.use(lambda: 7) == 7
