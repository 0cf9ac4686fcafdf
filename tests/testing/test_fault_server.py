"""The fault server itself: its script, what it records, its life."""

from __future__ import annotations

import httpx
import pytest

from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import answer, error

ASKED = {"model": "some-model", "messages": [{"role": "user", "content": "Hi"}]}


def ask(server: FaultServer) -> httpx.Response:
    """A request as OpenAI's clients send it."""
    return httpx.post(f"{server.url}/chat/completions", json=ASKED)


def test_steps_are_taken_in_the_order_they_were_queued_and_then_the_standing_one() -> None:
    with FaultServer() as server:
        server.always(answer("standing"))
        server.then(answer("first"), error(429))
        server.then(error(500))

        answers = [ask(server) for _ in range(5)]

    assert [found.status_code for found in answers] == [200, 429, 500, 200, 200]
    assert answers[0].json()["choices"][0]["message"]["content"] == "first"
    assert answers[4].json()["choices"][0]["message"]["content"] == "standing"
    assert server.count == 5


def test_an_address_is_only_there_inside() -> None:
    server = FaultServer()

    with pytest.raises(RuntimeError, match="inside its `with` statement"):
        _ = server.url
