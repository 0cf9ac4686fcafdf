"""`homeostasis llm set-key`, `list-keys` and `remove-key`: what is stored, what is said, and that no key is shown."""

from __future__ import annotations

import json

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from homeostasis_llm.config import load_settings
from homeostasis_llm.keys.lookup import SERVICE
from tests.loopback import Loopback

from .conftest import Run, UseKeyring
from .servers import KEY, accept, assert_not_shown, refuse


@pytest.fixture
def openai(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """The provider openai at a server that answers as told; it has no key."""
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
    return loopback


def stored(provider: str) -> str | None:
    return keyring.get_password(SERVICE, provider)


# ------------------------------------------------------------------------------------------------------------ set-key


def test_a_piped_key_is_checked_and_then_stored(run: Run, openai: Loopback) -> None:
    accept(openai)

    done = run("llm", "set-key", "OpenAI", stdin=f"{KEY}\n")

    assert done.exit_code == 0
    assert done.stdout == "openai: stored in tests.memory_keyring.MemoryKeyring\n"
    assert done.stderr == "openai: OpenAI accepts the key.\n"
    assert stored("openai") == KEY
    assert openai.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_on_the_command_line_works_and_is_warned_of(run: Run, openai: Loopback) -> None:
    accept(openai, times=2)

    for flag in ("--key", "-k"):
        done = run("llm", "set-key", "openai", flag, KEY, stdin="")

        assert (done.exit_code, stored("openai")) == (0, KEY)
        assert "stays in the shell's history" in done.stderr
        assert_not_shown(done.output)


def test_a_refused_key_is_not_stored_and_not_repeated(run: Run, openai: Loopback) -> None:
    refuse(openai)

    done = run("llm", "set-key", "openai", stdin=KEY)

    assert (done.exit_code, done.stdout, stored("openai")) == (1, "", None)
    assert "OpenAI does not accept the key. It says: Incorrect API key provided" in done.stderr
    assert "make a new one at https://platform.openai.com/api-keys. Nothing was stored.\n" in done.stderr
    assert_not_shown(done.output)


def test_a_key_that_could_not_be_checked_is_stored_only_if_that_is_said(run: Run, openai: Loopback) -> None:
    openai.always(status=503, json={"error": {"message": "overloaded"}})

    refused = run("llm", "set-key", "openai", stdin=KEY)

    assert (refused.exit_code, stored("openai")) == (1, None)
    assert "To store it unchecked, add --no-validate." in refused.stderr
    asked = len(openai.requests)

    done = run("llm", "set-key", "openai", "--no-validate", stdin=KEY)

    assert (done.exit_code, stored("openai"), len(openai.requests)) == (0, KEY, asked)


@pytest.mark.parametrize(("status", "says"), [(402, "out of credit"), (429, "too many requests"), (403, "may not do")])
def test_a_key_whose_account_is_short_of_something_is_stored_and_that_is_said(
    status: int, says: str, run: Run, openai: Loopback
) -> None:
    openai.always(status=status, json={"error": {"message": "No."}})

    done = run("llm", "set-key", "openai", stdin=KEY)

    assert (done.exit_code, stored("openai")) == (0, KEY)
    assert says in done.stderr


@pytest.mark.parametrize(
    ("given", "flaw"),
    [
        (f" {KEY}", "has white space around it"),
        (f"{KEY}\n\n", "has white space around it"),
        (f"'{KEY}'\n", "has quotes around it"),
        (f"Bearer {KEY}", "begins with the word Bearer"),
        (f"OPENAI_API_KEY={KEY}", "begins with the name of a variable"),
    ],
)
def test_what_was_copied_along_is_told_and_nothing_is_guessed_in_a_pipe(
    given: str, flaw: str, run: Run, openai: Loopback
) -> None:
    done = run("llm", "set-key", "openai", stdin=given)

    assert (done.exit_code, done.stdout, stored("openai"), openai.requests) == (1, "", None, [])
    assert f"The key {flaw}." in done.stderr
    assert "give the key alone" in done.stderr
    assert_not_shown(done.output)


def test_a_key_that_cannot_be_mended_is_to_be_copied_again(run: Run, openai: Loopback) -> None:
    done = run("llm", "set-key", "openai", stdin=f"{KEY[:8]}...{KEY[-4:]}")

    assert (done.exit_code, stored("openai"), openai.requests) == (1, None, [])
    assert "is shortened" in done.stderr
    assert "copy the key again" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "exit_code", "says"),
    [
        (("opnai",), KEY, 1, "did you mean 'openai'?"),
        (("",), KEY, 1, "name is empty"),
        ((), KEY, 2, "Missing argument 'PROVIDER'"),
        (("openai",), "", 2, "There is no key"),
        (("openai", "--key", ""), KEY, 2, "There is no key"),
        (("openai", "--deep", "--no-validate"), KEY, 2, "give one of them"),
        (("openai", "--label", "a b"), KEY, 1, "a key's label is of letters"),
        (("openai", "--lable", "backup"), KEY, 2, "Did you mean '--label'?"),
        (("openai", "--no-validte"), KEY, 2, "Did you mean"),
        (("openai", KEY), "", 2, "unexpected extra argument"),
        (("openai",), b"\xff\xfe", 1, "is no UTF-8 text"),
    ],
)
def test_a_mistake_in_an_argument_of_set_key_is_named(
    arguments: tuple[str, ...], stdin: str | bytes, exit_code: int, says: str, *, run: Run, openai: Loopback
) -> None:
    done = run("llm", "set-key", *arguments, stdin=stdin)

    assert (done.exit_code, done.stdout, stored("openai"), openai.requests) == (exit_code, "", None, [])
    assert says in done.stderr


def test_a_variable_that_comes_before_the_stored_key_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "elsewhere-9876543210")

    done = run("llm", "set-key", "openai", "--no-validate", stdin=KEY)

    assert done.exit_code == 0
    assert "But environment variable OPENAI_API_KEY comes before it" in done.stderr
    assert_not_shown(done.output, "elsewhere-9876543210")


def test_the_same_key_in_a_variable_is_no_matter(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    assert run("llm", "set-key", "openai", "--no-validate", stdin=KEY).stderr == ""


def test_a_second_key_is_kept_under_its_label(run: Run) -> None:
    run("llm", "set-key", "openai", "--no-validate", stdin=KEY)

    done = run("llm", "set-key", "openai", "--no-validate", "--label", "backup", stdin=f"second-{KEY}")

    assert done.stdout == "openai: stored in tests.memory_keyring.MemoryKeyring, as backup\n"
    assert (stored("openai"), stored("openai#backup")) == (KEY, f"second-{KEY}")
    assert load_settings().provider("openai").key_labels == ("backup",)


def test_without_a_keyring_the_ways_out_are_listed(run: Run, use_keyring: UseKeyring) -> None:
    use_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # keyring's own has no annotations

    done = run("llm", "set-key", "openai", "--no-validate", stdin=KEY)

    first, second, *ways = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (1, "")
    assert first.startswith("Error: openai: the key was not stored: this system has no keyring")
    assert second == "What can be done, one of:"
    assert [way.split(".")[0].strip() for way in ways] == [str(number) for number in range(1, len(ways) + 1)]
    for wanted in ("PYTHON_KEYRING_BACKEND", "HOMEOSTASIS_KEYRING_PASSWORD", "OPENAI_API_KEY", "_API_KEY_FILE"):
        assert wanted in done.stderr


def test_a_keyring_that_keeps_nothing_is_found_out(run: Run, use_keyring: UseKeyring) -> None:
    use_keyring(null.Keyring())  # type: ignore[no-untyped-call]  # as above

    done = run("llm", "set-key", "openai", "--no-validate", stdin=KEY)

    assert done.exit_code == 1
    assert "keyring.backends.null.Keyring keeps nothing" in done.stderr


@pytest.mark.usefixtures("picky")
def test_a_plugins_key_goes_through_the_plugins_own_check(run: Run) -> None:
    good, bad = run("llm", "set-key", "picky", stdin=f"good-{KEY}"), run("llm", "set-key", "picky", stdin=f"bad-{KEY}")
    poor = run("llm", "set-key", "picky", "--label", "poor", stdin=f"poor-{KEY}")

    assert (good.exit_code, bad.exit_code, poor.exit_code) == (0, 1, 0)
    assert (stored("picky"), stored("picky#poor")) == (f"good-{KEY}", f"poor-{KEY}")
    assert "out of credit" in poor.stderr
    assert_not_shown(good.output + bad.output + poor.output)


@pytest.mark.usefixtures("picky")
def test_a_deep_check_has_a_token_written_before_the_key_is_stored(run: Run) -> None:
    done = run("llm", "set-key", "picky", "--deep", stdin=f"good-{KEY}")

    assert (done.exit_code, stored("picky")) == (0, f"good-{KEY}")
    assert "picky-1 answers to it" in done.stderr


# ---------------------------------------------------------------------------------------------------------- list-keys


def test_keys_are_listed_with_the_place_that_each_is_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_password(SERVICE, "openai", KEY)
    keyring.set_password(SERVICE, "anthropic", f"other-{KEY}")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    listed = run("llm", "list-keys")

    assert (listed.exit_code, listed.stderr) == (0, "")
    assert listed.stdout == (
        "PROVIDER   KEY   FROM\n"
        "anthropic  used  keyring\n"
        "openai     used  environment variable OPENAI_API_KEY\n"
        "openai     yes   keyring\n"
    )


def test_every_place_is_listed_when_asked_for(run: Run) -> None:
    keyring.set_password(SERVICE, "openai", KEY)

    listed = run("llm", "list-keys", "-v")

    assert listed.stdout == (
        "PROVIDER  KEY   FROM\n"
        "openai    no    environment variable HOMEOSTASIS_OPENAI_API_KEY\n"
        "openai    no    environment variable OPENAI_API_KEY\n"
        "openai    used  keyring\n"
    )


def test_only_the_end_of_a_long_key_is_shown_and_only_when_asked_for(run: Run) -> None:
    keyring.set_password(SERVICE, "openai", KEY)
    keyring.set_password(SERVICE, "mistral", "short-key")

    plain, masked = run("llm", "list-keys"), run("llm", "list-keys", "--show-masked")
    as_json = run("llm", "list-keys", "--show-masked", "--json")

    assert KEY[-4:] not in plain.output
    assert f"openai    used  ********{KEY[-4:]}  keyring\n" in masked.stdout
    assert "mistral   used  ********      keyring\n" in masked.stdout
    assert_not_shown(plain.output + masked.output + as_json.output)


def test_json_has_every_place_and_no_key(run: Run) -> None:
    keyring.set_password(SERVICE, "openai", KEY)

    listed = run("llm", "list-keys", "--json")

    (openai,) = json.loads(listed.stdout)
    assert openai["provider"] == "openai"
    assert openai["sources"][-1] == {
        "kind": "keyring",
        "source": "keyring",
        "label": None,
        "has_key": True,
        "used": True,
        "problem": None,
    }
    assert_not_shown(listed.output)


def test_providers_without_a_key_are_listed_when_asked_for(run: Run) -> None:
    keyring.set_password(SERVICE, "openai", KEY)

    lines = run("llm", "list-keys", "--all").stdout.splitlines()

    assert [line.split() for line in lines if line.startswith(("openai ", "anthropic "))] == [
        ["anthropic", "no", "-"],
        ["openai", "used", "keyring"],
    ]


def test_no_key_at_all_is_no_failure_and_says_what_to_do(run: Run) -> None:
    listed = run("llm", "list-keys")

    assert (listed.exit_code, listed.stdout) == (0, "")
    assert listed.stderr == "No key was found. `homeostasis llm set-key PROVIDER` stores one.\n"
    assert run("llm", "list-keys", "--json").stdout == "[]\n"


def test_a_keyring_that_cannot_be_asked_is_said_once(run: Run, use_keyring: UseKeyring) -> None:
    use_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # as above

    listed = run("llm", "list-keys", "--json")

    assert (listed.exit_code, listed.stdout) == (0, "[]\n")
    assert listed.stderr == "Not everywhere could be looked: this system has no keyring.\n"


@pytest.mark.usefixtures("picky")
def test_a_plugins_key_is_listed_like_any_other(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_PICKY_API_KEY", KEY)

    assert "picky     used  environment variable HOMEOSTASIS_PICKY_API_KEY\n" in run("llm", "list-keys").stdout


# --------------------------------------------------------------------------------------------------------- remove-key


def test_a_removed_key_is_gone_and_removing_it_again_fails(run: Run) -> None:
    keyring.set_password(SERVICE, "openai", KEY)

    first, second = run("llm", "remove-key", "OpenAI"), run("llm", "remove-key", "openai")

    assert (first.exit_code, first.stdout, stored("openai")) == (0, "openai: removed from the keyring\n", None)
    assert (second.exit_code, second.stdout) == (1, "")
    assert "the keyring has no such key" in second.stderr


def test_a_key_that_is_left_elsewhere_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_password(SERVICE, "openai", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    removed, again = run("llm", "remove-key", "openai"), run("llm", "remove-key", "openai")

    assert (removed.exit_code, again.exit_code) == (0, 1)
    for done in (removed, again):
        assert "openai still has a key: environment variable OPENAI_API_KEY.\n" in done.stderr
        assert_not_shown(done.output)


def test_of_several_keys_the_named_one_is_removed(run: Run) -> None:
    run("llm", "set-key", "openai", "--no-validate", stdin=KEY)
    run("llm", "set-key", "openai", "--no-validate", "--label", "backup", stdin=f"second-{KEY}")

    done = run("llm", "remove-key", "openai", "--label", "backup")

    assert (done.exit_code, done.stdout) == (0, "openai (backup): removed from the keyring\n")
    assert (stored("openai"), stored("openai#backup")) == (KEY, None)


def test_all_keys_are_removed_only_by_force_where_nobody_can_be_asked(run: Run) -> None:
    for provider in ("openai", "anthropic"):
        run("llm", "set-key", provider, "--no-validate", stdin=KEY)
    run("llm", "set-key", "openai", "--no-validate", "--label", "backup", stdin=f"second-{KEY}")

    asked = run("llm", "remove-key", "--all")
    kept = (stored("openai"), stored("anthropic"))
    of_one = run("llm", "remove-key", "openai", "--all", "--force")
    of_all = run("llm", "remove-key", "--all", "--force")
    nothing = run("llm", "remove-key", "--all", "--force")

    assert (asked.exit_code, kept) == (1, (KEY, KEY))
    assert "anthropic, openai, openai (backup)" in asked.stderr
    assert "add --force" in asked.stderr
    assert of_one.stdout == "openai: removed from the keyring\nopenai (backup): removed from the keyring\n"
    assert of_all.stdout == "anthropic: removed from the keyring\n"
    assert (nothing.exit_code, nothing.stderr) == (1, "Error: The keyring has no key of ours.\n")


def test_nothing_is_said_to_be_gone_where_the_keyring_could_not_be_asked(run: Run, use_keyring: UseKeyring) -> None:
    class Failing(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002  # the signature is keyring's
            raise OSError("the disk is on fire")

        def set_password(self, service: str, username: str, password: str) -> None: ...

    use_keyring(Failing())  # type: ignore[no-untyped-call]  # as above

    for arguments in (("openai",), ("--all", "--force")):
        done = run("llm", "remove-key", *arguments)

        assert (done.exit_code, done.stdout) == (1, "")
        assert "the disk is on fire" in done.stderr


def test_the_key_of_a_plugin_that_is_gone_can_be_removed(run: Run) -> None:
    keyring.set_password(SERVICE, "gone_llm", KEY)

    assert run("llm", "remove-key", "gone-llm").exit_code == 0
    assert stored("gone_llm") is None


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        ((), 2, "Name a provider, or give --all."),
        (("opnai",), 1, "did you mean 'openai'?"),
        (("--all", "--label", "backup"), 2, "exclude each other"),
        (("openai", "--label", "a b"), 1, "a key's label is of letters"),
        (("openai", "--forc"), 2, "Did you mean"),
        (("openai", "anthropic"), 2, "unexpected extra argument"),
    ],
)
def test_a_mistake_in_an_argument_of_remove_key_is_named(
    arguments: tuple[str, ...], exit_code: int, says: str, run: Run
) -> None:
    done = run("llm", "remove-key", *arguments)

    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert says in done.stderr


def test_a_mistake_in_an_argument_of_list_keys_is_named(run: Run) -> None:
    mistyped, extra = run("llm", "list-keys", "--show-maskd"), run("llm", "list-keys", "openai")

    assert (mistyped.exit_code, extra.exit_code) == (2, 2)
    assert "Did you mean '--show-masked'?" in mistyped.stderr
    assert "unexpected extra argument" in extra.stderr
