"""`homeostasis llm new-provider` writes packages that work as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from homeostasis_llm.cli import homeostasis
from homeostasis_llm.cli.new_provider import _DIALECTS
from homeostasis_llm.scaffold import DIALECTS, new_provider
from tests.cli.conftest import install

KINDS = {
    "a-row": ("--dialect", "openai"),
    "claudish": ("--dialect", "anthropic"),
    "geminish": ("--dialect", "gemini"),
    "coherish": ("--dialect", "cohere"),
    "ollamish": ("--dialect", "ollama"),
    "over_http": ("--http",),
    "tiny": ("--minimal",),
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(homeostasis, ["llm", *arguments], prog_name="homeostasis", catch_exceptions=False)


@pytest.mark.parametrize("name", KINDS)
def test_a_new_package_passes_its_own_tests_and_is_found(
    name: str, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    written = run("new-provider", name, *KINDS[name], "--into", str(tmp_path))
    (folder,) = tmp_path.iterdir()
    described = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # What an installer would leave of it.
    install(folder, described["name"], **described["entry-points"]["homeostasis_llm.providers"])
    environment = {
        **{variable: given for variable, given in child_environment.items() if variable != "PYTHONWARNINGS"},
        "PYTHONPATH": os.pathsep.join((child_environment["PYTHONPATH"], str(folder))),
    }
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    listed = subprocess.run(
        [Path(sys.executable).with_name("homeostasis"), "llm", "providers", "--json"],
        env=environment,
        capture_output=True,
        check=True,
    )

    assert written.exit_code == 0
    assert written.stdout.startswith(f"{folder}: written. ")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    plain = name.replace("-", "_")
    (told,) = [one for one in json.loads(listed.stdout) if one["name"] == plain]
    assert told["source"] == f"plugin homeostasis-llm-{plain.replace('_', '-')} 1.0"
    assert (told["default_model"], told["problem"]) == (f"{plain}-1", None)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    new_provider("tiny", "minimal", into=tmp_path)
    kept = tmp_path / "homeostasis-llm-tiny" / "README.md"
    kept.write_text("mine", encoding="utf-8")

    again = run("new-provider", "tiny", "--http", "--into", str(tmp_path))

    assert again.exit_code == 1
    assert again.stderr == (
        f"Error: {kept.parent} is there already, and nothing is overwritten; say with --into DIR where else\n"
    )
    assert kept.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["", "1st", "my llm", "my.llm", "../up", "class", "müllm", "a__b", "_a"])
def test_what_is_no_name_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    refused = run("new-provider", name, "--into", str(tmp_path))

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"Error: {name!r} cannot be a provider's name")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["openai", "Claude", "poe", "llama-cpp"])
def test_a_taken_name_is_refused(name: str, tmp_path: Path) -> None:
    refused = run("new-provider", name, "--into", str(tmp_path))

    assert refused.exit_code == 1
    assert "is taken (" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_kind_is_written_at_a_time(tmp_path: Path) -> None:
    refused = run("new-provider", "tiny", "--http", "--minimal", "--into", str(tmp_path))

    assert refused.exit_code == 2
    assert "say one" in refused.stderr


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    refused = run("new-provider", "tiny", "--into", str(tmp_path / "file" / "below"))

    assert refused.exit_code == 1
    assert refused.stderr.endswith("cannot be made: Not a directory\n")


def test_the_command_has_the_dialects_that_rows_have() -> None:
    assert _DIALECTS == DIALECTS
