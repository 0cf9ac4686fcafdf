"""Whatever happens while the settings file is written, it is the old one or the new one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from homeostasis_llm.config import load_settings, set_values
from tests.config.conftest import Start, Write, report_of
from tests.config.test_storage import names_in

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals, limits and mounts")

# A file of some size, so that there is a middle of writing it.
LARGE = "".join(f"# {number:05d} {'-' * 100}\n" for number in range(2000))


@pytest.fixture(scope="session")
def mounting() -> tuple[str, ...]:
    """The words before a command that let it mount file systems which only itself can see."""
    for options in ("-rm", "-m"):
        words = ("unshare", options)
        trial = (*words, "sh", "-c", "mount -t tmpfs none /mnt")
        if shutil.which("unshare") and subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return words
    pytest.skip("this system lets nobody mount a file system, not even in a namespace of their own")


FULL = """
import json, pathlib, subprocess, sys
from homeostasis_llm.config import ConfigError, load_settings, set_enable_fallback, set_values

folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=True)
path = folder / "config.toml"
if sys.argv[2] == "existing":
    set_values({("providers", "openai", "model_map", f"m{i}"): "x" * 100 for i in range(50)}, path)
    before = path.read_bytes()
with (folder / "ballast").open("wb", buffering=0) as ballast:
    try:
        while ballast.write(b"x" * 1024):
            pass
    except OSError as error:
        full = error.strerror
try:
    set_enable_fallback(False, path=path)
    said = None
except ConfigError as error:
    said = error.message
report = {"said": said, "full": full}
report["same"] = path.read_bytes() == before if sys.argv[2] == "existing" else not path.exists()
report["names"] = sorted(left.name for left in folder.iterdir())
(folder / "ballast").unlink()
report["then"] = set_enable_fallback(False, path=path).enable_fallback
report["models"] = len(load_settings(path).provider("openai").model_map)
print(json.dumps(report))
"""


@pytest.mark.parametrize("state", ["existing", "missing"])
def test_a_full_disk_loses_nothing_and_is_told(
    state: str, tmp_path: Path, start: Start, mounting: tuple[str, ...]
) -> None:
    report = report_of(start(FULL, tmp_path, state, before=mounting))

    assert report["said"] == f"{tmp_path}/config.toml: cannot be changed: {report['full']}; it is as it was"
    assert report["full"] == "No space left on device"
    assert report["same"] is True
    assert [name for name in report["names"] if name.endswith(".tmp")] == []
    assert report["then"] is False  # with room again
    assert report["models"] == (50 if state == "existing" else 0)


READ_ONLY = """
import json, pathlib, subprocess, sys
from homeostasis_llm.config import ConfigError, load_settings, set_enable_fallback

folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
if sys.argv[2] == "existing":
    (folder / "config.toml").write_text("enable_fallback = true")
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
report = {"read": load_settings(folder / "config.toml").enable_fallback}
for name in ("config.toml", "new/config.toml"):
    try:
        set_enable_fallback(False, path=folder / name)
    except ConfigError as error:
        report[name] = error.message
print(json.dumps(report))
"""


@pytest.mark.parametrize("state", ["existing", "missing"])
def test_a_read_only_home_can_be_read_and_says_that_it_cannot_be_changed(
    state: str, tmp_path: Path, start: Start, mounting: tuple[str, ...]
) -> None:
    report = report_of(start(READ_ONLY, tmp_path, state, before=mounting))

    assert report["read"] is True
    for name in ("config.toml", "new/config.toml"):
        assert report[name] == f"{tmp_path}/{name}: cannot be changed: Read-only file system; it is as it was"


DENIED = """
import json, os, pathlib, sys
from homeostasis_llm.config import ConfigError, config_path, load_settings, set_enable_fallback
from homeostasis_llm.config.rewriting import rewrite_settings
import encodings.utf_8_sig, filelock, platformdirs, tomlkit  # while they can be read

path = pathlib.Path(sys.argv[1])
os.setgroups([])
os.setgid(54321)
os.setuid(54321)
report = {}
for name, use in (("read", load_settings), ("changed", lambda path: set_enable_fallback(False, path=path))):
    try:
        use(path)
    except ConfigError as error:
        report[name] = error.message
os.environ.pop("HOME")
os.environ.pop("XDG_CONFIG_HOME")
report["homeless"] = load_settings().enable_fallback
for name, use in (
    ("no home", lambda: set_enable_fallback(False)),
    ("no home to edit in", lambda: rewrite_settings("enable_fallback = false", before="")),
):
    try:
        use()
    except ConfigError as error:
        report[name] = error.message
print(json.dumps(report))
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_not_read_the_file_or_has_no_home_is_told(write: Write, start: Start) -> None:
    path = write("enable_fallback = true")
    path.parent.chmod(0o700)

    report = report_of(start(DENIED, path))

    assert report["read"] == f"{path}: cannot be read: Permission denied"
    assert report["changed"] == f"{path}: cannot be changed: Permission denied; it is as it was"
    # An account without a home has no settings file, and needs none.
    assert report["homeless"] is True
    assert (
        report["no home"]
        == report["no home to edit in"]
        == ("~/.config/homeostasis-llm/config.toml: there is no home directory; name a file in HOMEOSTASIS_CONFIG")
    )


LIMITED = """
import resource, signal, sys
from homeostasis_llm.config import set_enable_fallback

# The kernel stops the process in the middle of writing: at this byte.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL if sys.argv[3] == "killed" else signal.SIG_IGN)
set_enable_fallback(False, path=sys.argv[1])
"""


@pytest.mark.parametrize("limit", [1, 4096, 100_000])
def test_a_process_killed_in_the_middle_of_writing_leaves_the_old_file(limit: int, write: Write, start: Start) -> None:
    path = write(LARGE)

    process = start(LIMITED, path, limit, "killed")
    process.communicate(timeout=120)

    assert process.returncode == -signal.SIGXFSZ
    assert path.read_text(encoding="utf-8") == LARGE
    (half,) = (left for left in path.parent.iterdir() if left.suffix == ".tmp")
    assert half.stat().st_size == limit

    # Nobody is in the way of the next.
    set_values({("enable_fallback",): False}, path)
    assert load_settings(path).enable_fallback is False
    assert names_in(path.parent) == {"config.toml", "config.toml.lock"}


def test_a_write_that_fails_in_the_middle_leaves_the_old_file_and_nothing_else(write: Write, start: Start) -> None:
    path = write(LARGE)

    process = start(LIMITED, path, 4096, "failing")
    _, complained = process.communicate(timeout=120)

    assert complained.strip().endswith(f"ConfigError: {path}: cannot be changed: File too large; it is as it was")
    assert path.read_text(encoding="utf-8") == LARGE
    assert names_in(path.parent) == {"config.toml", "config.toml.lock"}


RESTLESS = """
import sys
from pathlib import Path
from homeostasis_llm.config.files import changing, replace

# Writing is what shall be interrupted, not parsing.
path = Path(sys.argv[1])
dashes = path.read_bytes().replace(b"=", b"-")
while True:
    for content in (dashes.replace(b"-", b"="), dashes):
        with changing(path) as target:
            replace(target, content)
"""


def test_who_reads_while_a_process_writes_and_is_killed_reads_the_old_file_or_the_new(
    write: Write, start: Start
) -> None:
    path = write(LARGE)
    old, new = LARGE.encode(), LARGE.replace("-", "=").encode()
    read: list[bytes] = []

    for changes in (1, 5, 20):
        process = start(RESTLESS, path)
        read.append(path.read_bytes())
        seen = 0
        while seen < changes and process.poll() is None:
            now = path.read_bytes()
            if now != read[-1]:
                read.append(now)
                seen += 1
        process.kill()
        process.communicate(timeout=120)
        read.append(path.read_bytes())

    assert {content in (old, new) for content in read} == {True}
    assert len(read) > 26
    set_values({("enable_fallback",): False}, path)
    assert names_in(path.parent) == {"config.toml", "config.toml.lock"}
