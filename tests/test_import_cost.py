"""What is not used is not imported: each step is taken in a fresh interpreter, whose modules are then looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import homeostasis_llm

# The first lines report to a file at the very end, whatever the rest prints and however it ends.
_REPORT = """
import atexit, pathlib, sys
sockets = []
sys.addaudithook(lambda event, args: sockets.append(event) if event == "socket.__new__" else None)
def report():
    names = {name.partition(".")[0] for name in sys.modules}
    pathlib.Path(REPORT).write_text("\\n".join(sorted(names) + ["", *sockets]), encoding="utf-8")
atexit.register(report)
"""

HEAVY = {"litellm", "langchain_core", "httpx", "pydantic", "keyring", "jsonschema", "xllamacpp", "asyncio"}


class Step:
    """A piece of code, run in an interpreter of its own."""

    def __init__(self, code: str, environment: dict[str, str], report: Path) -> None:
        program = _REPORT.replace("REPORT", repr(str(report))) + code
        self.run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        names, _, sockets = report.read_text(encoding="utf-8").partition("\n\n")
        self.modules = set(names.split())
        self.sockets = sockets.split()


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


def command(*arguments: str) -> str:
    """The code that runs `homeostasis` with `arguments`."""
    return f"from homeostasis_llm.cli import homeostasis\nhomeostasis({arguments!r}, prog_name='homeostasis')"


def test_importing_the_package_costs_nothing_and_says_nothing(child_environment: dict[str, str], report: Path) -> None:
    step = Step("import homeostasis_llm", child_environment, report)

    assert "homeostasis_llm" in step.modules
    assert step.modules & HEAVY == set()
    assert step.sockets == []
    assert (step.run.stdout, step.run.stderr, step.run.returncode) == ("", "", 0)


def test_only_the_langchain_model_imports_langchain_and_no_name_imports_litellm(
    child_environment: dict[str, str], report: Path
) -> None:
    names = ", ".join(sorted(set(homeostasis_llm.__all__) - {"ChatHomeostasis"}))

    step = Step(f"from homeostasis_llm import {names}", child_environment, report)

    assert step.run.returncode == 0, step.run.stderr
    assert step.modules & {"litellm", "langchain_core", "keyring", "xllamacpp"} == set()
    assert step.run.stdout == step.run.stderr == ""


def test_the_langchain_model_does_without_litellm(child_environment: dict[str, str], report: Path) -> None:
    step = Step("from homeostasis_llm import ChatHomeostasis", child_environment, report)

    assert "langchain_core" in step.modules
    assert "litellm" not in step.modules
    assert step.run.stdout == step.run.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("llm",),
        ("llm", "--help"),
        ("llm", "ask", "--help"),
        ("llm", "models", "--help"),
        ("llm", "providers", "--help"),
        ("llm", "aks"),
    ],
    ids=" ".join,
)
def test_help_comes_at_once(arguments: tuple[str, ...], child_environment: dict[str, str], report: Path) -> None:
    step = Step(command(*arguments), child_environment, report)

    assert step.run.stdout + step.run.stderr
    assert step.modules & HEAVY == set()


def test_the_table_of_providers_loads_plugins_to_see_whether_they_work_but_no_engine(
    child_environment: dict[str, str], report: Path
) -> None:
    step = Step(command("llm", "providers"), child_environment, report)

    assert step.run.returncode == 0, step.run.stderr
    assert step.modules & {"litellm", "langchain_core", "httpx", "xllamacpp"} == set()
    assert step.sockets == []


def test_the_embedded_model_answers_without_litellm_and_langchain(
    child_environment: dict[str, str], report: Path
) -> None:
    asked = command("llm", "ask", "Hello", "--provider", "llama_cpp", "--max-tokens", "4")

    step = Step(asked, child_environment, report)

    assert step.run.returncode == 0, step.run.stderr
    assert step.run.stdout.strip()
    assert "xllamacpp" in step.modules
    assert step.modules & {"litellm", "langchain_core"} == set()
