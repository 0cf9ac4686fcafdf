"""Write the page about performance, and its charts, from results: no figure on it is typed in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import Template

from .charts import bars
from .clients import OURS
from .results import Results
from .tables import Table, tables
from .targets import Target, targets

CHARTS = "performance"


def write_page(results: Results, folder: Path) -> None:
    """`performance.md` in `folder`, with the charts in a folder beside it. Charts of earlier runs are taken away."""
    found = tables(results)
    charts = folder / CHARTS
    charts.mkdir(parents=True, exist_ok=True)
    for old in charts.glob("*.svg"):
        old.unlink()
    for table in found:
        (charts / f"{table.name}.svg").write_text(_chart(table), encoding="utf-8")
    (folder / "performance.md").write_text(page(results, found), encoding="utf-8")


def page(results: Results, found: Iterable[Table]) -> str:
    """The page's Markdown."""
    listed, machine = targets(results), results["machine"]
    template = Template(Path(__file__).with_name("page.md").read_text(encoding="utf-8"))
    left_out = [*results["skipped"], *(f"{name} ({why})" for name, why in results["failed"].items())]
    return (
        template.substitute(
            took=f"{results['took'] / 60:.1f} minutes",
            date=results["date"],
            machine="{processor} with {cores} cores, {system}, Python {Python}; lane: {lane}".format_map(machine),
            versions=", ".join(f"{name} {version}" for name, version in results["versions"].items()),
            targets=_markdown(
                ("target", "wanted", "measured", ""),
                [(each.what, each.wanted, each.shown(), each.verdict()) for each in listed],
            ),
            missed=_missed(listed),
            tables="\n\n".join(
                f"### {table.title}\n\n{table.about}\n\n![{table.title}]({CHARTS}/{table.name}.svg)\n\n"
                f"{_markdown(table.columns, table.rows)}"
                for table in found
            ),
            left_out="".join(f"- In this run: {name}.\n" for name in left_out),
        ).rstrip()
        + "\n"
    )


def _missed(listed: Iterable[Target]) -> str:
    missed = [each.what for each in listed if each.verdict() == "missed"]
    if not missed:
        return "All of them are met."
    return (
        f"Missed: {'; '.join(missed)}. Where the time goes is in the tables at the end of the figures. What bare HTTP "
        "and LangChain take by themselves, which nobody can take away, is in the first rows of each table."
    )


def _markdown(columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    heads = list(columns)
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _chart(table: Table) -> str:
    ours = {name for name in table.chart if name in OURS or "omeostasis" in name or name.startswith("LlamaCpp")}
    return bars(table.title, table.unit, table.chart, ours)
