"""The catalog: its rows make sense, and what it may not say is refused. tests/catalog compares them with litellm."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from homeostasis_llm.catalog import ProviderFacts, all_facts, canonical_name, facts_of, read_catalog
from homeostasis_llm.litellm_names import litellm_chat_names, litellm_names


def _name(value: object) -> str:
    return value.name if isinstance(value, ProviderFacts) else str(value)


def test_the_catalog_knows_more_than_60_providers() -> None:
    assert len(all_facts()) > 60


@pytest.mark.parametrize("facts", all_facts().values(), ids=_name)
def test_a_row_makes_sense(facts: ProviderFacts) -> None:
    assert facts.default_model or facts.local  # only a server of one's own may serve just anything
    assert facts.key_url or facts.local
    assert facts.models_path or not facts.models_public
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", variable) for variable in facts.env + facts.base_url_env)
    urls = [url for url in (facts.base_url, facts.key_url) if url is not None]
    assert not any(url.endswith("/") for url in urls)
    assert all(url.startswith("https://") for url in urls if not facts.local)


@pytest.mark.parametrize("name", ["Gemini", "GEMINI", "google", "google-ai-studio", "Google_AI_Studio"])
def test_a_row_is_found_in_any_case_with_dash_or_underscore_and_by_alias(name: str) -> None:
    facts = facts_of(name)

    assert facts is all_facts()["gemini"]
    assert canonical_name(name) == "gemini"


def test_a_name_in_no_row_has_no_facts_and_stays_itself() -> None:
    assert facts_of("my-llm") is None
    assert canonical_name("My-LLM") == "my_llm"


def test_no_alias_is_the_name_of_another_provider_of_litellms() -> None:
    aliases = {alias for facts in all_facts().values() for alias in facts.aliases}

    assert aliases & {name.replace("-", "_") for name in litellm_names()} == set()


@pytest.mark.parametrize(
    ("name", "needed"),
    [("openai", True), ("gemini", True), ("ollama", False), ("bedrock", False), ("vertex_ai", False)],
)
def test_a_key_is_needed_unless_the_server_is_local_or_credentials_sign(name: str, needed: bool) -> None:
    assert all_facts()[name].needs_key is needed


def test_nobody_can_change_the_catalog() -> None:
    rows: Any = all_facts()

    with pytest.raises(TypeError):
        rows["openai"] = None
    with pytest.raises(AttributeError):
        rows["openai"].base_url = "https://gateway.example"


GOOD = 'title = "X"\nenv = []\nauth = "bearer"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"[x]\n{GOOD}modles_path = 'models'", r"\[x\]: unknown key 'modles_path'"),
        ("[x]\ntitle = 'X'\nenv = []", r"\[x\]: missing key 'auth'"),
        (f"[x]\n{GOOD}aliases = 'y'", r"\[x\]: 'aliases' must be an array of strings"),
        (f"[x]\n{GOOD}aliases = ['']", r"\[x\]: 'aliases' must be an array of strings"),
        (f"[x]\n{GOOD}local = 'yes'", r"\[x\]: 'local' must be true or false"),
        (f"[x]\n{GOOD}base_url = ''", r"\[x\]: 'base_url' must be a string"),
        (f"[x]\n{GOOD}name = 'y'", r"\[x\]: unknown key 'name'"),
        ("[x]\ntitle = 'X'\nenv = []\nauth = 'header'", r"\[x\]: auth 'header' is none of bearer, scheme:<word>"),
        (f"[X-ai]\n{GOOD}", r"\[X-ai\]: the name must be of lower-case letters, digits and single `_`"),
        ("x = 1", r"\[x\]: is no table; missing key 'title'"),
        (f"[x]\n{GOOD}aliases = ['y']\n[y]\n{GOOD}", r"\[x\]: alias 'y' is the name or alias of another row"),
        (f"[x]\n{GOOD}aliases = ['z']\n[y]\n{GOOD}aliases = ['z']", r"\[y\]: alias 'z' is the name or alias"),
    ],
)
def test_a_row_that_makes_no_sense_is_named_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=rf"^catalog\.toml: {problem}"):
        read_catalog(text)


def test_what_a_row_leaves_out_is_none_or_empty() -> None:
    rows, _ = read_catalog(f"[x]\n{GOOD}")

    assert rows["x"] == ProviderFacts(name="x", title="X", env=(), auth="bearer", litellm_name="x")


def test_reading_the_catalog_imports_neither_pydantic_nor_httpx_nor_litellm(child_environment: dict[str, str]) -> None:
    code = """
import sys
from homeostasis_llm.catalog import all_facts
assert all_facts()
print([name for name in ("pydantic", "httpx", "litellm", "keyring") if name in sys.modules])
"""

    child = subprocess.run(
        [sys.executable, "-c", code], env=child_environment, capture_output=True, text=True, check=True
    )

    assert child.stdout == "[]\n"


def test_only_names_that_chat_are_listed() -> None:
    names = litellm_chat_names()

    assert {"openai", "poe", "nano-gpt", "aihubmix", "tencent"} <= names <= litellm_names()
    assert names & {"voyage", "aws_polly", "langfuse", "pg_vector", "black_forest_labs"} == set()
