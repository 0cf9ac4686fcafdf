"""What somebody sees who sits at a terminal: hidden prompts, questions, tables that are drawn and that fill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeostasis_llm.keys.encrypted_file import BACKEND as ENCRYPTED_FILE
from tests.legacy.test_legacy import PASSWORD, Keep, configure, folder, keep
from tests.loopback import Loopback

from .servers import KEY, accept, assert_not_shown, refuse
from .sessions import homeostasis
from .test_completion import commands

__all__ = ["folder", "keep"]  # fixtures

PASSPHRASE = "made-up passphrase"

Environment = dict[str, str]


@pytest.fixture
def environment(child_environment: Environment) -> Environment:
    """That of the terminal, with a keyring that forgets all when a command ends."""
    return child_environment


@pytest.fixture
def lasting(environment: Environment) -> Environment:
    """The same with a keyring that lasts."""
    environment["PYTHON_KEYRING_BACKEND"] = "tests.cli.file_keyring.FileKeyring"
    return environment


@pytest.fixture
def openai(environment: Environment, loopback: Loopback) -> Loopback:
    """The provider openai at a server that answers as told; it has no key."""
    environment["HOMEOSTASIS_OPENAI_BASE_URL"] = f"{loopback.url}/v1"
    return loopback


# ------------------------------------------------------------------------------------------------------------ set-key


def test_a_key_is_typed_unseen_checked_and_stored(openai: Loopback, environment: Environment) -> None:
    accept(openai)

    with homeostasis("llm", "set-key", "openai", environment=environment) as session:
        session.expect("Key for OpenAI (made at https://platform.openai.com/api-keys): ")
        session.type(KEY)
        session.expect("openai: OpenAI accepts the key.")
        session.expect("openai: stored in tests.memory_keyring.MemoryKeyring")
        exit_code = session.ended()

    assert exit_code == 0
    assert openai.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert_not_shown(session.shown)


def test_a_refused_key_ends_with_what_to_do(openai: Loopback, environment: Environment) -> None:
    refuse(openai)

    with homeostasis("llm", "set-key", "openai", environment=environment) as session:
        session.expect("Key for OpenAI")
        session.type(KEY)
        session.expect("Error: openai: OpenAI does not accept the key.")
        session.expect("Nothing was stored.")
        exit_code = session.ended()

    assert exit_code == 1
    assert_not_shown(session.shown)


@pytest.mark.parametrize(("answer", "exit_code", "asked"), [("", 0, 2), ("n", 1, 0)])
def test_the_correction_of_a_malformed_key_is_offered(
    answer: str, exit_code: int, asked: int, *, openai: Loopback, environment: Environment
) -> None:
    accept(openai)

    with homeostasis("llm", "set-key", "openai", environment=environment) as session:
        session.expect("Key for OpenAI")
        session.type(f'Authorization: Bearer "{KEY}"')
        session.expect("The key begins with the name of a header.")
        session.expect("Use the key without that? [Y/n]: ")
        session.type(answer)
        ended = session.ended()

    assert (ended, len(openai.requests)) == (exit_code, asked)
    assert all(request.headers["authorization"] in {f"Bearer {KEY}", None} for request in openai.requests)
    assert ("stored in" in session.shown) == (exit_code == 0)
    assert_not_shown(session.shown)


def test_an_unknown_provider_is_told_before_anybody_is_asked_for_a_secret(environment: Environment) -> None:
    with homeostasis("llm", "set-key", "opnai", environment=environment) as session:
        exit_code = session.ended()

    assert exit_code == 1
    assert "did you mean 'openai'?" in session.shown
    assert "Key for" not in session.shown


def test_ctrl_c_leaves_the_prompt_and_stores_nothing(environment: Environment) -> None:
    with homeostasis("llm", "set-key", "openai", environment=environment) as session:
        session.expect("Key for OpenAI")
        session.press(b"\x03")
        exit_code = session.ended()

    assert exit_code == 1
    assert session.shown.endswith("\nAborted!\n")
    assert "Traceback" not in session.shown


def test_without_a_keyring_the_user_knows_what_to_do(openai: Loopback, environment: Environment) -> None:
    environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    accept(openai)

    with homeostasis("llm", "set-key", "openai", environment=environment) as session:
        session.expect("Key for OpenAI")
        session.type(KEY)
        session.expect("Error: openai: the key was not stored: this system has no keyring")
        session.expect("What can be done, one of:")
        session.expect("1. ")
        session.expect("OPENAI_API_KEY")
        exit_code = session.ended()

    assert exit_code == 1
    assert_not_shown(session.shown)


# ------------------------------------------------------------------------------------------------- the encrypted file


def test_the_encrypted_file_is_opened_by_a_passphrase_that_is_typed_unseen(environment: Environment) -> None:
    environment["PYTHON_KEYRING_BACKEND"] = ENCRYPTED_FILE
    with homeostasis("llm", "set-key", "openai", "--no-validate", environment=environment) as session:
        session.expect("Key for OpenAI")
        session.type(KEY)
        session.expect("New passphrase for ")
        session.type(PASSPHRASE)
        session.expect("Repeat for confirmation: ")
        session.type(PASSPHRASE)
        session.expect("openai: stored in the encrypted file ")
        assert session.ended() == 0
    shown = session.shown

    with homeostasis("llm", "list-keys", "--show-masked", environment=environment) as session:
        session.expect("Passphrase of ")
        session.type(PASSPHRASE)
        session.expect("openai")
        session.expect(f"********{KEY[-4:]}")
        assert session.ended() == 0
    shown += session.shown

    with homeostasis("llm", "remove-key", "openai", environment=environment) as session:
        session.expect("Passphrase of ")
        session.type("another passphrase")
        session.expect("Error: openai: the key was not removed: the passphrase for the encrypted file ")
        assert session.ended() == 1
    shown += session.shown

    assert_not_shown(shown)
    assert PASSPHRASE not in shown


def test_removing_all_keys_is_asked_about(lasting: Environment) -> None:
    with homeostasis("llm", "set-key", "openai", "--no-validate", environment=lasting) as session:
        session.expect("Key for OpenAI")
        session.type(KEY)
        assert session.ended() == 0

    with homeostasis("llm", "remove-key", "--all", environment=lasting) as session:
        session.expect("Remove openai from the keyring? [y/N]: ")
        session.type("")
        refused = session.ended()
    with homeostasis("llm", "remove-key", "--all", environment=lasting) as session:
        session.expect("Remove openai from the keyring? [y/N]: ")
        session.type("y")
        session.expect("openai: removed from the keyring")
        removed = session.ended()

    assert (refused, removed) == (1, 0)


# ------------------------------------------------------------------------------------------------------------- checks


@pytest.mark.usefixtures("picky")
def test_the_table_of_providers_fills_while_they_answer(
    openai: Loopback, environment: Environment, tmp_path: Path
) -> None:
    environment["OPENAI_API_KEY"] = KEY
    environment["HOMEOSTASIS_PICKY_API_KEY"] = f"when:{tmp_path / 'go'}"
    refuse(openai)

    asked = ("llm", "test-providers", "-p", "openai", "picky", "--timeout", "60")
    with homeostasis(*asked, environment=environment) as session:
        session.expect("asking ...")
        session.expect("1 of 2 have answered")
        (tmp_path / "go").touch()
        session.expect("1 of 2 can be used.")
        exit_code = session.ended()

    final = session.shown.rpartition("PROVIDER")[2]
    assert exit_code == 0
    assert "asking ..." not in final
    assert "verified" in final
    assert "make a new one at https://platform.openai.com/api-keys." in final
    assert_not_shown(session.shown)


def test_a_check_says_whom_it_waits_for(openai: Loopback, environment: Environment) -> None:
    environment["OPENAI_API_KEY"] = KEY
    refuse(openai)

    with homeostasis("llm", "validate-key", "openai", environment=environment) as session:
        session.expect("Asking openai ...")
        session.expect("openai: rejected in ")
        exit_code = session.ended()

    assert exit_code == 1
    assert_not_shown(session.shown)


# ------------------------------------------------------------------------------------------- settings, former package


def test_a_mistake_made_in_the_editor_can_be_mended_at_once(
    environment: Environment, tmp_path: Path, home: Path
) -> None:
    program = tmp_path / "editor.py"
    program.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "wrong = 'enable_fallback = maybe\\n'\n"
        "file.write_text('enable_fallback = false\\n' if file.read_text() == wrong else wrong)\n"
    )
    environment["EDITOR"] = f'"{sys.executable}" "{program}"'
    environment["TMPDIR"] = str(tmp_path)

    with homeostasis("llm", "config", "edit", environment=environment) as session:
        session.expect("line 1: is no TOML: invalid value")
        session.expect("Edit again? [Y/n]: ")
        session.type("")
        session.expect("config.toml: saved")
        exit_code = session.ended()

    assert exit_code == 0
    assert (home / ".config" / "homeostasis-llm" / "config.toml").read_text() == "enable_fallback = false\n"
    assert list(tmp_path.glob("homeostasis-*")) == []


def test_the_former_password_is_typed_unseen_and_again_if_wrong(
    environment: Environment, folder: Path, keep: Keep
) -> None:
    keep({"openai": KEY})
    configure(folder, {"active_provider": "openai"})
    password = PASSWORD.get_secret_value()

    with homeostasis("llm", "import-legacy", "--from", str(folder), environment=environment) as session:
        session.expect(f"Password of {folder}: ")
        session.type("mistyped")
        session.expect("does not open with this password")
        session.expect(f"Password of {folder}: ")
        session.type(password)
        session.expect("To be imported: the key of openai")
        session.expect("To be imported: active_provider = openai")
        session.expect("Import that? [Y/n]: ")
        session.type("")
        session.expect("openai: stored in ")
        session.expect("active_provider: set")
        exit_code = session.ended()

    assert exit_code == 0
    assert password not in session.shown
    assert "mistyped" not in session.shown
    assert_not_shown(session.shown)


# -------------------------------------------------------------------------------------------------- all other commands


COMMANDS: list[tuple[tuple[str, ...], str]] = [
    (("ask", "Hello", "-p", "llama_cpp", "--max-tokens", "2", "-v"), "llama_cpp"),
    (("models", "llama_cpp"), "smollm2"),
    (("providers",), "DEFAULT MODEL"),
    (("reset-health",), "All providers: asked again"),
    (("status",), "PROVIDER"),
    (("list-keys",), "environment variable MISTRAL_API_KEY"),
    (("list-keys", "--json"), '"provider": "mistral"'),
    (("remove-key", "openai"), "the keyring has no such key"),
    (("validate-key", "openai"), "openai: No key was found"),
    (("set-active-provider", "mistral"), "mistral is asked first."),
    (("get-active-provider",), "auto"),
    (("set-fallback-order", "mistral", "openai"), "Asked in this order: mistral, openai."),
    (("get-fallback-order",), "openrouter"),
    (("set-fallback-enabled", "yes"), "When a provider fails, others are asked."),
    (("set-openrouter-unified", "true"), "OpenRouter stands in for anthropic, openai."),
    (("set-provider-policies", "--cost", "low"), "Cost low"),
    (("get-provider-policies",), "reliability  high"),
    (("provider-status", "-v"), "its key was found"),
    (("auto-configure",), "1. mistral: "),
    (("config", "show"), "provider_policies.cost"),
    (("config", "path"), "config.toml"),
    (("config", "check"), "the defaults hold"),
    (("doctor",), "WHAT WAS FOUND"),
    (("completion", "fish"), "complete --no-files"),
    (("import-legacy",), "nothing of the former package is there"),
    (("new-provider", "openai"), "the name 'openai' is taken"),
    (("conformance", "nobody"), "no provider is called 'nobody'"),
]
"""What is run at a terminal, and a part of what is then shown."""

IN_SESSIONS = {"set-key", "config edit", "test-providers"}
"""Commands that the tests above have run there, question by question."""


FAILING = {"remove-key", "validate-key", "import-legacy", "new-provider", "conformance"}
"""Which of them have nothing to work on."""

each_command = pytest.mark.parametrize(
    ("arguments", "says"), COMMANDS, ids=lambda given: " ".join(given) if isinstance(given, tuple) else ""
)


@each_command
def test_every_command_runs_at_a_terminal(arguments: tuple[str, ...], says: str, environment: Environment) -> None:
    environment["MISTRAL_API_KEY"] = KEY

    with homeostasis("llm", *arguments, environment=environment) as session:
        session.expect(says)
        exit_code = session.ended()

    assert exit_code == (1 if arguments[0] in FAILING else 0)
    assert "Traceback" not in session.shown
    assert_not_shown(session.shown)


@each_command
def test_every_command_runs_with_pipes_and_draws_nothing(
    arguments: tuple[str, ...], says: str, environment: Environment
) -> None:
    environment["MISTRAL_API_KEY"] = KEY
    program = Path(sys.executable).with_name("homeostasis")

    done = subprocess.run(
        [program, "llm", *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )

    printed = (done.stdout + done.stderr).decode()
    assert says in printed
    assert done.returncode == (1 if arguments[0] in FAILING else 0)
    assert not {"\x1b", "─", "Traceback"} & {*printed, *printed.split()}
    assert_not_shown(printed)


def test_every_command_for_people_is_run_at_a_terminal_here() -> None:
    run = IN_SESSIONS | {" ".join(arguments[: 2 if arguments[0] == "config" else 1]) for arguments, _ in COMMANDS}
    # Recordings are made and checked by those who write tests, who have tests of their own.
    every = {name.removeprefix("llm ") for name, _ in commands() if not name.startswith("llm cassettes")}

    assert run == every


def test_a_table_is_drawn_for_a_terminal_alone(environment: Environment) -> None:
    environment["MISTRAL_API_KEY"] = KEY

    with homeostasis("llm", "list-keys", environment=environment) as session:
        session.ended()

    assert "────" in session.shown
    assert os.linesep.join(["", " mistral"]) in session.shown.replace("\r", "")
