# ruff: noqa: T201  # it prints what it has measured
"""Measure this package beside its peers, and write down what was found.

uv run --group bench python -m benchmarks              measure, print, write docs/performance.md
uv run python -m benchmarks --quick                    see that all of it runs; the figures are good for nothing
uv run python -m benchmarks --page                     write docs/performance.md again, from the last results
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .page import write_page
from .results import Results, load, save
from .run import run
from .server import ROOT
from .tables import tables, text
from .targets import targets

RESULTS = ROOT / "benchmarks" / "results" / "latest.json"


def main() -> int:
    """What the process ends with: 1 where a client of ours has no figures."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="everything once, and no page: see that it runs")
    parser.add_argument("--page", action="store_true", help="measure nothing; write the page from --results")
    parser.add_argument("--results", type=Path, help=f"where results are kept (default: {RESULTS.relative_to(ROOT)})")
    parser.add_argument("--only", nargs="+", metavar="CLIENT", help="measure these alone, and write no page")
    asked = parser.parse_args()
    kept: Path | None = asked.results or (None if asked.quick or asked.only else RESULTS)
    if asked.page:
        results = load(asked.results or RESULTS)
    else:
        for results in run(quick=asked.quick, only=asked.only):  # the last ones are reported
            if kept is not None:
                save(results, kept)
    report(results)
    if not asked.quick and not asked.only:
        write_page(results, ROOT / "docs")
    return 1 if any("Homeostasis" in name or "homeostasis" in name for name in results["failed"]) else 0


def report(results: Results) -> None:
    """Print all tables, what each target came to, and who failed."""
    for table in tables(results):
        print(text(table))
    print("Targets")
    for target in targets(results):
        print(f"  {target.what}: {target.shown()} (wanted: {target.wanted}): {target.verdict()}")
    for name, why in results["failed"].items():
        print(f"FAILED  {name}: {why}")
    print(f"{results['took']:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
