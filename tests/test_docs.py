"""The documents keep their word: their examples run, and the files they name are there."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from homeostasis_llm import ProviderFactory
from tests.consoles import Console, says

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
ALL_DOCUMENTS = [*DOCUMENTS, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *ROOT.glob("adapters/*/README.md")]

_LINK = re.compile(r"\]\((?!\w+:|#)([^)#]+)")
_FILE_NAME = re.compile(r"`((?:\.ci|adapters|docs|homeostasis_llm|tests)/[\w./*-]+)`")


def run_python(example: Example) -> str | None:
    """Runs a ```python block. Lines that begin with `# > ` say what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        PythonEvaluator()(example)
    expected = "".join(f"{line}\n" for line in re.findall(r"^# > (.*)$", example.parsed, re.MULTILINE))
    if not expected or says(expected, printed.getvalue()):
        return None
    return f"should print:\n{expected}\nand prints:\n{printed.getvalue()}"


@pytest.fixture
def _registered_here() -> Iterator[None]:
    """What an example registers does not outlive it."""
    before = set(ProviderFactory.get_supported_providers())
    yield
    for name in set(ProviderFactory.get_supported_providers()) - before:
        ProviderFactory.unregister(name)


@pytest.mark.usefixtures("_registered_here")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_a_document_run(
    document: Path, child_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    console = Console(child_environment, tmp_path)
    sybil = Sybil(parsers=[CodeBlockParser("python", run_python), CodeBlockParser("console", console)])

    for example in sybil.parse(document):
        example.evaluate()


def test_the_readme_has_examples_of_every_door() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert text.count("```python") >= 3
    assert text.count("```console") >= 1


@pytest.mark.parametrize("document", ALL_DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")

    missing = [name for name in _LINK.findall(text) if not (document.parent / name).exists()]
    missing += [name for name in _FILE_NAME.findall(text) if not list(ROOT.glob(name.rstrip("/")))]

    assert missing == []


def test_every_module_is_in_the_table_of_what_to_open_by_itself_or_by_its_folder() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {name for line in text.splitlines() if line.startswith("| ") for name in _FILE_NAME.findall(line)}
    packages = (ROOT / "homeostasis_llm", ROOT / "adapters" / "llama_cpp" / "homeostasis_llm_llama_cpp")
    modules = [
        path.relative_to(ROOT) for package in packages for path in package.rglob("*.py") if path.stem != "__init__"
    ]

    assert [str(path) for path in modules if not named & {str(path), f"{path.parent}/"}] == []


def test_every_document_is_in_the_navigation_of_the_site() -> None:
    # As text: in YAML, mkdocs.yml may hold what only MkDocs reads.
    _, _, navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")
    named = {line.rpartition(" ")[2] for line in navigation.splitlines()}
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in DOCUMENTS[1:]]

    assert [f"docs/{page} is missing in the nav of mkdocs.yml" for page in pages if page not in named] == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="the checks are a bash script")
def test_a_mistyped_check_is_refused_by_name() -> None:
    asked = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run"), "chekc"],  # noqa: S607  # wherever bash is
        capture_output=True,
        text=True,
        check=False,
    )

    assert asked.returncode == 1
    assert asked.stderr == "FAILED: chekc is none of: check, fix, test, docs, site, recordings, package\n"
