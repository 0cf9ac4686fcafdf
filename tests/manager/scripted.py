"""Providers that do as a test tells them, and a time that only passes when somebody waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from homeostasis_llm import LLMChunk, LLMManager, LLMMessage, LLMProviderInterface, LLMRequest, LLMResponse, RetryConfig

HELLO = LLMRequest(messages=[LLMMessage(role="user", content="Hello?")])

START = 1_800_000_000.0

PATIENT = RetryConfig(jitter=False)
"""The defaults, with waits that can be foretold: 0.5 s, 1 s."""

ONCE = RetryConfig(max_retries=0)


class Time:
    """Seconds since 1970, and the waits that were made."""

    def __init__(self) -> None:
        self.now = START
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        """Let time pass that nobody has waited for."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Wait."""
        assert seconds >= 0
        self.waits.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        """Wait."""
        self.sleep(seconds)


class Says(LLMProviderInterface):
    """Does what it was told, in order, the last over and over: gives what is given, raises what is an exception.

    A tuple is what it streams, an exception in it is raised at that place.
    """

    def __init__(self, name: str, *script: Any, time: Time | None = None, takes: float = 0.0) -> None:
        """Each call takes `takes` seconds of `time`."""
        super().__init__()
        self._name = name
        self.script = list(script) or [f"{name} says hello"]
        self.asked: list[LLMRequest] = []
        self.closed = 0
        self._time, self._takes = time, takes

    @property
    def name(self) -> str:
        return self._name

    @property
    def default_model(self) -> str:
        return f"{self._name}-1"

    def complete(self, request: LLMRequest) -> LLMResponse:
        said = self._next(request)
        if isinstance(said, BaseException):
            raise said
        return LLMResponse(content=said) if type(said) is str else said

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk | str]:
        said = self._next(request)
        try:
            for piece in said if isinstance(said, tuple) else (said,):
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.closed += 1

    def _next(self, request: LLMRequest) -> Any:
        self.asked.append(request)
        if self._time is not None:
            self._time.pass_(self._takes)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def validate_key(self, api_key: str) -> bool:
        return bool(api_key)

    def get_available_models(self) -> list[str]:
        return [self.default_model]


def managed(
    *providers: LLMProviderInterface | str, time: Time, retry_config: RetryConfig | None = PATIENT, **options: Any
) -> LLMManager:
    """A manager of these providers that lives in `time`."""
    return LLMManager(
        retry_config=retry_config,
        **{"providers": providers or None, "random": lambda: 0.5, **options},
        clock=time,
        timer=time,
        sleep=time.sleep,
        asleep=time.asleep,
    )


def asked(*providers: Says) -> list[int]:
    """How often each was asked."""
    return [len(provider.asked) for provider in providers]
