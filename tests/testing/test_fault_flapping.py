"""A fault server that is down by a schedule."""

from __future__ import annotations

import httpx
import pytest

from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import answer, error, reset

from .asking import connect, hear, post


class Clock:
    """Stands still until it is told the time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_server_is_down_for_its_part_of_each_period(server: FaultServer) -> None:
    clock = Clock()
    server.flap(period=10, down=0.3, clock=clock)

    seen = {}
    for clock.now in (0.0, 2.9, 3.1, 9.9, 10.0, 12.9, 13.1):
        seen[clock.now] = (server.is_down, post(server).status_code)

    up, down = (False, 200), (True, 503)
    assert seen == {0.0: down, 2.9: down, 3.1: up, 9.9: up, 10.0: down, 12.9: down, 13.1: up}


def test_servers_in_different_phases_are_never_down_together() -> None:
    clock = Clock()
    servers = [FaultServer() for _ in range(3)]
    for index, found in enumerate(servers):
        found.flap(period=3, down=1 / 3, phase=index / 3, clock=clock)

    for step in range(300):
        clock.now = step / 50 + 0.001
        assert [found.is_down for found in servers].count(True) == 1


def test_what_is_queued_waits_for_better_times(server: FaultServer) -> None:
    clock = Clock()
    server.then(answer("kept"))
    server.flap(period=10, down=0.5, clock=clock, by=error(500))

    assert post(server).status_code == 500
    clock.now = 6

    assert "kept" in post(server).text


def test_a_server_may_reset_while_it_is_down(server: FaultServer) -> None:
    server.flap(period=10, down=0.5, clock=Clock(), by=reset())

    assert hear(server).ended == "reset"


def test_a_server_may_refuse_while_it_is_down(server: FaultServer) -> None:
    clock = Clock()
    clock.now = 6
    server.flap(period=10, down=0.5, clock=clock, by="refuse")

    with connect(server) as kept:
        server.wait_until(lambda: server.open_connections == 1)
        clock.now = 10
        with pytest.raises(ConnectionResetError):
            kept.recv(1)
        with pytest.raises(httpx.ConnectError):
            post(server)

    clock.now = 16
    server.wait_until(lambda: _listens(server))
    assert post(server).status_code == 200


def test_a_steady_server_flaps_no_more(server: FaultServer) -> None:
    server.flap(period=10, down=1, clock=Clock(), by="refuse")
    assert not _listens(server)

    server.steady()

    assert not server.is_down
    assert post(server).status_code == 200


@pytest.mark.parametrize(("period", "down"), [(0, 0.5), (1, 1.5), (1, -0.1)])
def test_a_schedule_that_cannot_be_is_refused(period: float, down: float, server: FaultServer) -> None:
    with pytest.raises(ValueError, match=r"flap: (period|down) is"):
        server.flap(period=period, down=down)


def _listens(server: FaultServer) -> bool:
    try:
        connect(server).close()
    except ConnectionRefusedError:
        return False
    return True
