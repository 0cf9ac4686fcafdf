# ruff: noqa: T201  # it prints what it has measured
"""What `gc.freeze()` is worth to a service: a hundred calls at once in one process, by turns with and without it.

    python -m benchmarks.freezing [ROUNDS]

Calls a second are over all of a turn, pauses and all; a pause is one run of the garbage collector.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from dataclasses import dataclass

from homeostasis_llm import ChatHomeostasis, ProviderFactory

from .server import serving
from .wire import KEY

CALLS, AT_ONCE = 3000, 100


@dataclass
class Turn:
    """What one turn took."""

    seconds: float
    longest_pause: float


class Pauses:
    """How long the collector's runs take, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = 0.0

    def __call__(self, phase: str, _: dict[str, int]) -> None:
        """What `gc.callbacks` calls."""
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.longest = max(self.longest, time.perf_counter() - self._began)


async def turn(chat: ChatHomeostasis, pauses: Pauses) -> Turn:
    """So many calls, a hundred at any time."""
    left = iter(range(CALLS))

    async def worker() -> None:
        for _ in left:
            await chat.ainvoke("Hello.")

    pauses.longest, started = 0.0, time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return Turn(time.perf_counter() - started, pauses.longest)


async def measure(chat: ChatHomeostasis, rounds: int) -> tuple[list[Turn], list[Turn]]:
    """The turns without and with it."""
    pauses = Pauses()
    gc.callbacks.append(pauses)
    await turn(chat, pauses)
    plain, frozen = [], []
    for _ in range(rounds):
        gc.unfreeze()
        plain.append(await turn(chat, pauses))
        gc.collect()
        gc.freeze()
        frozen.append(await turn(chat, pauses))
    return plain, frozen


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with serving() as url:
        provider = ProviderFactory.create_provider("openai", KEY, base_url=f"{url}/answer/v1")
        plain, frozen = asyncio.run(measure(ChatHomeostasis(provider=provider, model="m"), rounds))
    for name, turns in (("as it is", plain), ("frozen", frozen)):
        rate = CALLS / statistics.median(each.seconds for each in turns)
        longest = statistics.median(each.longest_pause for each in turns)
        print(f"{name:10} {rate:8,.0f} calls/s   longest pause {longest * 1000:6.0f} ms")
    ratio = statistics.median(one.seconds / other.seconds for one, other in zip(plain, frozen, strict=True))
    print(f"frozen : as it is {ratio:.2f}, of the calls in a second")


if __name__ == "__main__":
    main()
