"""`homeostasis llm providers` and `homeostasis llm models`: who can be asked, and for what."""

from __future__ import annotations

import json
from pathlib import Path

import keyring
import pytest

from homeostasis_llm.catalog import all_facts
from homeostasis_llm.keys.lookup import SERVICE
from tests.loopback import Loopback

from .conftest import SENT_KEY, Run, install


def rows(output: str) -> dict[str, list[str]]:
    """The cells of each row, by the first."""
    lines = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in output.splitlines()]
    return {first: others for first, *others in filter(None, lines)}


def test_each_row_says_which_model_and_where_a_key_would_come_from(run: Run) -> None:
    listed = run("llm", "providers")

    assert listed.exit_code == 0
    table = rows(listed.stdout)
    assert table["NAME"] == ["DEFAULT MODEL", "KEY", "FROM"]
    assert table["anthropic"] == [str(all_facts()["anthropic"].default_model), "no", "ANTHROPIC_API_KEY"]
    assert table["lm_studio"] == ["-", "not needed", "-"]
    assert table["bedrock"][1:] == ["-", "credentials of AWS"]
    assert all_facts().keys() <= table.keys()


def test_a_key_that_is_there_is_said_to_be_but_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SENT_KEY)
    keyring.set_password(SERVICE, "openai", f"other-{SENT_KEY}")

    listed, as_json = run("llm", "providers"), run("llm", "providers", "--json")

    table = rows(listed.stdout)
    assert table["anthropic"][1:] == ["yes", "environment variable ANTHROPIC_API_KEY"]
    assert table["openai"][1:] == ["yes", "keyring"]
    facts = {row["name"]: row for row in json.loads(as_json.stdout)}
    assert (facts["openai"]["has_key"], facts["openai"]["key_source"]) == (True, "keyring")
    assert facts["gemini"]["has_key"] is False
    for beginning in range(len(SENT_KEY) - 6):
        assert SENT_KEY[beginning : beginning + 6] not in listed.output + as_json.output


def test_those_with_a_key_come_first_and_all_others_by_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_API_KEY", SENT_KEY)
    monkeypatch.setenv("GROQ_API_KEY", SENT_KEY)

    _, first, second, *others = rows(run("llm", "providers").stdout)

    assert [first, second] == ["groq", "xai"]
    assert others == sorted(others)


def test_json_has_everything_that_is_known(run: Run) -> None:
    listed = run("llm", "providers", "--json")

    facts = {row["name"]: row for row in json.loads(listed.stdout)}
    assert facts["openai"] == {
        "name": "openai",
        "title": "OpenAI",
        "source": "catalog",
        "default_model": all_facts()["openai"].default_model,
        "needs_key": True,
        "has_key": False,
        "key_source": None,
        "key_looked_for_in": ["HOMEOSTASIS_OPENAI_API_KEY", "OPENAI_API_KEY", "keyring"],
        "keyring_problem": None,
        "problem": None,
    }
    assert facts["llama_cpp"]["source"].startswith("plugin homeostasis-llm-llama-cpp ")


def test_those_that_only_litellm_knows_are_listed_when_asked_for(run: Run) -> None:
    some, everyone = run("llm", "providers"), run("llm", "providers", "--all")

    only_litellm = rows(everyone.stdout).keys() - rows(some.stdout).keys()
    assert len(only_litellm) > 20
    assert only_litellm.isdisjoint(all_facts())


@pytest.mark.usefixtures("scripted")
def test_a_plugin_is_listed_with_its_default_model(run: Run) -> None:
    table = rows(run("llm", "providers").stdout)

    assert table["scripted"] == ["plain", "no", "SCRIPTED_API_KEY"]
    assert table["silent"] == ["plain", "not needed", "-"]


def test_a_broken_plugin_is_named_with_its_cause_and_harms_nobody_else(run: Run, plugins: Path) -> None:
    install(plugins, "cracked-llm", cracked="no_such_module:Cracked")
    install(plugins, "twin-one", twin="tests.cli.scripted:Scripted")
    install(plugins, "twin-two", twin="tests.cli.scripted:Scripted")

    listed = run("llm", "providers")

    assert listed.exit_code == 0
    (cracked,) = [line for line in listed.stdout.splitlines() if line.startswith("cracked is broken: ")]
    assert "cracked-llm 1.0" in cracked
    assert "No module named 'no_such_module'" in cracked
    (twin,) = [line for line in listed.stdout.splitlines() if line.startswith("twin is broken: ")]
    assert "twin-one 1.0" in twin
    assert "twin-two 1.0" in twin
    assert "openai" in rows(listed.stdout)


def test_a_keyring_that_cannot_be_asked_is_said_once(run: Run) -> None:
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]  # keyring's own has no annotations
    try:
        listed = run("llm", "providers")
    finally:
        keyring.set_keyring(before)

    assert listed.stderr == "Only the environment was looked into: this system has no keyring.\n"


@pytest.mark.usefixtures("scripted")
def test_models_are_listed_one_a_line(run: Run) -> None:
    listed, as_json = run("llm", "models", "scripted"), run("llm", "models", "scripted", "--json")

    assert listed.stdout.splitlines() == json.loads(as_json.stdout)
    assert "plain" in listed.stdout.splitlines()


@pytest.mark.usefixtures("scripted")
def test_a_provider_that_lists_no_models_is_no_failure(run: Run) -> None:
    listed, as_json = run("llm", "models", "silent"), run("llm", "models", "silent", "--json")

    assert (listed.stdout, listed.stderr, listed.exit_code) == ("", "silent lists no models.\n", 0)
    assert as_json.stdout == "[]\n"


def test_models_come_from_the_provider_itself(run: Run, openai: Loopback) -> None:
    openai.reply(json={"object": "list", "data": [{"id": "gpt-b", "object": "model"}, {"id": "gpt-a"}]})

    listed = run("llm", "models", "OpenAI")

    assert sorted(listed.stdout.split()) == ["gpt-a", "gpt-b"]
    assert openai.requests[0].path == "/v1/models"
    assert openai.requests[0].headers["authorization"] == f"Bearer {SENT_KEY}"


def test_a_key_that_is_refused_is_one_line(run: Run, openai: Loopback) -> None:
    openai.always(status=401, json={"error": {"message": f"Incorrect API key provided: {SENT_KEY}."}})

    listed = run("llm", "models", "openai")

    assert (listed.exit_code, listed.stdout) == (1, "")
    assert listed.stderr.startswith("Error: ")
    assert listed.stderr.count("\n") == 1
    assert SENT_KEY not in listed.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["llm", "models"], 2, "Missing argument 'PROVIDER'"),
        (["llm", "models", "opnai"], 1, "did you mean 'openai'?"),
        (["llm", "models", ""], 1, "name is empty"),
        (["llm", "models", "openai", "--jsn"], 2, "Did you mean '--json'?"),
        (["llm", "providers", "--al"], 2, "Did you mean"),
        (["llm", "providers", "openai"], 2, "unexpected extra argument (openai)"),
        (["llm", "modles"], 2, "Did you mean 'models'?"),
        (["lm", "ask"], 2, "Did you mean 'llm'?"),
        (["--verion"], 2, "Did you mean '--version'?"),
    ],
)
def test_a_mistake_in_an_argument_is_named(arguments: list[str], exit_code: int, says: str, run: Run) -> None:
    asked = run(*arguments)

    assert (asked.exit_code, asked.stdout) == (exit_code, "")
    assert says in asked.stderr.splitlines()[-1]


def test_the_version_is_the_installed_one(run: Run) -> None:
    from importlib.metadata import version

    assert run("--version").stdout == f"homeostasis-llm {version('homeostasis-llm')}\n"
