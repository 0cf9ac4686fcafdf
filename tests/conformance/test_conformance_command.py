"""`homeostasis llm conformance` says of any provider what is wrong with it, and asks nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

PLUGIN = """
from homeostasis_llm import LLMProviderInterface, LLMResponse

class Zorb(LLMProviderInterface):
    dialect = "openai"
    default_model = ""
    name = "zorb"

    def __init__(self, api_key=None, *, base_url=""):
        super().__init__(api_key)

    def complete(self, request):
        return LLMResponse(content="<b>Hello</b>")

    def validate_key(self, api_key):
        return True

    def get_available_models(self):
        return ["zorb-1"]
"""


@pytest.fixture
def site(tmp_path: Path, child_environment: dict[str, str]) -> dict[str, str]:
    """An environment in which a plugin is installed that does little of what it should."""
    folder = tmp_path / "site"
    about = folder / "zorb-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: zorb\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[homeostasis_llm.providers]\nzorb = zorb_plugin:Zorb\n", encoding="utf-8")
    (folder / "zorb_plugin.py").write_text(PLUGIN, encoding="utf-8")
    paths = os.pathsep.join((str(folder), child_environment["PYTHONPATH"]))
    return {**child_environment, "PYTHONPATH": paths, "PYTHONWARNINGS": "default"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("homeostasis")), "llm", "conformance", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_what_is_wrong_with_a_plugin_is_told_in_each_form(site: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "report.html"

    told = run(site, "zorb", "--json", "--html", str(page))

    rules = {one["rule"]: one for one in json.loads(told.stdout)["rules"]}
    assert told.returncode == 1
    assert rules["test_a_default_model_is_named"]["verdict"] == "broken"
    assert rules["test_a_default_model_is_named"]["why"].startswith("default_model is ''")
    assert rules["test_the_name_can_be_typed_everywhere"]["verdict"] == "kept"
    assert "a default model is named" in page.read_text(encoding="utf-8")
    assert "<b>Hello" not in page.read_text(encoding="utf-8")


def test_a_real_provider_is_not_asked(site: dict[str, str]) -> None:
    told = run(site, "deepseek")

    assert told.returncode == 0, told.stdout
    assert "0 are broken" in told.stdout
    assert "it is not known which dialect deepseek speaks, and the provider itself is not asked" in told.stderr


def test_an_unknown_name_is_one_line(site: dict[str, str]) -> None:
    told = run(site, "zorrb")

    assert told.returncode == 1
    assert len(told.stderr.splitlines()) == 1
    assert "zorb" in told.stderr


def test_without_pytest_it_is_said_what_to_install(child_environment: dict[str, str]) -> None:
    program = (
        "import importlib.util as util; real = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'pytest' else real(name, *more)\n"
        "from homeostasis_llm.testing import ProviderConformance\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", program], env=child_environment, capture_output=True, text=True, check=False
    )

    assert told.stderr.splitlines()[-1] == (
        "ImportError: ProviderConformance needs pytest: pip install 'homeostasis-llm[testing]'"
    )


def test_the_extra_brings_what_the_rules_need() -> None:
    brought = {
        requirement.partition(">=")[0]
        for requirement in metadata.requires("homeostasis-llm") or []
        if requirement.endswith("extra == 'testing'")
    }

    assert {"langchain-tests", "pytest"} <= brought
