"""The settings file is found, read when it has changed, and changed whole."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from homeostasis_llm import InvalidRequestError
from homeostasis_llm.config import (
    ConfigError,
    Settings,
    change_settings,
    config_path,
    files,
    load_settings,
    set_enable_fallback,
    set_values,
)
from tests.config.conftest import Start, Write, report_of

LONG_AGO = 1_000_000_000
"""Seconds since 1970."""

not_windows = pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes, links and devices")
as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# Where it is


def test_the_file_is_below_the_users_configuration(home: Path) -> None:
    assert config_path().name == "config.toml"
    assert config_path().parent.name == "homeostasis-llm"
    assert home in config_path().parents


def test_the_environment_may_name_another_file(monkeypatch: pytest.MonkeyPatch, home: Path, write: Write) -> None:
    monkeypatch.setenv("HOMEOSTASIS_CONFIG", "~/mine.toml")
    assert config_path() == home / "mine.toml"

    monkeypatch.setenv("HOMEOSTASIS_CONFIG", str(write('active_provider = "groq"')))
    assert load_settings().active_provider == "groq"


def test_an_empty_variable_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = config_path()
    monkeypatch.setenv("HOMEOSTASIS_CONFIG", " ")

    assert config_path() == usual


def test_a_given_directory_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMEOSTASIS_CONFIG", "/elsewhere.toml")

    assert config_path(tmp_path) == tmp_path / "config.toml"
    assert config_path(str(tmp_path)) == tmp_path / "config.toml"


def test_asking_where_it_is_and_what_is_set_creates_nothing(home: Path) -> None:
    config_path()
    load_settings()

    assert names_in(home) == set()


# Reading


def test_a_change_is_seen_at_the_next_read(write: Write) -> None:
    path = write('active_provider = "groq"')
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert load_settings(path).active_provider == "groq"

    path.write_text('active_provider = "qrog"', encoding="utf-8")
    assert load_settings(path).active_provider == "qrog"


def test_a_change_within_one_tick_of_the_file_systems_clock_is_seen(write: Write) -> None:
    path = write('active_provider = "groq"')
    just_now = time.time() + 3600  # and so it stays, however slow this test is
    os.utime(path, (just_now, just_now))
    assert load_settings(path).active_provider == "groq"

    # In the same file, of the same size and at the same time.
    path.write_text('active_provider = "qrog"', encoding="utf-8")
    os.utime(path, (just_now, just_now))
    assert load_settings(path).active_provider == "qrog"


def test_a_change_by_another_process_is_seen_at_the_next_read(write: Write, start: Start) -> None:
    path = write("enable_fallback = true")
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert load_settings(path).enable_fallback is True

    program = "import sys; from homeostasis_llm.config import *; set_enable_fallback(False, path=sys.argv[1]); print(1)"
    report_of(start(program, path))

    assert load_settings(path).enable_fallback is False


def test_a_file_that_has_not_changed_is_not_read_again(write: Write) -> None:
    path = write('active_provider = "groq"')
    os.utime(path, (LONG_AGO, LONG_AGO))
    load_settings(path)

    # What nobody but this test does: other content, with every sign of the old.
    path.write_text('active_provider = "qrog"', encoding="utf-8")
    os.utime(path, (LONG_AGO, LONG_AGO))

    assert load_settings(path).active_provider == "groq"


def test_who_changes_loaded_settings_changes_nobody_elses(write: Write) -> None:
    path = write('[providers.openai.model_map]\na = "b"')
    os.utime(path, (LONG_AGO, LONG_AGO))
    load_settings(path)

    mapping: Any = load_settings(path).provider("openai").model_map
    mapping["a"] = "c"

    assert load_settings(path).provider("openai").model_map == {"a": "b"}


def test_a_file_that_is_gone_leaves_the_defaults(write: Write) -> None:
    path = write("enable_fallback = false")
    load_settings(path)
    path.unlink()

    assert load_settings(path) == Settings()


def test_a_home_that_is_no_directory_leaves_the_defaults(write: Write) -> None:
    assert load_settings(write("") / "config.toml") == Settings()


# Changing


@not_windows
def test_the_file_and_its_directories_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "config.toml"
    before = os.umask(0)
    try:
        set_enable_fallback(False, path=path)
    finally:
        os.umask(before)

    assert load_settings(path).enable_fallback is False
    assert mode_of(path) == 0o600
    assert mode_of(path.with_name("config.toml.lock")) == 0o600
    assert {mode_of(path.parent), mode_of(path.parent.parent)} == {0o700}


@not_windows
def test_a_file_that_others_could_read_is_closed_to_them(write: Write) -> None:
    path = write("")
    path.chmod(0o644)

    set_enable_fallback(False, path=path)

    assert mode_of(path) == 0o600


@as_root
def test_a_file_that_root_changes_still_belongs_to_its_owner(write: Write) -> None:
    path = write("")
    os.chown(path, 12345, 23456)

    set_enable_fallback(False, path=path)

    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_comments_order_and_layout_stay(write: Write) -> None:
    text = """\
# What I want.
enable_fallback = true   # always

fallback_order = [
    "openai",
    "groq",
]

  [ providers.'OpenAI' ] # at work
  timeout   =  20 # seconds
base_url = 'https://example.com'

[provider_policies]
# cheap is good
cost = "low"
# the end"""
    path = write(text)

    set_values(
        {
            ("enable_fallback",): False,
            ("providers", "openai", "timeout"): 30,
            ("provider_policies", "cost"): "high",
            ("fallback_order",): ["groq", "openai"],
        },
        path,
    )

    changed = text.replace("= true ", "= false ").replace("=  20", "=  30").replace('"low"', '"high"')
    changed = changed.replace('    "openai",\n    "groq",', '    "groq",\n    "openai",')
    assert path.read_text(encoding="utf-8") == changed


def test_windows_line_ends_stay(place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(b"# mine\r\nenable_fallback = true\r\n")

    set_values({("enable_fallback",): False, ("active_provider",): "groq"}, place)

    assert place.read_bytes() == b'# mine\r\nenable_fallback = false\r\nactive_provider = "groq"\r\n'


def test_a_change_that_changes_nothing_writes_nothing(write: Write) -> None:
    path = write('fallback_order = ["groq", # first\n "openai"]\n')
    os.utime(path, (LONG_AGO, LONG_AGO))

    set_values({("fallback_order",): ["groq", "openai"], ("active_provider",): None}, path)

    assert path.stat().st_mtime == LONG_AGO


def test_nothing_but_the_file_and_its_lock_is_left(place: Path) -> None:
    set_enable_fallback(False, path=place)
    set_enable_fallback(True, path=place)

    assert names_in(place.parent) == {"config.toml", "config.toml.lock"}


def test_what_a_killed_process_left_is_cleared_away(write: Write) -> None:
    path = write("")
    path.with_name(".config.toml.abcdefgh.tmp").write_bytes(b"half")
    path.with_name(".config.tmp").write_bytes(b"somebody else's")

    set_enable_fallback(False, path=path)

    assert names_in(path.parent) == {"config.toml", "config.toml.lock", ".config.tmp"}


def test_what_is_not_allowed_is_not_written(write: Write) -> None:
    path = write("# mine\n")

    with pytest.raises(
        InvalidRequestError, match=r'^provider_policies.cost: must be "low", "balanced" or "high", found "x"$'
    ):
        set_values({("enable_fallback",): False, ("provider_policies", "cost"): "x"}, path)

    assert path.read_text(encoding="utf-8") == "# mine\n"


@pytest.mark.parametrize("text", ["a = [\n", "active_provider = 3\n", "# gr\u00fcn".encode("latin-1")])
def test_a_file_that_is_wrong_is_not_changed(text: str | bytes, place: Path) -> None:
    place.parent.mkdir()
    raw = text if isinstance(text, bytes) else text.encode()
    place.write_bytes(raw)

    with pytest.raises(ConfigError) as caught:
        set_enable_fallback(False, path=place)

    assert caught.value.line == 1
    assert place.read_bytes() == raw


def test_an_edit_that_fails_changes_nothing(write: Write) -> None:
    path = write("# mine\n")

    def edit(document: Any) -> None:
        document["enable_fallback"] = False
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        change_settings(path, edit)

    assert path.read_text(encoding="utf-8") == "# mine\n"
    set_enable_fallback(False, path=path)  # the lock is free again


# Links and what is no file


@not_windows
def test_a_link_stays_a_link(tmp_path: Path, write: Write) -> None:
    real = write("# in the dotfiles\n")
    link = tmp_path / "config.toml"
    link.symlink_to(Path("own") / "config.toml")

    set_enable_fallback(False, path=link)

    assert link.readlink() == Path("own") / "config.toml"
    assert real.read_text(encoding="utf-8") == "# in the dotfiles\nenable_fallback = false\n"
    # Whoever comes by the link and whoever comes by the file wait for each other.
    assert names_in(tmp_path) == {"config.toml", "own"}


@not_windows
def test_a_link_to_nothing_yet_gets_its_file(tmp_path: Path) -> None:
    link = tmp_path / "config.toml"
    link.symlink_to(tmp_path / "there" / "real.toml")

    set_enable_fallback(False, path=link)

    assert link.is_symlink()
    assert load_settings(tmp_path / "there" / "real.toml").enable_fallback is False


@not_windows
def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    link = tmp_path / "config.toml"
    link.symlink_to(link)

    with pytest.raises(ConfigError, match=r"cannot be read: Too many levels of symbolic links$"):
        load_settings(link)
    with pytest.raises(ConfigError, match="cannot be changed: "):
        set_enable_fallback(False, path=link)


@not_windows
def test_what_is_no_ordinary_file_is_not_replaced_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not /dev/null, which stands for all of them: whoever breaks this as root would replace the system's own.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as odd:
        odd.bind("odd")

        with pytest.raises(ConfigError, match=r"is no ordinary file, and so cannot be changed$"):
            set_enable_fallback(False, path=tmp_path / "odd")

    assert names_in(tmp_path) == {"odd"}


# Several at once


def test_threads_lose_nothing_to_each_other(place: Path) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            set_values({("providers", "openai", "model_map", f"{number}-{turn}"): "m"}, place)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(load_settings(place).provider("openai").model_map) == 20


COUNT = """
import json, sys
from homeostasis_llm.config import change_settings, load_settings

def edit(document):
    table = document["providers"]["openai"]
    table["timeout"] = table["timeout"] + 1

seen = []
for _ in range(50):
    change_settings(sys.argv[1], edit)
    seen.append(load_settings(sys.argv[1]).provider("openai").timeout)
print(json.dumps(seen))
"""


def test_two_processes_lose_nothing_to_each_other(write: Write, start: Start) -> None:
    path = write("# counted up\n[providers.openai]\ntimeout = 1 # so far\n")

    processes = [start(COUNT, path), start(COUNT, path)]
    seen = [report_of(process) for process in processes]

    assert path.read_text(encoding="utf-8") == "# counted up\n[providers.openai]\ntimeout = 101 # so far\n"
    assert all(counts == sorted(counts) for counts in seen)  # nobody ever read an older file than before
    assert names_in(path.parent) == {"config.toml", "config.toml.lock"}


def test_who_waits_too_long_for_others_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("")
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.05)

    with FileLock(f"{path}.lock"), pytest.raises(ConfigError) as caught:
        set_enable_fallback(False, path=path)

    assert caught.value.message == (
        f"{path}: another program has been changing it for 0.05 s; try again, or see who holds {path}.lock"
    )
    assert caught.value.retryable is True
