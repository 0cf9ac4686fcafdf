"""Several keys of one provider: each has a label, and the settings say in which order they are used."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from homeostasis_llm.config import ConfigError, config_path, load_settings
from homeostasis_llm.keys.errors import KeyStorageError, KeyValidationError
from homeostasis_llm.keys.found import FoundKey, SourceKind
from homeostasis_llm.keys.lookup import SERVICE, Where, find_key, find_keys, key_reports, key_status
from homeostasis_llm.keys.store import forget_key, store_key


def store(key: str, label: str | None = None) -> None:
    store_key("openai", SecretStr(f"sk-QZJX-{key}"), label)


def pool() -> list[str]:
    return [key.secret.get_secret_value().removeprefix("sk-QZJX-") for key in find_keys("openai")]


def write(text: str) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def labels() -> tuple[str, ...]:
    return load_settings().provider("openai").key_labels


def test_keys_are_used_in_the_order_in_which_they_were_stored_the_one_without_a_label_first() -> None:
    store("second", "work")
    store("third", "backup")
    store("first")

    assert keyring.get_password(SERVICE, "openai#work") == "sk-QZJX-second"
    assert labels() == ("work", "backup")
    assert pool() == ["first", "second", "third"]
    assert [key.label for key in find_keys("openai")] == [None, "work", "backup"]
    assert [key.source for key in find_keys("openai")] == ["keyring", "keyring, label work", "keyring, label backup"]
    found = find_key("openai")
    assert found is not None
    assert found == find_keys("openai")[0]


def test_a_key_with_a_label_is_found_where_there_is_none_without() -> None:
    store("only", "backup")

    found = find_key("openai")
    assert found is not None
    assert (found.label, found.source) == ("backup", "keyring, label backup")
    assert pool() == ["only"]


def test_the_settings_say_the_order_and_the_key_without_a_label_is_called_default_there() -> None:
    store("plain")
    store("work", "work")
    write('[providers.OpenAI]\nkey_labels = ["work", "default", "unknown"]\n')

    assert pool() == ["work", "plain"]
    found = find_key("openai")
    assert found is not None
    assert found.label == "work"


def test_a_key_in_the_environment_comes_before_all_and_in_the_place_of_the_one_without_a_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store("plain")
    store("work", "work")
    write('[providers.openai]\nkey_labels = ["work", "default"]\n')
    monkeypatch.setenv("OPENAI_API_KEY", "sk-QZJX-environment")

    assert pool() == ["environment", "work"]


def test_a_key_that_is_there_twice_is_in_the_pool_once() -> None:
    store("same")
    store("same", "copy")

    assert pool() == ["same"]


def test_storing_again_under_a_label_replaces_the_key_and_leaves_the_order() -> None:
    store("one", "a")
    store("two", "b")
    store("three", "a")

    assert labels() == ("a", "b")
    assert pool() == ["three", "two"]


def test_a_removed_label_is_gone_from_keyring_and_settings_and_the_others_stay() -> None:
    path = write("# mine\n[providers.openai]\n# the order\nkey_labels = ['a']\n")
    store("one", "a")
    store("two", "b")

    assert forget_key("openai", "a") is True
    assert (labels(), pool()) == (("b",), ["two"])
    assert forget_key("openai", "a") is False
    assert forget_key("openai", "b") is True
    assert labels() == ()
    assert path.read_text().startswith("# mine\n")


def test_default_is_another_word_for_no_label() -> None:
    store("plain", "default")

    assert labels() == ()
    assert keyring.get_password(SERVICE, "openai") == "sk-QZJX-plain"
    assert forget_key("openai", "default") is True


@pytest.mark.parametrize("label", ["", "a b", "a#b", "a/b", "x" * 61])
def test_what_cannot_be_a_label_is_refused_and_nothing_is_stored(label: str) -> None:
    with pytest.raises(KeyValidationError, match="a key's label is of letters"):
        store("one", label)

    assert keyring.get_password(SERVICE, f"openai#{label}") is None


def test_with_settings_that_cannot_be_read_no_label_is_stored() -> None:
    path = write("active_provider = \n")

    with pytest.raises(ConfigError):
        store("one", "backup")

    assert keyring.get_password(SERVICE, "openai#backup") is None
    assert path.read_text() == "active_provider = \n"


def test_a_key_whose_label_cannot_be_noted_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("where a folder should be")
    monkeypatch.setenv("HOMEOSTASIS_CONFIG", str(tmp_path / "file" / "config.toml"))

    with pytest.raises(ConfigError, match="cannot be changed"):
        store("one", "backup")

    assert keyring.get_password(SERVICE, "openai#backup") is None


def test_settings_that_cannot_be_read_are_a_problem_and_hide_no_key_in_the_keyring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write("actve_provider = 'openai'\n")
    status = key_status(["openai"])["openai"]
    assert status.found is None
    assert status.keyring_problem is None
    assert str(status.problem).startswith(f"{path}, line 1: actve_provider: is unknown")

    store("plain")
    assert key_status(["openai"])["openai"].found is not None
    monkeypatch.setenv("OPENAI_API_KEY", "sk-QZJX-environment")
    assert key_status(["openai"])["openai"].problem is None


def test_other_settings_have_other_labels(tmp_path: Path) -> None:
    other = tmp_path / "config.toml"
    store_key("openai", SecretStr("sk-QZJX-other"), "other", settings=other)

    assert labels() == ()
    assert pool() == []
    assert [key.label for key in find_keys("openai", Where(settings=other))] == ["other"]


def test_every_place_is_reported_also_behind_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("sk-QZJX-file")
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_API_KEY_FILE", str(file))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-QZJX-environment")
    store("plain")
    store("work", "work")

    reports = key_reports(["openai", "groq"])

    assert [(report.kind, report.source, report.found is not None) for report in reports["openai"]] == [
        (SourceKind.ENVIRONMENT, "environment variable HOMEOSTASIS_OPENAI_API_KEY", False),
        (SourceKind.ENVIRONMENT, "environment variable OPENAI_API_KEY", True),
        (SourceKind.KEYRING, "keyring", True),
        (SourceKind.FILE, f"file {file}", True),
        (SourceKind.KEYRING, "keyring, label work", True),
    ]
    assert all(report.found is None and report.problem is None for report in reports["groq"])


def test_processes_that_add_labels_at_once_lose_none(child_environment: dict[str, str]) -> None:
    code = """
import sys
from pydantic import SecretStr
from homeostasis_llm.keys.store import store_key
for label in sys.argv[1:]:
    store_key("openai", SecretStr(f"sk-QZJX-{label}"), label)
"""
    groups = [["a1", "a2", "a3"], ["b1", "b2", "b3"]]
    children = [subprocess.Popen([sys.executable, "-c", code, *names], env=child_environment) for names in groups]

    assert [child.wait() for child in children] == [0, 0]
    assert sorted(labels()) == ["a1", "a2", "a3", "b1", "b2", "b3"]


def test_a_found_key_is_shown_by_nothing_and_cannot_be_pickled() -> None:
    store("1234-secret")
    status = key_status(["openai"])["openai"]
    found = status.found
    assert isinstance(found, FoundKey)

    for shown in (repr(found), str(found), f"{status}", repr(status)):
        assert "1234-secret" not in shown
    for value in (found, status):
        with pytest.raises(TypeError, match="a key is not pickled"):
            pickle.dumps(value)
    assert copy.deepcopy(found) == copy.copy(found) == found


def test_a_keyring_that_keeps_nothing_gets_no_label(use_keyring: Callable[[KeyringBackend], None]) -> None:
    null: Any = keyring.backends.null.Keyring  # it has no annotations
    use_keyring(null())

    with pytest.raises(KeyStorageError):
        store("one", "backup")

    assert labels() == ()
