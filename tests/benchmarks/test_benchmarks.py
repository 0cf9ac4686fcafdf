"""The comparison with other clients runs, and counts as it says. Its figures are nobody's business here."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import cases, results
from benchmarks.arithmetic import excess, p99, ratio
from benchmarks.charts import bars
from benchmarks.clients import CLIENTS, HOW_TO_INSTALL, is_installed
from benchmarks.comparing import Comparison
from benchmarks.fleet import Hand, PeerFailedError
from benchmarks.orders import METHODS, Order
from benchmarks.page import write_page
from benchmarks.results import Results, Series
from benchmarks.server import ROOT, serving
from benchmarks.targets import Target, targets

_ASYNC_ONLY = {"aiohttp", "httpx over aiohttp"}
_LACK: dict[str, set[str]] = {
    "call": _ASYNC_ONLY,
    "stream": _ASYNC_ONLY,
    "tool_call": {*_ASYNC_ONLY, "LangChain without a wire"},
    "acall": set(),
    "astream": set(),
}


@pytest.fixture
def url() -> Iterator[str]:
    with serving() as found:
        yield found


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of somebody who takes calls and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def hand(name: str, url: str, environment: dict[str, str]) -> Hand:
    return Hand(name, url, environment, sys.stderr)


def series(*middle: float, times: int = 1) -> Series:
    return Series(times=times, middle=[*middle], first=[], wall=[*middle], cpu=[*middle], p99=max(middle))


def with_calls(**middle: float) -> Results:
    """Results of one round of single calls."""
    found = results.empty()
    names = {name.replace("_provider_", "(provider)"): each for name, each in middle.items()}
    found["cases"][cases.CALL] = {name: series(each) for name, each in names.items()}
    return found


def test_a_quick_run_measures_whoever_is_installed_and_names_the_others(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "results.json"

    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--results", str(file)],
        cwd=ROOT,
        env=child_environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    found = results.load(file)
    assert found["failed"] == {}
    for case in cases.quick().cases:
        expected = {name for name in case.clients if is_installed(name)} - _LACK[METHODS[case.order.doing]]
        assert found["cases"][case.name].keys() == expected, case.name
    for name in CLIENTS:
        if not is_installed(name):
            assert f"skipped  {name}: {CLIENTS[name].needs} is not installed; `{HOW_TO_INSTALL}`" in run.stderr
    assert found["growth"].keys() == cases.GROWN.keys()
    assert found["starts"]["homeostasis llm --help"]
    assert found["profiles"]
    assert found["embedded"]

    write_page(found, tmp_path)

    page = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "$" not in page
    for chart in (tmp_path / "performance").glob("*.svg"):
        assert f"performance/{chart.name}" in page


def test_a_client_that_fails_is_named_and_the_others_go_on(url: str, child_environment: dict[str, str]) -> None:
    failed: dict[str, str] = {}
    case = cases.Case("calls", Order(doing="calls"), clients=("httpx", "openai"), seconds=0, least=1, slice=0)
    good, bad = hand("httpx", url, child_environment), hand("openai", f"{url}/nowhere", child_environment)

    with closing(good), closing(bad):
        measured = Comparison(case, [bad, good], failed).run(hurry=False)

    assert measured.keys() == {"httpx"}
    assert failed.keys() == {"calls, openai"}
    assert "nothing at /nowhere" in failed["calls, openai"]


def test_a_client_that_hangs_is_not_waited_for(silent: str, child_environment: dict[str, str]) -> None:
    with closing(hand("httpx", silent, child_environment)) as hanging, pytest.raises(PeerFailedError, match="longer"):
        hanging.do(Order(doing="calls"), patience=0.5)


def test_nobody_is_measured_who_gives_another_answer_than_the_server(
    url: str, child_environment: dict[str, str]
) -> None:
    with closing(hand("httpx", url, child_environment)) as deaf, pytest.raises(PeerFailedError, match="WrongAnswer"):
        # The pieces of a tool call have no text.
        deaf.do(Order(doing="streams", script="tool-5"))


def test_a_ratio_is_the_middle_of_the_rounds_own_ratios() -> None:
    # In the second round something disturbed both; the median of times would say 2.
    assert ratio([1, 30, 2], [1, 10, 1]) == 2
    assert ratio([1, 30, 9], [1, 10, 1]) == 3
    assert excess([1, 30, 9], [1, 10, 1]) == 8


def test_p99_is_what_99_of_100_did_not_exceed() -> None:
    assert p99(list(range(1, 101))) == 99
    assert p99([5]) == 5


@pytest.mark.parametrize(("measured", "verdict"), [(1.5, "met"), (1.51, "missed"), (None, "not measured")])
def test_a_target_says_whether_it_is_met(measured: float | None, verdict: str) -> None:
    assert Target("one : other", "≤", 1.5, measured).verdict() == verdict


def test_targets_are_compared_with_what_was_measured() -> None:
    found = targets(with_calls(httpx=1, ChatHomeostasis_provider_=1.4, ChatLiteLLM=4))

    by_name = {each.what: each for each in found}
    assert by_name["`ChatHomeostasis(provider).invoke` : bare httpx"].measured == pytest.approx(1.4)
    assert by_name["`ChatHomeostasis(provider).invoke` : bare httpx"].verdict() == "met"
    assert by_name["`ChatHomeostasis(provider).invoke` : ChatLiteLLM"].verdict() == "missed"
    assert by_name["`ChatHomeostasis(provider).invoke` : ChatOpenAI"].verdict() == "not measured"


def test_the_page_says_what_was_measured_and_which_targets_are_missed(tmp_path: Path) -> None:
    found = with_calls(httpx=0.001, ChatHomeostasis_provider_=0.0123)
    (tmp_path / "performance").mkdir()
    (tmp_path / "performance" / "of-an-earlier-run.svg").touch()

    write_page(found, tmp_path)

    page = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "| ChatHomeostasis(provider) | 12.3 | 12.3 | 12.3 | 1.00 |" in page
    assert "| `ChatHomeostasis(provider).invoke` : bare httpx | ≤ 1.5 | 12.3 | missed |" in page
    assert [chart.name for chart in (tmp_path / "performance").iterdir()] == ["call.svg"]


def test_a_bar_is_as_long_as_its_value_and_names_are_escaped() -> None:
    drawn = bars("a < b", "ms", {"half": 1, "whole": 2}, ours=["half"])

    bar = 'height="16"'
    lengths = [float(line.partition('width="')[2].partition('"')[0]) for line in drawn.splitlines() if bar in line]
    assert lengths[1] == 2 * lengths[0]
    assert "a &lt; b" in drawn
