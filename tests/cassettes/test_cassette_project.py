"""A project outside of this one, with our wheel installed, records its first cassette and plays it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loopback import Loopback

ROOT = Path(__file__).parents[2]

AS_IT_WAS = dict(os.environ)
"""With the cache of uv, which is below a home that tests do not see."""

PYPROJECT = """\
[project]
name = "outside"
version = "1"
requires-python = ">=3.11"
dependencies = ["homeostasis-llm[testing]"]
"""

FIRST = """\
import pytest
from homeostasis_llm import LLMMessage, LLMRequest, ProviderFactory

@pytest.mark.llm_cassette
def test_it_knows_the_capital():
    provider = ProviderFactory.create_provider("openai", "of-nobody-4711")
    question = LLMMessage(role="user", content="What is the capital of France?")
    answer = provider.complete(LLMRequest(messages=[question]))
    assert "Paris" in answer.content
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has our wheel, what it needs for tests, and nothing of this checkout."""
    if shutil.which("uv") is None:
        pytest.skip("without uv there is nothing that installs the wheel")
    folder = tmp_path_factory.mktemp("outside")
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    uv("build", "--quiet", "--wheel", "--offline", "--out-dir", str(folder), str(ROOT))
    uv("venv", "--quiet", "--offline", "--python", sys.executable, str(folder / "venv"))
    installed = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    # The versions that are tested here, for those are in uv's cache.
    (folder / "versions.txt").write_text(uv("pip", "freeze", "--python", sys.executable, "--exclude-editable"))
    words = ("pip", "install", "--quiet", "--offline", "--find-links", str(folder), "--python", str(installed))
    uv(*words, "--constraint", str(folder / "versions.txt"), "-r", str(folder / "pyproject.toml"))
    return installed


def uv(*arguments: str) -> str:
    done = subprocess.run(
        ["uv", *arguments],  # noqa: S607  # wherever uv is
        env=AS_IT_WAS,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    lacks = "the requested data wasn't found in the cache", "only be read from the cache"
    if any(words in " ".join(done.stderr.split()) for words in lacks) and AS_IT_WAS.get("CI") != "true":
        pytest.skip(f"uv's cache lacks what is to be installed: {' '.join(done.stderr.split())[:200]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_project_outside_records_and_plays_its_first_cassette_in_ten_lines(
    python: Path, loopback: Loopback, tmp_path: Path
) -> None:
    assert len(FIRST.strip().splitlines()) <= 10
    loopback.reply(json={"choices": [{"message": {"content": "It is Paris."}, "finish_reason": "stop"}]})
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (tmp_path / "test_first.py").write_text(FIRST, encoding="utf-8")

    def pytest_run(*arguments: str, url: str) -> str:
        done = subprocess.run(
            [str(python), "-m", "pytest", "-q", *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "HOMEOSTASIS_OPENAI_BASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    recorded = pytest_run("--record-mode=once", url=f"{loopback.url}/v1")
    played = pytest_run("--block-network", url="http://localhost/v1")

    assert "1 passed" in recorded, recorded
    assert "1 passed" in played, played
    assert len(loopback.requests) == 1
    text = (tmp_path / "cassettes" / "test_first" / "test_it_knows_the_capital.yaml").read_text(encoding="utf-8")
    assert "What is the capital of France?" in text
    assert "of-nobody-4711" not in text
    assert loopback.requests[0].headers["authorization"] == "Bearer of-nobody-4711"
