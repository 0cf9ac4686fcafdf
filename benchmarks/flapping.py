# ruff: noqa: T201  # it prints what it has measured
"""Ask three servers that are each down a third of the time, never all at once, and count what callers notice of it.

    python benchmarks/flapping.py [REQUESTS [CONCURRENT]]

The first server answers 503 while it is down, the second resets connections, the third refuses them. Peers that fail
over are asked the same; none of them knows that a server is down, so each pays for it with every request.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from homeostasis_llm import (
    BreakerConfig,
    LLMManager,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    RetryConfig,
)
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import Step, error, reset

PERIOD = 12.0
"""Seconds; each server is down for a third of them."""
DEADLINE = 30.0
PROVIDERS = ("mistral", "groq", "deepseek")
"""Three that litellm asks over HTTP in the OpenAI dialect."""

QUESTION = LLMRequest(messages=[LLMMessage(role="user", content="Say hello.")], model=None)


@dataclass
class Outcome:
    """How one request went."""

    seconds: float
    failure: str | None


async def asked(ask: Callable[[], Awaitable[object]]) -> Outcome:
    """One request."""
    started = time.monotonic()
    try:
        await ask()
    except Exception as failure:  # noqa: BLE001  # a failure is a result here
        return Outcome(time.monotonic() - started, f"{type(failure).__name__}: {failure}"[:120])
    return Outcome(time.monotonic() - started, None)


async def storm(ask: Callable[[], Awaitable[object]], requests: int, concurrent: int) -> list[Outcome]:
    """All requests, so many at a time."""
    places = asyncio.Semaphore(concurrent)

    async def one() -> Outcome:
        async with places:
            return await asked(ask)

    return await asyncio.gather(*(one() for _ in range(requests)))


def flapping(stack: ExitStack) -> list[FaultServer]:
    """The three servers, going up and down by one clock."""
    servers = [stack.enter_context(FaultServer()) for _ in PROVIDERS]
    ways: list[Step | Literal["refuse"]] = [error(503), reset("before_headers"), "refuse"]
    for number, (server, by) in enumerate(zip(servers, ways, strict=True)):
        server.flap(period=PERIOD, down=1 / 3, phase=number / 3, by=by)
    return servers


def while_down(times: Sequence[float], number: int, after: float = 0.0) -> int:
    """How many of the times lie in those when that server was down, `after` seconds or more after it went down."""
    return sum(after <= (at / PERIOD + number / 3) % 1.0 * PERIOD < PERIOD / 3 for at in times)


def noting(provider: LLMProviderInterface) -> list[float]:
    """The times at which calls of that provider begin, from now on.

    With many calls at once their requests reach the server a while later, when its breaker may be open already.
    """
    times: list[float] = []
    ask = provider.acomplete

    async def noted(request: LLMRequest) -> LLMResponse:
        times.append(time.monotonic())
        return await ask(request)

    provider.acomplete = noted  # type: ignore[method-assign]
    return times


def report(name: str, outcomes: Sequence[Outcome], elapsed: float) -> None:
    """One line, and the failures."""
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    times = sorted(outcome.seconds for outcome in outcomes)
    p99 = times[int(0.99 * (len(times) - 1))]
    print(
        f"{name:24} failed {len(failures):5} of {len(outcomes)}   {len(outcomes) / elapsed:6.0f} requests/s   "
        f"median {statistics.median(times):6.3f} s   p99 {p99:6.3f} s   longest {times[-1]:6.3f} s"
    )
    for failure in sorted(set(failures))[:3]:
        print(f"{'':24} {failures.count(failure)} × {failure}")


async def ours(requests: int, concurrent: int) -> None:
    """Through `LLMManager`."""
    with ExitStack() as stack:
        servers = flapping(stack)
        providers = [
            ProviderFactory.create_provider(name, "k3y", base_url=f"{server.url}/v1")
            for name, server in zip(PROVIDERS, servers, strict=True)
        ]
        manager = LLMManager(
            providers=providers,
            retry_config=RetryConfig(deadline=DEADLINE),
            breaker=BreakerConfig(open_seconds=1.0, max_open_seconds=2.0),
        )
        await manager.acomplete(QUESTION)  # litellm is imported
        begun = [noting(provider) for provider in providers]
        # From when the first server is up: calls that find it down before anything is known are another case.
        await asyncio.sleep((1 / 3 - time.monotonic() / PERIOD) % 1.0 * PERIOD)
        tasks = len(asyncio.all_tasks())
        started = time.monotonic()
        outcomes = await storm(lambda: manager.acomplete(QUESTION), requests, concurrent)
        elapsed = time.monotonic() - started
        report("LLMManager", outcomes, elapsed)
        offset = time.time() - time.monotonic()
        for number, (server, times) in enumerate(zip(servers, begun, strict=True)):
            came = while_down([request.at - offset for request in server.requests], number)
            rate = while_down(times, number, after=1.0) / max(1.0, elapsed / PERIOD * (PERIOD / 3 - 1))
            print(
                f"{'':24} {PROVIDERS[number]}: {server.count} requests, {came} came while it was down, "
                f"{rate:.2f}/s were begun when it had been so for a second"
            )
        for provider in providers:
            provider.close()
        await asyncio.sleep(0.5)
        left = sum(server.open_connections for server in servers)
        print(f"{'':24} connections left open {left}, tasks left {len(asyncio.all_tasks()) - tasks}")


async def router(requests: int, concurrent: int) -> None:
    """Through litellm's own Router, with the same servers as its fallbacks."""
    import litellm

    with ExitStack() as stack:
        servers = flapping(stack)
        deployments = [
            {
                "model_name": name,
                "litellm_params": {"model": f"openai/{name}", "api_base": f"{server.url}/v1", "api_key": "k3y"},
            }
            for name, server in zip(PROVIDERS, servers, strict=True)
        ]
        asked_of = litellm.Router(
            model_list=deployments,
            fallbacks=[{PROVIDERS[0]: list(PROVIDERS[1:])}],
            num_retries=2,
            timeout=DEADLINE,
        )
        messages = [{"role": "user", "content": "Say hello."}]
        started = time.monotonic()
        outcomes = await storm(lambda: asked_of.acompletion(PROVIDERS[0], messages), requests, concurrent)
        report("litellm.Router", outcomes, time.monotonic() - started)
        asked_of.discard()


async def with_fallbacks(requests: int, concurrent: int) -> None:
    """Through LangChain's `with_fallbacks` over its own OpenAI model, where that is installed; else over ours."""
    from homeostasis_llm import ChatHomeostasis

    with ExitStack() as stack:
        servers = flapping(stack)
        first, *others = [
            ChatHomeostasis(
                provider=ProviderFactory.create_provider(name, "k3y", base_url=f"{server.url}/v1"), max_retries=2
            )
            for name, server in zip(PROVIDERS, servers, strict=True)
        ]
        chain = first.with_fallbacks(others)
        started = time.monotonic()
        outcomes = await storm(lambda: chain.ainvoke("Say hello."), requests, concurrent)
        report("with_fallbacks", outcomes, time.monotonic() - started)


async def main() -> None:
    """Ours with all requests, the peers with a tenth of them."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    concurrent = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    await ours(requests, concurrent)
    await router(max(1, requests // 10), concurrent)
    await with_fallbacks(max(1, requests // 10), concurrent)


if __name__ == "__main__":
    asyncio.run(main())
