"""`homeostasis llm validate-key` and `test-providers`: each outcome in plain words, and an exit status to rely on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from threading import Barrier

import keyring
import pytest

from homeostasis_llm import ProviderFactory
from homeostasis_llm.keys.lookup import SERVICE
from tests.loopback import Loopback

from .conftest import SENT_KEY, Run, UseKeyring, install
from .picky import Picky
from .servers import KEY, accept, assert_not_shown, refuse
from .test_providers import rows


def test_a_good_key_is_one_sentence_and_exit_status_0(run: Run, openai: Loopback) -> None:
    accept(openai)

    checked = run("llm", "validate-key", "OpenAI")

    assert (checked.exit_code, checked.stderr) == (0, "")
    assert checked.stdout.startswith("openai: verified in 0.")
    assert checked.stdout.endswith(" s. OpenAI accepts the key.\n")
    assert openai.requests[0].headers["authorization"] == f"Bearer {SENT_KEY}"


def test_a_refused_key_is_said_in_the_providers_own_words_without_the_key(run: Run, openai: Loopback) -> None:
    refuse(openai, SENT_KEY)

    plain, verbose = run("llm", "validate-key", "openai"), run("llm", "validate-key", "openai", "-v")
    as_json = run("llm", "validate-key", "openai", "--json")

    for checked in (plain, verbose, as_json):
        assert (checked.exit_code, checked.stderr) == (1, "")
        assert "Incorrect API key provided" in checked.stdout
        assert_not_shown(checked.output, SENT_KEY)
    assert "make a new one at https://platform.openai.com/api-keys." in plain.stdout
    assert verbose.stdout.endswith(
        f"(key from: environment variable OPENAI_API_KEY; asked: GET {openai.url}/v1/models; status: 401)\n"
    )


@pytest.mark.parametrize(
    ("answer", "outcome", "exit_code"),
    [
        ({"status": 403, "json": {"error": {"message": "No."}}}, "no permission", 0),
        ({"status": 402, "json": {"error": {"message": "No."}}}, "no credit", 0),
        ({"status": 429, "json": {"error": {"message": "No."}}}, "rate limited", 0),
        ({"status": 401, "json": {"error": {"message": "No.", "code": "key_expired"}}}, "expired", 1),
        ({"status": 503, "json": {"error": {"message": "No."}}}, "provider down", 1),
        ({"status": 418, "json": {"error": {"message": "No."}}}, "could not tell", 1),
        ({"drop": True}, "unreachable", 1),
    ],
    ids=lambda given: given if isinstance(given, str) else None,
)
def test_each_outcome_has_its_words_and_only_a_good_key_has_exit_status_0(
    answer: dict[str, object], outcome: str, exit_code: int, run: Run, openai: Loopback
) -> None:
    openai.always(**answer)  # type: ignore[arg-type]  # as Loopback takes it

    checked = run("llm", "validate-key", "openai")

    assert checked.exit_code == exit_code
    assert checked.stdout.startswith(f"openai: {outcome} in ")
    assert checked.stdout.count("\n") == 1


def test_a_key_of_somebody_else_is_told_whose(run: Run, openai: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ant-made-up-0123456789")
    refuse(openai)

    checked = run("llm", "validate-key", "openai")

    assert checked.stdout.startswith("openai: wrong provider in ")
    assert "it looks like a key of Anthropic." in checked.stdout
    assert "Store it with `homeostasis llm set-key anthropic`" in checked.stdout


def test_a_malformed_key_is_told_and_not_sent(run: Run, openai: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f'"{SENT_KEY}"')

    checked = run("llm", "validate-key", "openai", "-v")

    assert (checked.exit_code, openai.requests) == (1, [])
    assert checked.stdout.startswith("openai: malformed. The key has quotes around it.")
    assert_not_shown(checked.output, SENT_KEY)


def test_an_absent_key_is_told_with_what_to_do_and_nobody_is_asked(
    run: Run, loopback: Loopback, use_keyring: UseKeyring
) -> None:
    from keyring.backends import fail

    use_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # keyring's own has no annotations

    checked, as_json = run("llm", "validate-key", "openai"), run("llm", "validate-key", "openai", "--json")

    assert (checked.exit_code, as_json.exit_code, loopback.requests) == (1, 1, [])
    assert checked.stdout == (
        "openai: No key was found (this system has no keyring). Run `homeostasis llm set-key openai`, or set "
        "HOMEOSTASIS_OPENAI_API_KEY or OPENAI_API_KEY; keys are made at https://platform.openai.com/api-keys.\n"
    )
    (facts,) = json.loads(as_json.stdout)
    assert (facts["outcome"], facts["ok"], facts["seconds"]) == ("no_key", False, None)


def test_json_has_everything_that_is_known_of_a_check(run: Run, openai: Loopback) -> None:
    openai.always(status=429, headers={"retry-after": "7"}, json={"error": {"message": "Slow down."}})

    (facts,) = json.loads(run("llm", "validate-key", "openai", "--json").stdout)

    assert 0 <= facts.pop("seconds") < 60
    assert facts == {
        "provider": "openai",
        "label": None,
        "key_source": "environment variable OPENAI_API_KEY",
        "outcome": "rate_limited",
        "ok": True,
        "reason": "OpenAI had too many requests just now; the key is known there.",
        "advice": "Wait 7 s before you use it.",
        "said": "Slow down.",
        "status": 429,
        "asked": f"GET {openai.url}/v1/models",
        "charged": False,
        "cause": None,
        "retry_after": 7.0,
        "suggested_provider": None,
    }


@pytest.mark.usefixtures("picky")
def test_several_providers_are_told_in_the_order_given(
    run: Run, openai: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEOSTASIS_PICKY_API_KEY", f"good-{KEY}")
    refuse(openai, SENT_KEY)

    checked = run("llm", "validate-key", "picky", "openai", "llama_cpp")

    assert checked.exit_code == 1
    assert [line.split(" in ")[0] for line in checked.stdout.splitlines()] == [
        "picky: verified",
        "openai: rejected",
        "llama_cpp: verified",
    ]


@pytest.mark.usefixtures("picky")
def test_of_several_keys_each_is_checked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_PICKY_API_KEY", f"good-{KEY}")
    run("llm", "set-key", "picky", "--no-validate", "--label", "backup", stdin=f"bad-{KEY}")

    checked = run("llm", "validate-key", "picky")

    assert checked.exit_code == 1
    assert [line.split(" in ")[0] for line in checked.stdout.splitlines()] == [
        "picky: verified",
        "picky (backup): rejected",
    ]


@pytest.mark.usefixtures("picky")
def test_all_means_everybody_who_has_a_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_password(SERVICE, "picky", f"good-{KEY}")

    checked = run("llm", "validate-key", "--all")
    monkeypatch.setenv("HOMEOSTASIS_PICKY_API_KEY", f"bad-{KEY}")
    refused = run("llm", "validate-key", "--all")

    assert (checked.exit_code, refused.exit_code) == (0, 1)
    assert checked.stdout.startswith("picky: verified in ")
    assert checked.stdout.count("\n") == 1


def test_all_of_nobody_is_a_failure_that_says_what_to_do(run: Run) -> None:
    checked = run("llm", "validate-key", "--all")

    assert (checked.exit_code, checked.stdout) == (1, "")
    assert checked.stderr == "Error: No key was found. `homeostasis llm set-key PROVIDER` stores one.\n"


@pytest.mark.usefixtures("picky")
def test_a_deep_check_has_a_token_written_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_PICKY_API_KEY", f"good-{KEY}")

    checked = run("llm", "validate-key", "picky", "--deep", "-v")

    assert checked.exit_code == 0
    assert "picky-1 answers to it." in checked.stdout
    assert "one token was asked for" in checked.stdout


def test_a_gateway_without_keys_needs_none(run: Run, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
    loopback.always(json={"object": "list", "data": [{"id": "model-1"}]})

    checked = run("llm", "validate-key", "openai")

    assert checked.exit_code == 0
    assert "asks for no key" in checked.stdout
    assert loopback.requests[0].headers["authorization"] is None


def test_base_url_and_headers_of_the_settings_count(run: Run, loopback: Loopback, home: Path) -> None:
    keyring.set_password(SERVICE, "openai", KEY)
    settings = home / ".config" / "homeostasis-llm" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[providers.openai]\nbase_url = "{loopback.url}/team"\nheaders = {{ X-Team = "blue" }}\n')
    accept(loopback)

    assert run("llm", "validate-key", "openai").exit_code == 0

    assert [request.path for request in loopback.requests] == ["/team/models"] * 2
    assert {request.headers["x-team"] for request in loopback.requests} == {"blue"}


@pytest.mark.usefixtures("picky")
@pytest.mark.parametrize("command", [("test-providers",), ("validate-key", "--all"), ("validate-key", "picky")])
def test_a_password_manager_is_asked_once(command: tuple[str, ...], run: Run, home: Path, tmp_path: Path) -> None:
    program = tmp_path / "manager.py"
    program.write_text(
        f"import pathlib; pathlib.Path({str(tmp_path / 'asked')!r}).open('a').write('!'); print('good-{KEY}')\n"
    )
    settings = home / ".config" / "homeostasis-llm" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[providers.picky]\napi_key_command = {json.dumps([sys.executable, str(program)])}\n")

    checked = run("llm", *command)

    assert checked.exit_code == 0, checked.output
    assert "picky" in checked.stdout
    assert (tmp_path / "asked").read_text() == "!"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        ((), 2, "Name providers, or give --all."),
        (("openai", "--all"), 2, "Name providers, or give --all."),
        (("openai", "opnai"), 1, "did you mean 'openai'?"),
        (("openai", "--verbos"), 2, "Did you mean '--verbose'?"),
    ],
)
def test_a_mistake_in_an_argument_of_validate_key_is_named_before_anybody_is_asked(
    arguments: tuple[str, ...], exit_code: int, says: str, *, run: Run, openai: Loopback
) -> None:
    checked = run("llm", "validate-key", *arguments)

    assert (checked.exit_code, checked.stdout, openai.requests) == (exit_code, "", [])
    assert says in checked.stderr


# ----------------------------------------------------------------------------------------------------- test-providers


@pytest.mark.usefixtures("picky")
def test_everybody_who_is_set_up_has_a_row(run: Run, openai: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_PICKY_API_KEY", f"good-{KEY}")
    refuse(openai, SENT_KEY)

    tested = run("llm", "test-providers")

    assert (tested.exit_code, tested.stderr) == (0, "")
    *lines, summary = tested.stdout.splitlines()
    table = rows("\n".join(lines))
    assert table["PROVIDER"] == ["OUTCOME", "SECONDS", "WHAT IT MEANS"]
    assert {name: cells[0] for name, cells in table.items()} == {
        "PROVIDER": "OUTCOME",
        "openai": "rejected",
        "llama_cpp": "verified",
        "picky": "verified",
    }
    assert "make a new one at https://platform.openai.com/api-keys." in table["openai"][2]
    assert float(table["openai"][1]) >= 0
    assert summary == "2 of 3 can be used."
    assert_not_shown(tested.output, SENT_KEY)


@pytest.mark.usefixtures("picky")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--providers", "picky", "openai"),
        ("-p", "picky", "-p", "openai"),
        ("-p", "picky", "openai", "--timeout", "5"),
        ("picky", "openai"),
        ("-p", "picky", "openai", "-p", "picky"),
    ],
)
def test_who_is_named_is_tested_and_nobody_else(
    arguments: tuple[str, ...], run: Run, openai: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEOSTASIS_PICKY_API_KEY", f"good-{KEY}")
    refuse(openai, SENT_KEY)

    tested = run("llm", "test-providers", *arguments)

    assert [line.split()[0] for line in tested.stdout.splitlines()] == ["PROVIDER", "picky", "openai", "1"]


def test_none_that_works_is_exit_status_1(run: Run, openai: Loopback) -> None:
    openai.always(status=402, json={"error": {"message": "Add credit."}})  # the key is good, and will not do

    tested = run("llm", "test-providers", "-p", "openai", "anthropic")

    assert tested.exit_code == 1
    assert tested.stdout.endswith("0 of 2 can be used.\n")
    assert "no_key" in tested.stdout
    assert "no_credit" in tested.stdout


def test_all_are_asked_at_once(run: Run) -> None:
    both_are_asked = Barrier(2)

    class Waiting(Picky):
        def validate_key(self, api_key: str) -> bool:  # noqa: ARG002  # the contract's signature
            both_are_asked.wait(timeout=30)  # one after the other would break it
            return True

    class First(Waiting):
        name = "first"
        needs_key = False

    class Second(Waiting):
        name = "second"
        needs_key = False

    ProviderFactory.register("first", First)
    ProviderFactory.register("second", Second)
    try:
        tested = run("llm", "test-providers", "-p", "first", "second", "--timeout", "60")
    finally:
        ProviderFactory.unregister("first")
        ProviderFactory.unregister("second")

    assert (tested.exit_code, tested.stdout.splitlines()[-1]) == (0, "2 of 2 can be used.")


@pytest.mark.usefixtures("picky")
def test_who_is_broken_harms_nobody_else(run: Run, plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(plugins, "cracked-llm", cracked="no_such_module:Cracked")
    install(plugins, "buggy-llm", buggy="tests.cli.picky:Picky")
    monkeypatch.setenv("HOMEOSTASIS_CRACKED_API_KEY", KEY)
    monkeypatch.setenv("HOMEOSTASIS_BUGGY_API_KEY", f"bug-{KEY}")
    monkeypatch.setenv("HOMEOSTASIS_PICKY_API_KEY", f"good-{KEY}")

    tested = run("llm", "test-providers", "-p", "cracked", "buggy", "picky")

    table = rows(tested.stdout)
    assert tested.exit_code == 0
    assert [table[name][0] for name in ("cracked", "buggy", "picky")] == ["broken", "broken", "verified"]
    assert "No module named 'no_such_module'" in table["cracked"][2]
    assert "RuntimeError: nobody expected [key removed]" in table["buggy"][2]
    assert "tell its author" in table["buggy"][2]
    assert_not_shown(tested.output)


def test_json_has_a_check_for_each(run: Run, openai: Loopback) -> None:
    accept(openai)

    facts = json.loads(run("llm", "test-providers", "-p", "openai", "anthropic", "--json").stdout)

    assert [(one["provider"], one["outcome"], one["ok"]) for one in facts] == [
        ("openai", "verified", True),
        ("anthropic", "no_key", False),
    ]


def test_a_server_that_does_not_answer_in_time_is_given_up(run: Run, openai: Loopback) -> None:
    openai.always(delay=30)

    tested = run("llm", "test-providers", "-p", "openai", "--timeout", "0.2")

    assert (tested.exit_code, rows(tested.stdout)["openai"][0]) == (1, "unreachable")
    assert "no answer within 0.2 s" in tested.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("-p", "opnai"), 1, "did you mean 'openai'?"),
        (("-p", "openai", "antropic"), 1, "did you mean 'anthropic'"),
        (("-p",), 2, "requires an argument"),
        (("--timeout", "0"), 2, "not in the range x>0"),
        (("--timeout", "soon"), 2, "not a valid float"),
        (("--provider", "openai"), 2, "Did you mean"),
    ],
)
def test_a_mistake_in_an_argument_of_test_providers_is_named_before_anybody_is_asked(
    arguments: tuple[str, ...], exit_code: int, says: str, *, run: Run, openai: Loopback
) -> None:
    tested = run("llm", "test-providers", *arguments)

    assert (tested.exit_code, tested.stdout, openai.requests) == (exit_code, "", [])
    assert says in tested.stderr
