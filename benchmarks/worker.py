"""One client in a process of its own, which does what it is told: `python -m benchmarks.worker CLIENT URL`.

So no client meets what another has imported, patched or left in memory. It reads one JSON object a line and answers
with one; what libraries print goes to standard error.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from . import loops, memory
from .clients import Client, Message, imported, make
from .orders import METHODS, Order
from .profiling import profiled
from .wire import ANSWER, text, tool_arguments

_ASK = {"call": loops.calls, "stream": loops.streams, "tool_call": loops.tool_calls}


class WrongAnswerError(Exception):
    """The client gave something else than the server had said."""


class Worker:
    """Carries out orders, with clients that it keeps."""

    def __init__(self, name: str, url: str) -> None:
        self._name, self._url = name, url
        self._clients: dict[tuple[Any, ...], Client] = {}
        self._runner = asyncio.Runner()

    def carry_out(self, order: Order) -> Any:
        """The answer to `order`, for JSON. Raises whatever the client raises, and `WrongAnswerError`."""
        messages = conversation(order.messages, order.characters)
        client = self._client(order, messages)
        if METHODS[order.doing] in client.lacks:
            return {"lacks": METHODS[order.doing]}

        def ask(times: int) -> loops.Took:
            return _ASK[METHODS[order.doing]](client, messages, times)

        match order.doing:
            case "acalls":
                return self._runner.run(loops.acalls(client, messages, order.times, order.at_once))
            case "astreams":
                return self._runner.run(loops.astreams(client, messages, order.times, order.at_once))
            case "grow_by_calls" | "grow_by_abandoned" as grow:
                leave = partial(loops.abandon, client, messages)
                return memory.growth(ask if grow == "grow_by_calls" else leave, order.times, order.seconds)
            case "profile_calls" | "profile_streams":
                return profiled(lambda: ask(order.times))
            case _:
                return ask(order.times)

    def _client(self, order: Order, messages: Sequence[Message]) -> Client:
        # One for sync and one for async: some keep their one event loop, whichever was first.
        key = (order.script, order.providers, order.doing in {"acalls", "astreams"})
        if key not in self._clients:
            client = make(self._name, f"{self._url}/{order.script}/v1", providers=order.providers)
            if METHODS[order.doing] not in client.lacks:
                self._check(client, order, messages)
            self._clients[key] = client
        return self._clients[key]

    def _check(self, client: Client, order: Order, messages: Sequence[Message]) -> None:
        """See that it understands what it is answered: nobody is fast who does nothing."""
        pieces = int(order.script.partition("-")[2] or 0)
        got: Any
        expected: Any
        match METHODS[order.doing]:
            case "call":
                got, expected = client.call(messages), ANSWER
            case "acall":
                got, expected = self._runner.run(client.acall(messages)), ANSWER
            case "stream":
                got, expected = "".join(client.stream(messages)), text(pieces)
            case "astream":
                got, expected = self._runner.run(_all(client.astream(messages))), text(pieces)
            case _:
                got, expected = client.tool_call(messages), tool_arguments(pieces)
        if got != expected:
            raise WrongAnswerError(f"gave {str(got)[:80]!r}, and not {str(expected)[:80]!r}")


def conversation(number: int, characters: int) -> Sequence[Message]:
    """So many messages in turn, the last one the user's, of so many characters together."""
    said = ("All work and no play. " * (characters // number // 22 + 1))[: max(1, characters // number)]
    return [Message(role="user" if (number - place) % 2 else "assistant", content=said) for place in range(number)]


async def _all(pieces: AsyncIterator[str]) -> str:
    return "".join([piece async for piece in pieces])


def main() -> None:
    """Read orders until there are no more."""
    name, url = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker(name, url)
    with suppress(Exception):  # it is told to who orders something
        imported(name)
    for line in sys.stdin:
        try:
            answer = worker.carry_out(Order(**json.loads(line)))
        except Exception as error:  # noqa: BLE001  # whatever a peer raises is told, and the others go on
            traceback.print_exc()
            answer = {"failed": f"{type(error).__name__}: {error}"[:200]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
