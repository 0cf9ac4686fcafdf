"""docs/failover.md prints the table of what failures mean as the code has it."""

from __future__ import annotations

from pathlib import Path

from homeostasis_llm.manager.rules import table

TEXT = (Path(__file__).parents[2] / "docs" / "failover.md").read_text(encoding="utf-8")


def test_the_table_of_failures_is_that_of_the_code() -> None:
    section = TEXT.partition("## What a failure means")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")][2:]
    printed = [tuple(cell.strip().strip("`") for cell in row) for row in rows]

    assert printed == [
        (
            name,
            rule.action.value,
            "yes" if rule.counts else "no",
            "yes" if rule.next_key else "no",
            "" if rule.rest is None else f"{rule.rest:g} s",
            rule.why.strip("`"),
        )
        for name, rule in table()
    ]
