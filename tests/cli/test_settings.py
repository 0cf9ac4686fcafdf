"""The commands that say who is asked, and those that show, check and edit the settings file."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import keyring
import pytest

from homeostasis_llm.config import ConfigError, Failover, config_path, load_settings
from homeostasis_llm.config.rewriting import rewrite_settings
from homeostasis_llm.keys.lookup import SERVICE

from .conftest import Run
from .servers import KEY, assert_not_shown


@pytest.fixture
def settings(home: Path) -> Path:
    """The settings file, which is not there yet; its folder is."""
    path = home / ".config" / "homeostasis-llm" / "config.toml"
    path.parent.mkdir(parents=True)
    assert path == config_path()
    return path


# ----------------------------------------------------------------------------------------------------- who is asked


@pytest.mark.usefixtures("picky")
@pytest.mark.parametrize(
    ("given", "told", "got"),
    [
        ("Anthropic", "anthropic is asked first.", "anthropic"),
        ("claude", "anthropic is asked first.", "anthropic"),
        ("picky", "picky is asked first.", "picky"),
        ("auto", "Whoever has a key is asked first.", "auto"),
        ("AUTO", "Whoever has a key is asked first.", "auto"),
    ],
)
def test_the_active_provider_is_stored_and_got_back(given: str, told: str, got: str, run: Run) -> None:
    done = run("llm", "set-active-provider", given)

    assert (done.exit_code, done.stdout) == (0, f"{told}\n")
    assert run("llm", "get-active-provider").stdout == f"{got}\n"
    assert json.loads(run("llm", "get-active-provider", "--json").stdout) == {"active_provider": got}


def test_an_active_provider_without_a_key_is_told(run: Run) -> None:
    without = run("llm", "set-active-provider", "openai")
    keyring.set_password(SERVICE, "openai", KEY)

    assert without.stderr == "openai has no key yet: `homeostasis llm set-key openai` stores one.\n"
    assert run("llm", "set-active-provider", "openai").stderr == ""
    assert run("llm", "set-active-provider", "llama_cpp").stderr == ""


@pytest.mark.usefixtures("picky")
def test_the_fallback_order_is_stored_and_got_back(run: Run) -> None:
    done = run("llm", "set-fallback-order", "picky", "Claude", "openai", "anthropic")

    assert (done.exit_code, done.stdout) == (0, "Asked in this order: picky, anthropic, openai.\n")
    assert run("llm", "get-fallback-order").stdout == "picky\nanthropic\nopenai\n"
    assert run("llm", "set-fallback-order", "picky,claude,", "openai").stdout == done.stdout
    assert json.loads(run("llm", "get-fallback-order", "--json").stdout) == {
        "fallback_order": ["picky", "anthropic", "openai"],
        "enable_fallback": True,
    }


@pytest.mark.parametrize(
    ("words", "enabled"), [(("true", "1", "yes", "ON"), True), (("false", "0", "no", "off", "False"), False)]
)
def test_fallback_is_switched_by_every_word_for_it(words: tuple[str, ...], enabled: bool, run: Run) -> None:
    for word in words:
        run("llm", "set-fallback-enabled", "false" if enabled else "true")

        assert run("llm", "set-fallback-enabled", word).exit_code == 0
        assert load_settings().enable_fallback is enabled


def test_an_order_that_is_switched_off_is_told(run: Run) -> None:
    run("llm", "set-fallback-enabled", "no")

    assert "fallback is off" in run("llm", "get-fallback-order").stderr
    assert "fallback is off" in run("llm", "set-fallback-order", "openai").stderr


def test_openrouter_stands_in_for_whom_is_said_and_can_be_told_not_to(run: Run) -> None:
    both = run("llm", "set-openrouter-unified", "true")
    one = run("llm", "set-openrouter-unified", "yes", "--no-proxy-openai")
    off = run("llm", "set-openrouter-unified", "off")
    again = run("llm", "set-openrouter-unified", "on", "--proxy-openai", "--no-proxy-anthropic")

    assert both.stdout == "OpenRouter stands in for anthropic, openai.\n"
    assert both.stderr == "openrouter has no key yet: `homeostasis llm set-key openrouter` stores one.\n"
    assert one.stdout == "OpenRouter stands in for anthropic.\n"
    assert off.stdout == "OpenRouter stands in for nobody.\n"
    assert again.stdout == "OpenRouter stands in for openai.\n"


def test_policies_are_stored_one_by_one_and_got_back(run: Run) -> None:
    first = run("llm", "set-provider-policies", "--cost", "low")
    second = run("llm", "set-provider-policies", "--latency", "high", "--reliability", "balanced")

    assert first.stdout == "Cost low, latency balanced, reliability high.\n"
    assert second.stdout == "Cost low, latency high, reliability balanced.\n"
    assert run("llm", "get-provider-policies").stdout == "cost         low\nlatency      high\nreliability  balanced\n"
    assert json.loads(run("llm", "get-provider-policies", "--json").stdout) == {
        "cost": "low",
        "latency": "high",
        "reliability": "balanced",
    }


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("set-active-provider", "opnai"), 1, "did you mean 'openai'?"),
        (("set-active-provider", "auot"), 1, "`auto` stands for whoever has a key"),
        (("set-active-provider",), 2, "Missing argument 'PROVIDER'"),
        (("set-fallback-order", "openai", "antropic"), 1, "did you mean 'anthropic'"),
        (("set-fallback-order", "openai,antropic"), 1, "did you mean 'anthropic'"),
        (("set-fallback-order", ","), 1, "a provider's name is empty"),
        (("set-fallback-order",), 2, "Missing argument"),
        (("set-fallback-enabled", "maybe"), 2, "neither true (1, yes, on) nor false (0, no, off)"),
        (("set-fallback-enabled", ""), 2, "neither true"),
        (("set-fallback-enabled",), 2, "Missing argument"),
        (("set-openrouter-unified", "ture"), 2, "neither true"),
        (("set-openrouter-unified", "true", "--proxy-opnai"), 2, "'--proxy-openai'?"),
        (("set-provider-policies",), 2, "Give --cost, --latency or --reliability."),
        (("set-provider-policies", "--latency", "medium"), 2, "'medium' is not one of 'low', 'balanced', 'high'"),
        (("set-provider-policies", "--costs", "low"), 2, "Did you mean '--cost'?"),
        (("get-active-provider", "--jsn"), 2, "Did you mean '--json'?"),
        (("get-fallback-order", "openai"), 2, "unexpected extra argument"),
        (("get-provider-policies", "cost"), 2, "unexpected extra argument"),
        (("provider-status", "--verbos"), 2, "Did you mean '--verbose'?"),
        (("auto-configure", "openai"), 2, "unexpected extra argument"),
        (("config", "shwo"), 2, "Did you mean 'show'?"),
        (("config", "path", "x"), 2, "unexpected extra argument"),
        (("config", "check", "--jsn"), 2, "Did you mean '--json'?"),
        (("config", "edit", "x"), 2, "unexpected extra argument"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_a_mistake_in_an_argument_is_named_and_nothing_is_stored(
    arguments: tuple[str, ...], exit_code: int, says: str, run: Run
) -> None:
    done = run("llm", *arguments)

    assert (done.exit_code, done.stdout, config_path().exists()) == (exit_code, "", False)
    assert says in done.stderr


def test_a_settings_file_that_is_wrong_is_left_alone_and_its_line_named(run: Run, settings: Path) -> None:
    settings.write_text("# mine\nenable_fallback = maybe\n")

    for command in (("get-active-provider",), ("set-active-provider", "openai"), ("provider-status",)):
        done = run("llm", *command)

        assert (done.exit_code, done.stdout) == (1, "")
        assert f"Error: {settings}, line 2: " in done.stderr
    assert settings.read_text() == "# mine\nenable_fallback = maybe\n"


# ----------------------------------------------------------------------------------- provider-status, auto-configure


@pytest.mark.usefixtures("picky")
def test_the_status_says_who_is_asked_and_who_can_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    keyring.set_password(SERVICE, "picky", KEY)

    status, verbose = run("llm", "provider-status"), run("llm", "provider-status", "-v")
    as_json = run("llm", "provider-status", "--json")

    assert (status.exit_code, status.stderr) == (0, "")
    assert status.stdout == (
        "asked first  auto: whoever has a key\n"
        "then         anthropic, openai, openrouter\n"
        "policies     cost balanced, latency balanced, reliability high\n"
        "OpenRouter   stands in for nobody\n"
        "can be used  openai, llama_cpp, picky\n"
    )
    assert "picky      picky-1 " in verbose.stdout
    assert "its key was found: environment variable OPENAI_API_KEY\n" in verbose.stdout
    assert json.loads(as_json.stdout) == {
        "active_provider": "auto",
        "fallback_enabled": True,
        "fallback_order": ["anthropic", "openai", "openrouter"],
        "available_providers": ["openai", "picky"],
        "without_key": ["llama_cpp"],
        "openrouter_unified": False,
        "openrouter_unified_providers": ["anthropic", "openai"],
        "provider_policies": {"cost": "balanced", "latency": "balanced", "reliability": "high"},
        "total_configured_providers": 2,
    }
    assert_not_shown(status.output + verbose.output + as_json.output)


def test_who_is_set_up_without_a_key_can_be_used_too(run: Run, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write_text('[providers.lm_studio]\ndefault_model = "qwen"\n')
    monkeypatch.setenv("OLLAMA_API_BASE", "http://127.0.0.1:11434")

    shown = run("llm", "provider-status", "-v").stdout

    assert "lm_studio  qwen " in shown
    assert "it is in the settings" in shown
    assert "its base URL is set" in shown


@pytest.mark.usefixtures("picky")
def test_the_order_is_stored_by_the_keys_that_are_found_and_said_why(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    monkeypatch.setenv("AZURE_API_KEY", KEY)  # of no use without an address
    keyring.set_password(SERVICE, "anthropic", KEY)
    keyring.set_password(SERVICE, "picky", KEY)

    done = run("llm", "auto-configure")

    assert done.exit_code == 0
    assert done.stdout == (
        "Asked in this order when a provider fails:\n"
        "1. anthropic: its key was found: keyring\n"
        "2. groq: its key was found: environment variable GROQ_API_KEY\n"
        "3. picky: its key was found: keyring\n"
    )
    assert "azure is left out: set its base_url" in done.stderr
    assert load_settings().fallback_order == ("anthropic", "groq", "picky")


def test_without_any_key_nothing_is_configured(run: Run) -> None:
    done = run("llm", "auto-configure")

    assert (done.exit_code, done.stdout, config_path().exists()) == (1, "", False)
    assert "No key was found, and nothing changed." in done.stderr


# -------------------------------------------------------------------------------------------------------- config show


def test_each_setting_is_shown_with_where_it_is_from(run: Run, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write_text(
        "# mine\n"
        'fallback_order = ["openai"]\n'
        "\n"
        "[providers.OpenAI]\n"
        "timeout = 30\n"
        'default_model = "gpt-x"\n'
        'base_url = "https://in-the-file.example"\n'
        "\n"
        "[providers.ollama.timeout]\n"
        "connect = 2\n"
    )
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", "https://gateway.example/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://other.example")
    monkeypatch.setenv("HOMEOSTASIS_GROQ_API_KEY_FILE", "/run/secrets/groq")

    shown = run("llm", "config", "show")
    facts = {
        one["key"]: (one["value"], one["origin"]) for one in json.loads(run("llm", "config", "show", "--json").stdout)
    }

    assert facts == {
        **{f"failover.{name}": (kept, "default") for name, kept in Failover().model_dump().items()},
        "spending.per_day": (None, "default"),
        "spending.per_month": (None, "default"),
        "active_provider": ("auto", "default"),
        "enable_fallback": (True, "default"),
        "fallback_order": (["openai"], "line 2"),
        "openrouter_unified.enabled": (False, "default"),
        "openrouter_unified.model_map": ({}, "default"),
        "openrouter_unified.providers": (["anthropic", "openai"], "default"),
        "provider_policies.cost": ("balanced", "default"),
        "provider_policies.latency": ("balanced", "default"),
        "provider_policies.reliability": ("high", "default"),
        "providers.anthropic.base_url": ("https://other.example", "environment variable ANTHROPIC_BASE_URL"),
        "providers.groq.api_key_file": ("/run/secrets/groq", "environment variable HOMEOSTASIS_GROQ_API_KEY_FILE"),
        "providers.ollama.timeout": ({"connect": 2.0}, "line 9"),
        "providers.openai.base_url": ("https://gateway.example/v1", "environment variable HOMEOSTASIS_OPENAI_BASE_URL"),
        "providers.openai.default_model": ("gpt-x", "line 6"),
        "providers.openai.timeout": (30, "line 5"),
    }
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert lines[0] == "SETTING VALUE FROM"
    assert 'providers.openai.default_model "gpt-x" line 6' in lines
    assert 'providers.ollama.timeout {"connect" = 2.0} line 9' in lines


def test_a_variable_for_a_provider_is_shown_by_the_name_that_the_file_has_for_it(
    run: Run, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.write_text('[providers."my.llm"]\nbase_url = "https://mine.example"\n')
    monkeypatch.setenv("HOMEOSTASIS_MY_LLM_BASE_URL", "https://gateway.example")

    shown = json.loads(run("llm", "config", "show", "--json").stdout)

    assert [(one["key"], one["value"]) for one in shown if one["key"].startswith("providers.")] == [
        ("providers.my.llm.base_url", "https://gateway.example")
    ]


def test_what_may_be_a_credential_is_not_shown(run: Run, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write_text(
        "[providers.openai]\n"
        'headers = { X-Team = "blue", X-Gateway-Token = "hush-hush-1", X-Session-Id = "hush-hush-2" }\n'
        'api_key_command = ["pass-cli", "--pin", "hush-hush-3"]\n'
    )
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", "https://me:hush-hush-4@gateway.example/v1?key=hush-hush-5")

    shown, as_json = run("llm", "config", "show"), run("llm", "config", "show", "--json")

    for printed in (shown, as_json):
        assert printed.exit_code == 0
        assert "hush-hush" not in printed.output
        assert "blue" in printed.stdout
        assert "https://********@gateway.example/v1?********" in printed.stdout
        assert "pass-cli" in printed.stdout


# --------------------------------------------------------------------------------------------- config path and check


def test_the_path_is_that_of_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("llm", "config", "path").stdout == f"{config_path()}\n"
    monkeypatch.setenv("HOMEOSTASIS_CONFIG", str(tmp_path / "mine.toml"))

    assert run("llm", "config", "path").stdout == f"{tmp_path / 'mine.toml'}\n"


def test_a_good_file_is_said_to_be_and_a_missing_one_too(run: Run, settings: Path) -> None:
    missing = run("llm", "config", "check")
    settings.write_text("enable_fallback = false\n")
    good = run("llm", "config", "check")

    assert (missing.exit_code, missing.stdout) == (0, f"{settings}: there is no such file, and the defaults hold\n")
    assert (good.exit_code, good.stdout) == (0, f"{settings}: ok\n")
    assert json.loads(run("llm", "config", "check", "--json").stdout) == {
        "path": str(settings),
        "ok": True,
        "problems": [],
        "warnings": [],
    }


def test_all_that_is_wrong_is_said_a_line_each(run: Run, settings: Path) -> None:
    settings.write_text('active_providr = "openai"\n\n[providers.openai]\ntimeout = "soon"\n')

    checked, as_json = run("llm", "config", "check"), run("llm", "config", "check", "--json")

    assert (checked.exit_code, as_json.exit_code) == (1, 1)
    first, second = checked.stdout.splitlines()
    assert first == f"{settings}, line 1: active_providr: is unknown; did you mean active_provider?"
    assert second.startswith(f"{settings}, line 4: providers.openai.timeout: must be a number of seconds")
    assert json.loads(as_json.stdout) == {
        "path": str(settings),
        "ok": False,
        "problems": [first, second],
        "warnings": [],
    }


def test_a_name_that_nobody_has_is_told_but_no_failure(run: Run, settings: Path) -> None:
    settings.write_text('fallback_order = ["opnai"]\n')

    checked, as_json = run("llm", "config", "check"), run("llm", "config", "check", "--json")

    told = "no provider is called 'opnai'; did you mean 'openai'?"
    assert (checked.exit_code, checked.stdout) == (0, f"{settings}: ok\n")
    assert checked.stderr.startswith(f"{settings}: {told}")
    assert (as_json.exit_code, as_json.stderr) == (0, "")
    facts = json.loads(as_json.stdout)
    assert (facts["ok"], facts["problems"]) == (True, [])
    assert facts["warnings"][0].startswith(told)


# -------------------------------------------------------------------------------------------------------- config edit


def test_no_editor_for_a_terminal_is_opened_where_there_is_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)

    done = run("llm", "config", "edit")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "Run this at a terminal, or name an editor in EDITOR" in done.stderr


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the editor writes into the file that it is given; without it, it changes nothing."""
    text = tmp_path / "text"
    program = tmp_path / "editor.py"
    program.write_text(
        "import pathlib, sys\n"
        f"text = pathlib.Path({str(text)!r})\n"
        "if text.exists():\n"
        "    pathlib.Path(sys.argv[1]).write_bytes(text.read_bytes())\n"
    )
    monkeypatch.setenv("VISUAL", f'"{sys.executable}" "{program}"')
    return text


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


def test_what_was_written_in_the_editor_is_saved_as_it_stands(run: Run, settings: Path, editor: Path) -> None:
    written = "# mine\r\n[providers.openai]\r\ntimeout   =  30 # seconds\r\n"
    editor.write_bytes(written.encode())

    edited = run("llm", "config", "edit")

    assert (edited.exit_code, edited.stdout) == (0, f"{settings}: saved\n")
    assert settings.read_bytes() == written.encode()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600


@pytest.mark.usefixtures("editor")
@pytest.mark.parametrize("before", ["", "enable_fallback = false\n"])
def test_what_was_not_changed_is_not_saved(before: str, run: Run, settings: Path) -> None:
    if before:
        settings.write_text(before)

    edited = run("llm", "config", "edit")

    assert (edited.exit_code, edited.stdout) == (0, "Nothing changed.\n")
    assert settings.exists() == bool(before)


def test_what_is_wrong_is_not_saved_and_not_lost(run: Run, settings: Path, editor: Path) -> None:
    settings.write_text("enable_fallback = false\n")
    editor.write_text("enable_fallback = maybe\n")

    edited = run("llm", "config", "edit")

    problem, refusal = edited.stderr.splitlines()
    assert (edited.exit_code, edited.stdout) == (1, "")
    assert "line 1: is no TOML: invalid value" in problem
    assert refusal.startswith("Error: Nothing was saved. What you wrote is in ")
    assert Path(refusal.rpartition(" ")[2]).read_text() == "enable_fallback = maybe\n"
    assert settings.read_text() == "enable_fallback = false\n"


def test_an_editor_that_fails_or_is_not_there_changes_nothing(
    run: Run, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.write_text("enable_fallback = false\n")

    for editor in ("no-such-editor", f'"{sys.executable}" -c "raise SystemExit(3)"'):
        monkeypatch.setenv("VISUAL", editor)
        edited = run("llm", "config", "edit")

        assert (edited.exit_code, edited.stdout) == (1, "")
        assert "Editing failed" in edited.stderr
    assert settings.read_text() == "enable_fallback = false\n"


def test_a_file_that_is_wrong_already_can_be_edited(run: Run, settings: Path, editor: Path) -> None:
    settings.write_text("enable_fallback = maybe\n")
    editor.write_text("enable_fallback = true\n")

    assert run("llm", "config", "edit").exit_code == 0
    assert settings.read_text() == "enable_fallback = true\n"


def test_a_change_of_somebody_else_in_the_meantime_is_not_lost(
    run: Run, settings: Path, editor: Path, tmp_path: Path
) -> None:
    settings.write_text("enable_fallback = true\n")
    editor.write_text("enable_fallback = false\n")
    # While the editor is open, another program writes.
    with (tmp_path / "editor.py").open("a", encoding="utf-8") as program:
        program.write(f"pathlib.Path({str(settings)!r}).write_text('active_provider = \"openai\"\\n')\n")

    edited = run("llm", "config", "edit")

    assert edited.exit_code == 1
    assert "was changed by another program in the meantime" in edited.stderr
    assert "What you wrote is in " in edited.stderr
    assert settings.read_text() == 'active_provider = "openai"\n'


def test_a_text_that_is_wrong_is_never_written(settings: Path) -> None:
    with pytest.raises(ConfigError, match="line 1: is no TOML"):
        rewrite_settings("enable_fallback = maybe\n", before="")

    assert not settings.exists()
