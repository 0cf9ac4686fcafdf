"""Run the rules over a registered provider, in a process of their own, and read what became of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path

from ...errors import LLMError
from ...redaction import redact

_MODULE = Path(__file__).with_name("registered.py")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of one rule."""

    rule: str
    """The test's name, with its case."""
    verdict: str
    """`kept`, `broken` or `left out`."""
    why: str
    """What to do, or why it does not apply."""

    @property
    def sentence(self) -> str:
        """The rule in words."""
        return self.rule.removeprefix("test_").replace("_", " ")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all rules."""

    provider: str
    rulings: tuple[Ruling, ...]

    def of(self, verdict: str) -> list[Ruling]:
        """Those rules of which that became."""
        return [ruling for ruling in self.rulings if ruling.verdict == verdict]

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why rules were left out, and how many for that."""
        return Counter(ruling.why for ruling in self.of("left out")).most_common()

    @property
    def summary(self) -> str:
        """All of it in a line."""
        kept, broken, out = (len(self.of(verdict)) for verdict in ("kept", "broken", "left out"))
        return f"{self.provider}: {kept} rules are kept, {broken} are broken, {out} do not apply."


def run(provider: str, *, live: bool = False) -> Report:
    """Try the rules over the provider of that name; a real one is asked only when `live`. Raises `LLMError`."""
    from . import registered, reporting

    if find_spec("langchain_tests") is None:
        raise LLMError("the rules need langchain-tests: pip install 'homeostasis-llm[testing]'")
    registered.suite_of(provider, live=live)  # what is wrong with the provider itself is said at once, and shorter
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "report.json")
        environment = {
            **os.environ,
            registered.WANTED: json.dumps({"name": provider, "live": live}),
            reporting.REPORT: str(written),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # what else is installed has no part in it
            "PYTEST_ADDOPTS": "",
        }
        command = [sys.executable, "-m", "pytest", str(_MODULE), "-q", "-p", reporting.__name__, "--tb=short"]
        own = [
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
            "--rootdir",
            folder,
            "--import-mode=importlib",
            "--noconftest",
        ]
        ended = subprocess.run([*command, *own], env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # our own
        if not written.exists() or ended.returncode not in {0, 1}:
            last = (ended.stdout + ended.stderr).strip().splitlines() or ["without a word"]
            raise LLMError(f"the rules could not be tried: {last[-1]}")
        found = json.loads(written.read_text(encoding="utf-8"))
    return Report(provider, tuple(Ruling(one["rule"], one["verdict"], redact(one["why"])) for one in found))


def page(report: Report) -> str:
    """The report as a web page that needs nothing else."""
    rows = "".join(
        f"<tr class='{ruling.verdict.split()[0]}'><td>{ruling.verdict}</td><td>{escape(ruling.sentence)}</td>"
        f"<td>{escape(ruling.why)}</td></tr>\n"
        for verdict in ("broken", "left out", "kept")
        for ruling in report.of(verdict)
    )
    return _PAGE.format(title=escape(f"Conformance of {report.provider}"), summary=escape(report.summary), rows=rows)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 2em auto; max-width: 70em }}
td {{ padding: .3em .8em; vertical-align: top; border-bottom: 1px solid #ddd }}
.broken td:first-child {{ color: #b00; font-weight: bold }} .kept td:first-child {{ color: #070 }}
</style>
<h1>{title}</h1><p>{summary}</p>
<table>
{rows}</table>
</html>
"""
