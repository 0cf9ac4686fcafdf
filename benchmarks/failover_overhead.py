# ruff: noqa: T201  # it prints what it has measured
"""What one call costs when the first of two providers is dead, against asking the second one directly.

    python benchmarks/failover_overhead.py [ROUNDS]

All in one run on loopback, one after the other in each round, so that all meet the same load; medians over the rounds.
`provider only` has no HTTP at all, and so shows what the manager itself takes.
"""

from __future__ import annotations

import socket
import statistics
import sys
import time
from collections.abc import Callable

import litellm

from homeostasis_llm import (
    BreakerConfig,
    ChatHomeostasis,
    LLMError,
    LLMManager,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    RetryConfig,
)
from homeostasis_llm.testing import FaultServer

QUESTION = LLMRequest(messages=[LLMMessage(role="user", content="Say hello.")])
CALLS = 20
"""In a row, for each way and round."""


class Instant(LLMProviderInterface):
    """Answers without asking anybody."""

    needs_key = False
    name = "instant"
    default_model = "none"

    def complete(self, request: LLMRequest) -> LLMResponse:
        """The same answer always."""
        return LLMResponse(content="Hello.", provider=self.name, model=request.model)

    def validate_key(self, api_key: str) -> bool:
        """There is none."""
        return not api_key

    def get_available_models(self) -> list[str]:
        """Its only one."""
        return [self.default_model]


def dead_url() -> str:
    """An address at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}/v1"


def opened(*providers: LLMProviderInterface) -> LLMManager:
    """A manager that has found out that the first is dead, and will not ask it again for a while."""
    manager = LLMManager(
        providers=providers,
        retry_config=RetryConfig(base_delay=0.0, max_delay=0.0),
        breaker=BreakerConfig(open_seconds=3600, max_open_seconds=3600),
    )
    for _ in range(6):
        manager.complete(QUESTION)
    return manager


def milliseconds(call: Callable[[], object]) -> float:
    """What one call takes."""
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - started) / CALLS * 1000


def main() -> None:
    """Measure, and print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with FaultServer() as server:
        url = f"{server.url}/v1"
        dead = ProviderFactory.create_provider("mistral", "k3y", base_url=dead_url())
        alive = ProviderFactory.create_provider("groq", "k3y", base_url=url)
        instant = Instant()
        managed, managed_instant = opened(dead, alive), opened(dead, instant)
        messages = [{"role": "user", "content": "Say hello."}]
        alone = {"model": "openai/x", "api_base": url, "api_key": "k3y"}
        router = litellm.Router(
            model_list=[
                {
                    "model_name": "first",
                    "litellm_params": {"model": "openai/x", "api_base": dead.__dict__["_base_url"], "api_key": "k3y"},
                },
                {"model_name": "second", "litellm_params": alone},
            ],
            fallbacks=[{"first": ["second"]}],
            num_retries=0,
        )
        chain = ChatHomeostasis(provider=dead).with_fallbacks(
            [ChatHomeostasis(provider=alive)], exceptions_to_handle=(LLMError,)
        )
        ways: dict[str, tuple[Callable[[], object], str]] = {
            "provider only, direct": (lambda: instant.complete(QUESTION), ""),
            "provider only, LLMManager": (lambda: managed_instant.complete(QUESTION), "provider only, direct"),
            "HTTP, direct": (lambda: alive.complete(QUESTION), ""),
            "HTTP, LLMManager": (lambda: managed.complete(QUESTION), "HTTP, direct"),
            "HTTP, LangChain with_fallbacks": (lambda: chain.invoke("Say hello."), "HTTP, direct"),
            "HTTP, litellm direct": (lambda: litellm.completion(messages=messages, **alone), ""),
            "HTTP, litellm.Router": (lambda: router.completion("first", messages), "HTTP, litellm direct"),
        }
        measured: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, (call, _) in ways.items():
                took = milliseconds(call)
                if number:  # the first round is to warm up
                    measured[name].append(took)
        medians = {name: statistics.median(times) for name, times in measured.items()}
        for name, (_, base) in ways.items():
            against = (
                ""
                if not base
                else f"   × {medians[name] / medians[base]:5.2f} of {base}, + {medians[name] - medians[base]:.3f} ms"
            )
            print(f"{name:32} {medians[name]:8.3f} ms{against}")


if __name__ == "__main__":
    main()
