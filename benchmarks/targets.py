"""What we want of ourselves, as ratios within one run, and what they came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .arithmetic import ratio
from .cases import ABANDONED, ACALL, CALL, CALLS, STREAM
from .results import Results
from .starts import BARE_GET, command, imported
from .tables import CHAT, number

_NOISE = 0.01
"""Objects for each call, of which Python's own tables may keep some for a while."""
_BYTES = 64
"""For each call: no more than one small object."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target; `measured` is None where there are no figures."""

    what: str
    relation: Literal["≤", "<", "≥"]
    limit: float
    measured: float | None
    note: str = ""

    @property
    def wanted(self) -> str:
        """In words."""
        return f"{self.relation} {self.limit:g}{self.note}"

    def shown(self) -> str:
        """What was measured."""
        return "not measured" if self.measured is None else number(self.measured)

    def verdict(self) -> str:
        """Whether it is met."""
        if self.measured is None:
            return "not measured"
        met = {
            "≤": self.measured <= self.limit,
            "<": self.measured < self.limit,
            "≥": self.measured >= self.limit,
        }[self.relation]
        return "met" if met else "missed"


def targets(results: Results) -> list[Target]:
    """All of them."""
    call, stream = _middle(results, CALL), _middle(results, STREAM)
    rate = _rate(results, ACALL)
    start = _start(results)
    listed = [
        Target(f"`{CHAT}.invoke` : bare httpx", "≤", 1.5, call(CHAT, "httpx")),
        Target(f"`{CHAT}.invoke` : ChatLiteLLM", "≤", 0.25, call(CHAT, "ChatLiteLLM")),
        Target(f"`{CHAT}.invoke` : ChatOpenAI", "<", 1, call(CHAT, "ChatOpenAI")),
        Target(f"stream of 200, `{CHAT}` : ChatLiteLLM", "≤", 0.05, stream(CHAT, "ChatLiteLLM")),
        Target(f"stream of 200, `{CHAT}` : ChatOpenAI", "≤", 0.6, stream(CHAT, "ChatOpenAI")),
        Target(f"100 async calls at once, `{CHAT}` : ChatLiteLLM", "≥", 5, rate(CHAT, "ChatLiteLLM")),
        Target(f"100 async calls at once, `{CHAT}` : ChatOpenAI", "≥", 8, rate(CHAT, "ChatOpenAI")),
        Target("`LLMManager` : provider", "≤", 1.1, call("LLMManager", "provider")),
        Target(
            "`ChatHomeostasis(manager)` : `ChatHomeostasis(provider)`", "≤", 1.1, call("ChatHomeostasis(manager)", CHAT)
        ),
        Target("`homeostasis llm --help` : `import click`", "≤", 2.0, start(command("--help"), imported("click"))),
        Target(
            "`import homeostasis_llm` : `import pydantic`",
            "≤",
            1.5,
            start(imported("homeostasis_llm"), imported("pydantic")),
        ),
        Target(
            "`validate-key` : the same GET by bare httpx", "≤", 1.5, start(command("validate-key", "openai"), BARE_GET)
        ),
    ]
    for what in (CALLS, ABANDONED):
        for name in (CHAT, "ChatHomeostasis(manager)"):
            kept = _kept(results, what, name)
            listed.append(Target(f"objects that `{name}` keeps, in each of {what}", "≤", _NOISE, kept))
            bytes_kept = _bytes(results, what, name)
            listed.append(Target(f"bytes that `{name}` grows by, in each of {what}", "≤", _BYTES, bytes_kept))
    return listed


_Ratio = Callable[[str, str], float | None]


def _middle(results: Results, case: str) -> _Ratio:
    series = results["cases"].get(case, {})
    return lambda one, other: _between({name: each["middle"] for name, each in series.items()}, one, other)


def _rate(results: Results, case: str) -> _Ratio:
    series = results["cases"].get(case, {})
    rates = {name: [each["times"] / wall for wall in each["wall"]] for name, each in series.items()}
    return lambda one, other: _between(rates, one, other)


def _start(results: Results) -> _Ratio:
    return lambda one, other: _between(results["starts"], one, other)


def _between(values: dict[str, list[float]], one: str, other: str) -> float | None:
    return ratio(values[one], values[other]) if values.get(one) and values.get(other) else None


def _kept(results: Results, what: str, name: str) -> float | None:
    """What is kept for ever shows in each third: the least of them."""
    growth = results["growth"].get(what, {}).get(name)
    return None if growth is None else max(0, min(growth["objects"])) / (growth["times"] / 3)


def _bytes(results: Results, what: str, name: str) -> float | None:
    growth = results["growth"].get(what, {}).get(name)
    return None if growth is None else max(0.0, min(growth["kilobytes"])) * 1024 / (growth["times"] / 3)
