"""The fault server itself: its script, what it notes, its life."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import Request, Step, answer, error, forward, silence

from .asking import KEY, asked, connect, hang_up_with_a_reset, hear, post, written


def _text(found: httpx.Response) -> str:
    return str(found.json()["choices"][0]["message"]["content"])


def _heard_of(connections: list[socket.socket]) -> list[socket.socket]:
    """Those at which something has come, be it their end."""
    return select.select(connections, [], [], 0)[0]


def test_steps_are_taken_in_the_order_they_were_queued_and_then_the_standing_one(server: FaultServer) -> None:
    server.always(answer("standing"))
    server.then(answer("first"), error(429))
    server.then(error(500))

    answers = [post(server) for _ in range(5)]

    assert [found.status_code for found in answers] == [200, 429, 500, 200, 200]
    assert _text(answers[0]) == "first"
    assert _text(answers[4]) == "standing"
    assert server.count == 5


def test_what_nobody_scripted_is_a_good_answer(server: FaultServer) -> None:
    assert _text(post(server)).startswith("Grüße")


def test_a_script_may_choose_its_step_by_the_request(server: FaultServer) -> None:
    def by_model(request: Request) -> Step:
        return error(404) if request.json["model"] == "none" else answer("here")

    server.always(by_model)

    assert [post(server, model=name).status_code for name in ("some", "none")] == [200, 404]


def test_a_mistake_in_a_script_is_raised_where_the_server_ends() -> None:
    def ask() -> None:
        with FaultServer() as server:
            server.always(lambda request: request.json["no such field"])
            assert hear(server).data == b""

    with pytest.raises(KeyError, match="no such field"):
        ask()


def test_a_step_that_needs_an_upstream_is_refused_without_one(server: FaultServer) -> None:
    for script in (server.then, server.always):
        with pytest.raises(ValueError, match=r"FaultServer\(upstream=url\)"):
            script(forward())
    with pytest.raises(ValueError, match=r"FaultServer\(upstream=url\)"):
        server.flap(period=1, down=1, by=forward())


def test_a_script_that_chooses_such_a_step_is_a_mistake() -> None:
    def ask() -> None:
        with FaultServer() as server:
            server.always(lambda _: forward())
            assert hear(server).data == b""

    with pytest.raises(ValueError, match=r"FaultServer\(upstream=url\)"):
        ask()


def test_a_request_is_noted_as_it_came(server: FaultServer) -> None:
    httpx.post(f"{server.url}/v1/chat/completions?a=1&a=2&b=", json=asked(), headers={"X-Thing": "k"})

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.query == {"a": ["1", "2"], "b": [""]}
    assert request.headers["x-thing"] == request.headers["X-THING"] == "k"
    assert "authorization" not in request.headers
    assert request.json == asked()
    assert isinstance(request.body, bytes)
    assert (request.connection, request.finished, request.abandoned) == (1, True, False)
    assert request.at > 1_700_000_000
    assert request.step == answer()


def test_requests_on_a_kept_connection_have_its_number(server: FaultServer) -> None:
    with httpx.Client() as kept, httpx.Client() as other:
        for client in (kept, kept, other):
            client.post(f"{server.url}/chat/completions", json=asked())

    assert [request.connection for request in server.requests] == [1, 1, 2]
    assert server.connections == 2


def test_connections_are_counted_while_they_are_open(server: FaultServer) -> None:
    with httpx.Client() as client:
        client.post(f"{server.url}/chat/completions", json=asked())
        assert server.open_connections == 1

    server.wait_until(lambda: server.open_connections == 0)


def test_the_most_requests_at_once_are_told(server: FaultServer) -> None:
    server.always(silence())
    waiting = [connect(server) for _ in range(3)]
    for found in waiting:
        found.sendall(written())
    server.wait_until(lambda: server.concurrency == 3)

    for found in waiting:
        found.close()

    server.wait_until(lambda: server.concurrency == 0)
    assert server.highest_concurrency == 3


@pytest.mark.parametrize("hang_up", [socket.socket.close, hang_up_with_a_reset], ids=["in order", "with a reset"])
@pytest.mark.parametrize("step", [silence(), answer(delay=60), answer(between=60)], ids=["silent", "late", "slow"])
def test_a_client_that_hangs_up_before_the_end_has_abandoned_its_request(
    step: Step, hang_up: object, server: FaultServer
) -> None:
    assert callable(hang_up)
    server.then(step)
    found = connect(server)
    found.sendall(written(stream=True))
    server.wait_until(lambda: server.count == 1)
    assert not server.requests[0].finished

    hang_up(found)

    server.wait_until(lambda: server.requests[0].finished)
    assert server.requests[0].abandoned
    assert (server.open_connections, server.concurrency) == (0, 0)


def test_a_request_that_the_server_itself_gives_up_is_not_abandoned() -> None:
    with FaultServer() as server:
        server.then(silence())
        found = connect(server)
        found.sendall(written())
        server.wait_until(lambda: server.count == 1)

    found.close()
    (request,) = server.requests
    assert (request.finished, request.abandoned) == (True, False)


def test_a_dead_server_refuses_new_connections_and_resets_open_ones(server: FaultServer) -> None:
    before = server.url
    with connect(server) as kept, httpx.Client() as client:
        server.stop_listening()

        with pytest.raises(httpx.ConnectError):
            client.get(f"{server.url}/models")
        with pytest.raises(ConnectionResetError):
            kept.recv(1)

        server.start_listening()
        assert server.url == before
        assert client.get(f"{server.url}/models").status_code == 200


def test_being_told_twice_changes_nothing(server: FaultServer) -> None:
    server.start_listening()
    assert post(server).status_code == 200

    server.stop_listening()
    server.stop_listening()
    with pytest.raises(httpx.ConnectError):
        post(server)


def test_nobody_else_gets_the_port_of_a_dead_server(server: FaultServer) -> None:
    port = urlsplit(server.url).port
    server.stop_listening()

    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))


def test_more_connections_than_allowed_are_refused_until_one_is_closed() -> None:
    with FaultServer(max_connections=2) as server:
        first, second = connect(server), connect(server)
        server.wait_until(lambda: server.open_connections == 2)

        for _ in range(3):
            with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
                connect(server).recv(1)

        first.close()
        server.wait_until(lambda: server.open_connections == 1)
        assert post(server).status_code == 200
        second.close()
        assert server.connections == 3


def test_of_connections_that_come_together_no_more_stay_than_allowed() -> None:
    def hold_up(_: Request) -> Step:
        held.set()
        go_on.wait(20)
        return answer()

    held, go_on = threading.Event(), threading.Event()
    with FaultServer(max_connections=3) as server, contextlib.ExitStack() as stack:
        server.always(hold_up)
        first = stack.enter_context(connect(server))
        first.sendall(written())
        held.wait(20)
        others = [stack.enter_context(connect(server)) for _ in range(10)]  # all taken at once when it goes on
        go_on.set()

        server.wait_until(lambda: len(_heard_of(others)) == 8)
        for refused in _heard_of(others):
            with pytest.raises(ConnectionResetError):
                refused.recv(1)
        assert server.connections == server.open_connections == 3


def test_it_serves_an_event_loop_as_well() -> None:
    async def ask() -> list[int]:
        async with FaultServer() as server, httpx.AsyncClient() as client:
            server.then(error(503))
            asks = [client.post(f"{server.url}/chat/completions", json=asked()) for _ in range(3)]
            return sorted(found.status_code for found in await asyncio.gather(*asks))

    assert asyncio.run(ask()) == [200, 200, 503]


def test_many_clients_get_each_their_own_answer(server: FaultServer) -> None:
    server.always(lambda request: answer(f"to {request.json['model']}"))

    with ThreadPoolExecutor(8) as pool, httpx.Client() as client:

        def ask(number: int) -> str:
            return _text(client.post(f"{server.url}/chat/completions", json=asked(model=str(number))))

        assert list(pool.map(ask, range(200))) == [f"to {number}" for number in range(200)]

    assert server.count == 200
    assert server.connections <= 8


def test_nothing_is_left_of_a_server() -> None:
    before = threading.active_count()

    with FaultServer() as server:
        server.always(silence())
        found = connect(server)
        found.sendall(written())
        server.wait_until(lambda: server.count == 1)
        port = urlsplit(server.url).port

    with pytest.raises(ConnectionResetError):
        found.recv(1)
    found.close()
    assert threading.active_count() == before
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


def test_an_address_is_only_there_inside() -> None:
    server = FaultServer()

    with pytest.raises(RuntimeError, match="inside its `with` statement"):
        _ = server.url


def test_a_server_that_has_ended_is_not_begun_again_and_keeps_what_it_has_seen() -> None:
    with FaultServer() as server:
        post(server)

    assert server.requests[0].json == asked()
    with pytest.raises(RuntimeError, match="make another"):
        server.__enter__()


def test_what_is_never_met_ends_with_the_last_requests(server: FaultServer) -> None:
    post(server)

    with pytest.raises(TimeoutError, match=r"within 0 s.*POST /chat/completions"):
        server.wait_until(lambda: False, timeout=0)


def test_no_key_is_shown(server: FaultServer) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-api-key": KEY, "x-goog-api-key": KEY, "cookie": f"session={KEY}"}
    httpx.post(f"{server.url}/chat/completions?key={KEY}&alt=sse", json=asked(), headers=headers)

    (request,) = server.requests
    assert request.headers["x-api-key"] == KEY
    for shown in (repr(request), str(request), repr(request.headers), repr(server.requests), repr([vars(server)])):
        assert KEY not in shown
    assert "'x-api-key': '***'" in repr(request)
    assert "?key=***&alt=***" in repr(request)
