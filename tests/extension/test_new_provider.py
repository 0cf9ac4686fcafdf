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


Written = dict[str, Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A package of each kind, by name, with what an installer would leave of it."""
    place = tmp_path_factory.mktemp("written")
    folders = {}
    for name, options in KINDS.items():
        said = run("new-provider", name, *options, "--into", str(place))
        folders[name] = folder = place / f"homeostasis-llm-{name.replace('_', '-')}"
        assert said.exit_code == 0
        assert said.stdout.startswith(f"{folder}: written. ")
        described = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        install(folder, described["name"], **described["entry-points"]["homeostasis_llm.providers"])
    return folders


def what_pytest_says(written: Written, environment: dict[str, str], *arguments: str, where: Path) -> str:
    """What pytest says of these tests, all of which pass, in a process that has all the packages."""
    paths = (environment["PYTHONPATH"], *map(str, written.values()))
    environment = {name: given for name, given in environment.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *arguments],
        cwd=where,
        env={**environment, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_package_over_http_passes_all_of_its_own_tests(
    written: Written, child_environment: dict[str, str]
) -> None:
    said = what_pytest_says(written, child_environment, where=written["over_http"])

    assert " passed" in said
    assert "failed" not in said


def test_new_packages_of_the_other_kinds_pass_their_own_tests(
    written: Written, child_environment: dict[str, str]
) -> None:
    row, place = written["a-row"], written["a-row"].parent
    # That the dialect of OpenAI keeps the whole suite is proved in tests/conformance.
    suite = f"{row}/tests/test_conformance.py::TestARow::test_the_text_is_read_as_it_is"
    others = [str(folder) for name, folder in written.items() if name not in {"a-row", "over_http"}]
    cassettes = ("--rootdir", str(place), "-o", f"llm_cassette_dir={row.name}/cassettes")

    said = what_pytest_says(
        written, child_environment, *cassettes, str(row / "tests/test_cassette.py"), suite, *others, where=place
    )

    assert " passed" in said


def test_new_packages_are_found(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in written.values():
        monkeypatch.syspath_prepend(folder)

    told = {one["name"]: one for one in json.loads(run("providers", "--json").stdout)}

    for name in KINDS:
        plain = name.replace("-", "_")
        assert told[plain]["source"] == f"plugin homeostasis-llm-{plain.replace('_', '-')} 1.0"
        assert (told[plain]["default_model"], told[plain]["problem"]) == (f"{plain}-1", None)
        assert plain == "tiny" or f"{plain.upper()}_API_KEY" in told[plain]["key_looked_for_in"]


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
