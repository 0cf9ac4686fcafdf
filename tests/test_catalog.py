"""The catalog: what it says is what litellm does, and what it may not say is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from homeostasis_llm.catalog import ProviderFacts, all_facts, canonical_name, facts_of, read_catalog
from homeostasis_llm.litellm_names import litellm_chat_names, litellm_names

# Where the catalog and litellm do not agree, and why.

NOT_LITELLMS = {
    ("cloudflare", "CLOUDFLARE_API_TOKEN"): "Cloudflare's own tools read it",
    ("databricks", "DATABRICKS_TOKEN"): "Databricks' own tools read it",
    ("nvidia_nim", "NVIDIA_API_KEY"): "NVIDIA's docs have it",
    ("ovhcloud", "OVH_AI_ENDPOINTS_ACCESS_TOKEN"): "OVHcloud's docs have it",
    ("vercel_ai_gateway", "AI_GATEWAY_API_KEY"): "Vercel's docs have it",
    ("volcengine", "ARK_API_KEY"): "Volcengine's docs have it",
}
"""Variables that litellm does not read; we do, and give it the key."""

NO_KEYS = {
    "AWS_ACCESS_KEY_ID": "AWS's credentials are for its SDK to find",
    "AWS_SECRET_ACCESS_KEY": "as above",
    "AZURE_API_VERSION": "a setting",
    "VERTEXAI_PROJECT": "a setting",
    "VERTEXAI_LOCATION": "a setting",
}
"""What litellm also asks for, beside keys and base URLs."""

NO_ADDRESS = {
    "hosted_vllm": "litellm leaves the SDK's default standing, which is OpenAI; the factory gives it the catalog's",
    "lm_studio": "as hosted_vllm",
}
"""Rows whose base URL litellm does not know."""

NOT_ASKED = {"vertex_ai": "litellm asks it only where Google's SDK is installed"}
"""Rows for which no request was sent."""

EXCHANGED = {"watsonx": "the key is exchanged for a token, which is then shown"}

NOT_PRICED = {
    "huggingface": "litellm has no prices of it",
    "nvidia_nim": "litellm has prices of its rerankers alone",
    "openrouter": "litellm has no prices of it",
}
"""Rows whose default model is not in litellm's price list."""

STILL_SERVED = "2027-07-01"
"""A default model is not withdrawn before that day, as far as litellm's price list tells."""


@pytest.fixture(scope="module")
def asked() -> Any:
    """What tests/sent_by_litellm.py prints."""
    root = Path(__file__).parent.parent
    child = subprocess.run(
        [sys.executable, "-m", "tests.sent_by_litellm"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(root / "tests" / "child"), str(root)))},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


@pytest.fixture(scope="module")
def prices() -> Any:
    """litellm's price list."""
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "model_prices_and_context_window_backup.json"
    return json.loads(path.read_text(encoding="utf-8"))


def _sent(asked: Any, name: str, kind: str, variable: str = "") -> dict[str, Any]:
    """The last request, which is the one for an answer; what came before asked for a token or about the model."""
    told = asked["rows"][name][kind]
    told = told[variable] if variable else told
    assert told["sent"], told["error"]
    request: dict[str, Any] = told["sent"][-1]
    return request


def _rows(*, without: dict[str, str] = NOT_ASKED) -> list[ProviderFacts]:
    return [facts for facts in all_facts().values() if facts.name not in without]


def _name(value: object) -> str:
    return value.name if isinstance(value, ProviderFacts) else str(value)


KEY_VARIABLES = [(facts, variable) for facts in _rows() for variable in facts.env]
BASE_VARIABLES = [(facts, variable) for facts in _rows() for variable in facts.base_url_env]


@pytest.mark.parametrize("facts", [facts for facts in _rows() if facts.base_url], ids=_name)
def test_litellm_sends_to_the_base_url_of_the_row(facts: ProviderFacts, asked: Any) -> None:
    url = _sent(asked, facts.name, "plain")["url"]

    assert url.startswith(f"{facts.base_url}/") is (facts.name not in NO_ADDRESS)


@pytest.mark.parametrize(
    ("name", "path"), [("ollama", "/api/chat"), ("cohere", "/v2/chat"), ("ai21", "/v1/chat/completions")]
)
def test_litellm_takes_the_route_for_chat_where_it_has_an_older_one(name: str, path: str, asked: Any) -> None:
    assert _sent(asked, name, "plain")["url"].endswith(path)


@pytest.mark.parametrize("facts", _rows(), ids=_name)
def test_litellm_asks_for_the_default_model_of_the_row(facts: ProviderFacts, asked: Any) -> None:
    request = _sent(asked, facts.name, "plain")
    model = facts.default_model or "some-model"

    assert (request["body"] or {}).get("model", model) == model
    assert model in json.dumps(request["body"]) + request["url"].replace("%3A", ":")


@pytest.mark.parametrize(("facts", "variable"), KEY_VARIABLES, ids=_name)
def test_litellm_takes_the_key_from_the_variables_of_the_row(facts: ProviderFacts, variable: str, asked: Any) -> None:
    told = asked["rows"][facts.name]["keys"][variable]
    shown = [value for request in told["sent"] for value in request["headers"].values()]
    key = "a-token-for-the-key" if facts.name in EXCHANGED else "the-key"

    assert any(value.endswith(key) for value in shown) is ((facts.name, variable) not in NOT_LITELLMS)


@pytest.mark.parametrize("facts", _rows(), ids=_name)
def test_litellm_wants_no_key_from_another_variable(facts: ProviderFacts, asked: Any) -> None:
    assert {*asked["rows"][facts.name]["wanted"]} - NO_KEYS.keys() <= {*facts.env, *facts.base_url_env}


@pytest.mark.parametrize("facts", _rows(without=NOT_ASKED | EXCHANGED), ids=_name)
def test_litellm_shows_the_key_as_the_row_says(facts: ProviderFacts, asked: Any) -> None:
    request = _sent(asked, facts.name, "plain")
    kind, _, header = facts.auth.partition(":")
    # A key of Bedrock's is a bearer's; without one, requests are signed.
    expected = ("authorization", "Bearer the-key") if kind in {"bearer", "aws"} else (header, "the-key")

    assert expected in request["headers"].items()
    assert "the-key" not in request["url"]


@pytest.mark.parametrize(("facts", "variable"), BASE_VARIABLES, ids=_name)
def test_the_base_url_variables_of_the_row_lead_litellm_elsewhere(
    facts: ProviderFacts, variable: str, asked: Any
) -> None:
    url = _sent(asked, facts.name, "bases", variable)["url"]

    assert url.startswith("https://gateway.example/elsewhere")


@pytest.mark.parametrize("facts", [facts for facts in all_facts().values() if facts.default_model], ids=_name)
def test_the_default_model_is_priced_and_not_about_to_be_withdrawn(facts: ProviderFacts, prices: Any) -> None:
    priced = next(
        (
            prices[name]
            for name in (f"{facts.name}/{facts.default_model}", str(facts.default_model))
            if name in prices and prices[name]["mode"] == "chat"
        ),
        None,
    )

    assert (priced is None) is (facts.name in NOT_PRICED)
    assert (priced or {}).get("deprecation_date", STILL_SERVED) >= STILL_SERVED


def test_every_exception_is_needed() -> None:
    rows = all_facts()

    assert {*NO_ADDRESS, *NOT_ASKED, *EXCHANGED, *NOT_PRICED} <= rows.keys()
    assert all(variable in rows[name].env for name, variable in NOT_LITELLMS)


def test_the_catalog_knows_more_than_35_providers() -> None:
    assert len(all_facts()) > 35


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
        ("[x]\ntitle = 'X'\nenv = []\nauth = 'header'", r"\[x\]: auth 'header' is none of bearer, header:<name>"),
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


def test_litellms_names_are_read_without_importing_it(asked: Any) -> None:
    assert sorted(litellm_names()) == asked["names"]


def test_only_names_that_chat_are_listed() -> None:
    names = litellm_chat_names()

    assert {"openai", "poe", "nano-gpt", "aihubmix", "tencent"} <= names <= litellm_names()
    assert names & {"voyage", "aws_polly", "langfuse", "pg_vector", "black_forest_labs"} == set()
