"""What is asked of whom, and for how long: the plan of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .clients import CHOOSING, CLIENTS
from .orders import Order

Kind = Literal["one", "scale"]

_NAMES = tuple(CLIENTS)
_NOT_AGAIN = tuple(name for name in _NAMES if not name.endswith("full lane") or name.startswith("ChatHomeostasis(p"))
_SCALED = (
    "httpx", "openai", "litellm", "ChatLiteLLM", "ChatOpenAI", "provider", "ChatHomeostasis(provider)",
    "ChatHomeostasis(manager)", "ChatHomeostasis(provider), full lane",
)  # fmt: skip
_AT_ONCE = ("aiohttp", "httpx over aiohttp", *_SCALED)
_GROWING = ("openai", "litellm", "litellm Router", "ChatLiteLLM", "ChatOpenAI")


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: who is asked what, round after round."""

    name: str
    order: Order
    clients: tuple[str, ...] = _NAMES
    seconds: float = 20
    """For all rounds together; there are at least `least` all the same."""
    least: int = 3
    most: int = 30
    slice: float = 0.1
    """Seconds of one client's turn, from which follows how often it asks in it."""
    fewest: int = 1
    """Times in one turn."""


@dataclass(frozen=True, slots=True)
class Growing:
    """A client that does something very often."""

    what: str
    order: Order
    clients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run."""

    cases: tuple[Case, ...]
    growing: tuple[Growing, ...]
    start_rounds: int
    """Of what targets are about; the other programs are started once, after a first time that does not count."""
    embedded_rounds: int
    embedded_tokens: int
    profile_times: int
    seconds: float
    """After which each case that is left gets its fewest rounds."""


CALL, ACALL, STREAM, ASTREAM = "call", "100 async calls at once", "stream of 200", "async stream of 200"
LONG_STREAM, LONG_ASTREAM, TOOL = "stream of 2,000", "async stream of 2,000", "tool call of 40 pieces"
MESSAGES, CHARACTERS, PROVIDERS, STREAMS = "messages", "characters", "providers", "streams at once"
SCALES = {
    MESSAGES: (1, 10, 100, 1000),
    CHARACTERS: (1_000, 100_000, 1_000_000),
    PROVIDERS: (1, 10, 100),
    STREAMS: (1, 10, 100),
}
PIECES = {STREAM: 200, ASTREAM: 200, LONG_STREAM: 2000, LONG_ASTREAM: 2000, TOOL: 40}
CALLS, ABANDONED = "10,000 calls", "1,000 abandoned streams"
GROWN = {CALLS: 10_000, ABANDONED: 1_000}


def scaled(scale: str, size: int) -> str:
    """The name of the case of one size."""
    return f"{scale}: {size}"


def whole() -> Plan:
    """For figures to be kept: under ten minutes on two quiet cores."""
    long = {"clients": _NOT_AGAIN, "least": 2, "slice": 0.0}
    return Plan(
        cases=(
            Case(CALL, Order(doing="calls"), seconds=15),
            Case(ACALL, Order(doing="acalls", at_once=100), seconds=25, fewest=100),
            Case(STREAM, Order(doing="streams", script="stream-200"), seconds=20),
            Case(ASTREAM, Order(doing="astreams", script="stream-200"), seconds=20),
            Case(LONG_STREAM, Order(doing="streams", script="stream-2000"), seconds=20, **long),  # type: ignore[arg-type]  # mypy sees one type for all
            Case(LONG_ASTREAM, Order(doing="astreams", script="stream-2000"), seconds=20, **long),  # type: ignore[arg-type]  # as above
            Case(TOOL, Order(doing="tool_calls", script="tool-40"), seconds=12),
            *_scales(),
        ),
        growing=_growing(10_000, 1_000, 1_000),
        start_rounds=9,
        embedded_rounds=4,
        embedded_tokens=64,
        profile_times=300,
        seconds=330,
    )


def quick() -> Plan:
    """Everything once, of few: it shows that all of it runs, and no more. Its figures are good for nothing."""
    few = ("ChatOpenAI", "ChatHomeostasis(provider)", "ChatHomeostasis(manager)")
    left_out = ("litellm", "provider", "LLMManager")  # their relatives stand for them: each import takes seconds
    ask_all = tuple(name for name in _NAMES if not name.startswith(left_out) and not name.endswith("full lane"))
    return Plan(
        cases=tuple(
            replace(
                case,
                clients=tuple(name for name in (few if ":" in case.name else ask_all) if name in case.clients),
                order=_smaller(case.order),
                seconds=0,
                least=1,
                slice=0,
                fewest=min(case.fewest, 4),
            )
            for case in whole().cases
            if case.name not in {LONG_STREAM, LONG_ASTREAM}
        ),
        growing=_growing(30, 30, 30, clients=("ChatHomeostasis(provider)",)),
        start_rounds=1,
        embedded_rounds=1,
        embedded_tokens=4,
        profile_times=2,
        seconds=0,
    )


def _smaller(order: Order) -> Order:
    return replace(
        order,
        script=order.script.replace("-200", "-5"),
        at_once=min(order.at_once, 4),
        messages=min(order.messages, 10),
        characters=min(order.characters, 1_000),
        providers=min(order.providers, 3),
    )


def _scales() -> list[Case]:
    cases = [
        Case(
            scaled(MESSAGES, size),
            Order(doing="calls", messages=size, characters=max(20, 20 * size)),
            clients=_SCALED,
            seconds=3,
        )
        for size in SCALES[MESSAGES]
    ]
    cases += [
        Case(scaled(CHARACTERS, size), Order(doing="calls", characters=size), clients=_SCALED, seconds=4)
        for size in SCALES[CHARACTERS]
    ]
    cases += [
        Case(scaled(PROVIDERS, size), Order(doing="calls", providers=size), clients=CHOOSING, seconds=3)
        for size in SCALES[PROVIDERS]
    ]
    cases += [
        Case(
            scaled(STREAMS, size),
            Order(doing="astreams", script="stream-50", at_once=size),
            clients=_AT_ONCE,
            seconds=5,
            least=2,
            fewest=size,
        )
        for size in SCALES[STREAMS]
    ]
    return cases


def _growing(ours: int, theirs: int, streams: int, clients: tuple[str, ...] | None = None) -> tuple[Growing, ...]:
    chats = ("ChatHomeostasis(provider)", "ChatHomeostasis(manager)") if clients is None else clients
    peers = _GROWING if clients is None else ()
    abandoned = Order(doing="grow_by_abandoned", script="stream-200", times=streams)
    return (
        Growing(CALLS, Order(doing="grow_by_calls", times=ours), chats),
        Growing(CALLS, Order(doing="grow_by_calls", times=theirs, seconds=5), peers),
        Growing(ABANDONED, abandoned, chats),
        Growing(ABANDONED, replace(abandoned, times=min(streams, 300), seconds=5), peers),
    )
