"""`homeostasis llm import-legacy`: what the former package has kept comes over, and stays where it was."""

from __future__ import annotations

from pathlib import Path

import keyring
import pytest

from homeostasis_llm.config import config_path, load_settings
from homeostasis_llm.keys.lookup import SERVICE
from tests.legacy.test_legacy import PASSWORD, Keep, configure, folder, keep

from .conftest import Run, UseKeyring
from .servers import KEY, assert_not_shown

__all__ = ["folder", "keep"]  # fixtures

VARIABLE = "HOMEOSTASIS_LEGACY_PASSWORD"


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment has the right one."""
    monkeypatch.setenv(VARIABLE, PASSWORD.get_secret_value())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("password")
def test_keys_and_settings_come_over_and_their_files_stay(run: Run, folder: Path, keep: Keep) -> None:
    keep({"openai": KEY, "anthropic": f"other-{KEY}"})
    configure(folder, {"active_provider": "openai", "enable_fallback": False, "colour": "blue"})
    before = contents(folder)

    done = run("llm", "import-legacy", "--from", str(folder))

    assert done.exit_code == 0
    assert done.stdout == (
        "openai: stored in tests.memory_keyring.MemoryKeyring\n"
        "anthropic: stored in tests.memory_keyring.MemoryKeyring\n"
        "active_provider: set\n"
        "enable_fallback: set\n"
    )
    announced, _, told = done.stderr.partition("Left out: ")
    assert announced == (
        "To be imported: the key of openai\n"
        "To be imported: the key of anthropic\n"
        "To be imported: active_provider = openai\n"
        "To be imported: enable_fallback = False\n"
    )
    assert "colour" in told
    assert "`homeostasis llm validate-key --all`" in told
    assert keyring.get_password(SERVICE, "openai") == KEY
    assert (load_settings().active_provider, load_settings().enable_fallback) == ("openai", False)
    assert contents(folder) == before
    assert_not_shown(done.output)


@pytest.mark.usefixtures("password")
def test_what_is_here_already_stays(run: Run, folder: Path, keep: Keep) -> None:
    keep({"openai": KEY})
    configure(folder, {"active_provider": "openai"})
    run("llm", "set-active-provider", "anthropic")
    keyring.set_password(SERVICE, "openai", "newer")

    done = run("llm", "import-legacy", "--from", str(folder))

    assert done.exit_code == 0
    assert "openai: the keyring has a key already, which stays; to replace it, remove-key openai first" in done.stdout
    assert "active_provider: was set here already, and stays as it is" in done.stdout
    assert (keyring.get_password(SERVICE, "openai"), load_settings().active_provider) == ("newer", "anthropic")


@pytest.mark.usefixtures("password")
def test_the_key_of_a_provider_that_there_is_no_more_is_left_out(run: Run, keep: Keep, folder: Path) -> None:
    keep({"opnai": KEY, "openai": KEY})

    done = run("llm", "import-legacy", "--from", str(folder))

    assert done.stdout.startswith("openai: stored in ")
    assert "Left out: the key of opnai: no provider is called 'opnai'; did you mean 'openai'?" in done.stderr
    assert keyring.get_password(SERVICE, "opnai") is None


def test_without_a_password_it_says_how_to_give_one(run: Run, folder: Path, keep: Keep) -> None:
    keep({"openai": KEY})

    done = run("llm", "import-legacy", "--from", str(folder))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"Error: The keys need their password: set {VARIABLE}, or run this at a terminal.\n"


def test_a_wrong_password_imports_nothing(run: Run, folder: Path, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    keep({"openai": KEY})
    configure(folder, {"active_provider": "openai"})
    monkeypatch.setenv(VARIABLE, "wrong")

    done = run("llm", "import-legacy", "--from", str(folder))

    assert (done.exit_code, done.stdout, config_path().exists()) == (1, "", False)
    assert "does not open with this password" in done.stderr


@pytest.mark.usefixtures("password")
def test_without_a_keyring_the_ways_out_are_listed(run: Run, folder: Path, keep: Keep, use_keyring: UseKeyring) -> None:
    from keyring.backends import fail

    keep({"openai": KEY})
    use_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # keyring's own has no annotations

    done = run("llm", "import-legacy", "--from", str(folder))

    assert done.exit_code == 1
    assert "What can be done, one of:\n  1. " in done.stderr
    assert_not_shown(done.output)


def test_settings_alone_need_no_password(run: Run, home: Path) -> None:
    (home / ".homeostasis").mkdir()
    configure(home / ".homeostasis", {"fallback_order": ["openai"]})

    done = run("llm", "import-legacy")

    assert (done.exit_code, done.stdout) == (0, "fallback_order: set\n")


def test_nothing_to_import_is_a_failure_that_names_the_place(run: Run, home: Path) -> None:
    done = run("llm", "import-legacy")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"Error: {home / '.homeostasis'}: nothing of the former package is there. See --from.\n"


def test_a_mistake_in_an_argument_of_import_legacy_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    mistyped, extra = run("llm", "import-legacy", "--form", "x"), run("llm", "import-legacy", "x")
    file = run("llm", "import-legacy", "--from", str(tmp_path / "file"))

    assert (mistyped.exit_code, extra.exit_code, file.exit_code) == (2, 2, 2)
    assert "Did you mean '--from'?" in mistyped.stderr
    assert "unexpected extra argument" in extra.stderr
    assert "is a file" in file.stderr
