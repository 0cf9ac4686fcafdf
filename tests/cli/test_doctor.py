"""`homeostasis llm doctor`: what is wrong here is found, said with what to do, and told by the exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail, null

from homeostasis_llm.doctor.startup_files import startup_files
from homeostasis_llm.keys.lookup import SERVICE

from .conftest import Run, UseKeyring, install
from .servers import KEY, assert_not_shown

Found = dict[str, list[dict[str, str]]]


@pytest.fixture(autouse=True)
def _no_certificates_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)


def examined(run: Run) -> tuple[Found, int]:
    """The findings by topic, and the exit status."""
    done = run("llm", "doctor", "--json")
    by_topic: Found = {}
    for one in json.loads(done.stdout):
        by_topic.setdefault(one["topic"], []).append(one)
    return by_topic, done.exit_code


def states(found: Found, topic: str) -> list[str]:
    return [one["state"] for one in found[topic]]


def test_a_sound_installation_is_said_to_be_in_one_line_each(run: Run) -> None:
    keyring.set_password(SERVICE, "openai", KEY)

    done = run("llm", "doctor")

    header, *lines = done.stdout.splitlines()
    assert (done.exit_code, done.stderr) == (0, "")
    assert header.split() == ["STATE", "TOPIC", "WHAT", "WAS", "FOUND"]
    assert {line.split()[0] for line in lines} == {"ok"}
    assert any("keyring" in line and "MemoryKeyring keeps what it is given" in line for line in lines)
    assert any("keys" in line and "openai (keyring)" in line for line in lines)
    assert_not_shown(done.output)


def test_the_throw_away_key_is_thrown_away(run: Run) -> None:
    run("llm", "doctor")

    kept = keyring.get_keyring()
    assert vars(kept)["_stored"] == {}


def test_versions_are_told_without_importing_litellm(run: Run) -> None:
    found, _ = examined(run)

    (packages,) = found["packages"]
    assert "litellm 1." in packages["found"]
    assert f"{sys.version_info.major}.{sys.version_info.minor}." in found["python"][0]["found"]


@pytest.mark.parametrize(
    ("version", "why"),
    [("1.82.7", "was trojanised"), ("1.82.8", "was trojanised"), ("1.107.0", "is excluded by others as malware")],
)
def test_a_bad_release_of_litellm_is_a_failure_that_says_what_to_do(
    version: str, why: str, run: Run, plugins: Path
) -> None:
    install(plugins, "litellm")
    folder = (plugins / "litellm-1.0.dist-info").rename(plugins / f"litellm-{version}.dist-info")
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: litellm\nVersion: {version}\n")

    found, exit_code = examined(run)

    assert exit_code == 1
    (litellm,) = found["litellm"]
    assert (litellm["state"], litellm["found"].startswith(f"{version} {why}")) == ("fail", True)
    assert "pip uninstall litellm" in litellm["advice"]
    assert "replace every key" in litellm["advice"]


# ------------------------------------------------------------------------------------------------------ startup files


def test_what_a_trojanised_litellm_left_behind_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "litellm_init.pth").write_text("import os\n")

    first, rest = startup_files([str(tmp_path)])

    assert (first.state, rest.state) == ("fail", "ok")
    assert f"{tmp_path}/litellm_init.pth is what a trojanised litellm left behind" in first.found
    assert "replace every key" in first.advice


@pytest.mark.parametrize(
    "code",
    [
        "import os, subprocess; subprocess.Popen(['true'])",
        "import base64; exec(base64.b64decode('cGFzcw=='))",
        "/some/folder\nimport\turllib.request",
    ],
)
def test_code_that_hides_or_starts_something_is_a_failure_whoever_brought_it(code: str, tmp_path: Path) -> None:
    (tmp_path / "helpful.pth").write_text(f"{code}\n")

    first, _ = startup_files([str(tmp_path)])

    assert first.state == "fail"
    assert "helpful.pth belongs to no installed package, and starts programs, unpacks code" in first.found


def test_code_of_nobody_is_warned_of_and_code_of_a_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stray.pth").write_text("import os\n")
    (tmp_path / "owned.pth").write_text("import os; os.environ.get('X')\n")
    (tmp_path / "_virtualenv.pth").write_text("import _virtualenv\n")
    (tmp_path / "paths.pth").write_text("# import os\n/some/folder\nimportant\n")
    install(tmp_path, "owner")
    (tmp_path / "owner-1.0.dist-info" / "RECORD").write_text("owned.pth,,\n")
    monkeypatch.syspath_prepend(tmp_path)

    stray, rest = startup_files([str(tmp_path)])

    assert (stray.state, rest.state) == ("warn", "ok")
    assert f"{tmp_path}/stray.pth belongs to no installed package" in stray.found
    assert rest.found == "code of owner runs at each start of Python"


def test_the_files_of_this_python_are_the_ones_looked_at(tmp_path: Path, child_environment: dict[str, str]) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    (site,) = (tmp_path / "venv").resolve().glob("lib/python*/site-packages")
    (site / "litellm_init.pth").write_text("import os\n")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {
        **child_environment,
        "PYTHONPATH": os.pathsep.join((child_environment["PYTHONPATH"], packages)),
    }

    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "python", "-c", "from homeostasis_llm.cli import main; main()", "llm", "doctor"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "litellm_init.pth" in line]
    assert line.startswith("fail")
    assert f"{site}/litellm_init.pth is what a trojanised litellm left behind. Delete it" in line


# ------------------------------------------------------------------------------------------- keyring, settings, plugins


def test_a_missing_keyring_and_one_that_keeps_nothing_are_warned_of(run: Run, use_keyring: UseKeyring) -> None:
    use_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # keyring's own has no annotations
    without, exit_code = examined(run)
    use_keyring(null.Keyring())  # type: ignore[no-untyped-call]  # as above
    forgetful, _ = examined(run)

    assert (states(without, "keyring"), states(forgetful, "keyring"), exit_code) == (["warn"], ["warn"], 0)
    assert "keys cannot be stored: this system has no keyring" in without["keyring"][0]["found"]
    assert "HOMEOSTASIS_KEYRING_PASSWORD" in without["keyring"][0]["advice"]
    assert "null.Keyring keeps nothing of what it is given" in forgetful["keyring"][0]["found"]


def test_settings_that_are_wrong_are_a_failure_and_strange_names_a_warning(run: Run, home: Path) -> None:
    settings = home / ".config" / "homeostasis-llm" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('fallback_order = ["opnai"]\n')
    strange, fine = examined(run)
    settings.write_text("enable_fallback = 7\n")
    wrong, failed = examined(run)

    assert (states(strange, "config"), fine) == (["ok", "warn"], 0)
    assert "did you mean 'openai'?" in strange["config"][1]["found"]
    assert (states(wrong, "config"), failed) == (["fail"], 1)
    assert f"{settings}, line 1: enable_fallback: must be true or false" in wrong["config"][0]["found"]
    assert "homeostasis llm config edit" in wrong["config"][0]["advice"]


def test_a_row_that_makes_no_provider_is_a_failure(run: Run, home: Path) -> None:
    settings = home / ".config" / "homeostasis-llm" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[providers.myllm]\ndialect = "opnai"\nbase_url = "http://127.0.0.1:9"\n')

    found, exit_code = examined(run)

    assert (states(found, "config"), exit_code) == (["fail", "ok"], 1)
    assert f"{settings}, line 2: providers.myllm.dialect: must be" in found["config"][0]["found"]


def test_what_was_found_and_what_to_do_are_sentences(run: Run, home: Path) -> None:
    without_keys = run("llm", "doctor").stdout
    settings = home / ".config" / "homeostasis-llm" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("enable_fallbak = true\n")
    mistyped = run("llm", "doctor").stdout

    assert "none was found. Store one: `homeostasis llm set-key PROVIDER`." in without_keys
    assert "did you mean enable_fallback? Correct it: `homeostasis llm config edit`." in mistyped


def test_no_key_at_all_is_warned_of(run: Run) -> None:
    found, exit_code = examined(run)

    assert (states(found, "keys"), exit_code) == (["warn"], 0)
    assert "homeostasis llm set-key" in found["keys"][0]["advice"]


def test_each_plugin_is_told_and_a_broken_one_is_a_failure(run: Run, plugins: Path) -> None:
    install(plugins, "picky-llm", picky="tests.cli.picky:Picky")
    install(plugins, "cracked-llm", cracked="no_such_module:Cracked")

    found, exit_code = examined(run)

    by_name = {one["found"].split(" ")[0].rstrip(":"): one for one in found["plugin"]}
    assert by_name["picky"] == {"topic": "plugin", "state": "ok", "found": "picky of picky-llm 1.0", "advice": ""}
    assert (by_name["cracked"]["state"], exit_code) == ("fail", 1)
    assert "No module named 'no_such_module'" in by_name["cracked"]["found"]


def test_the_embedded_model_is_told(run: Run) -> None:
    found, _ = examined(run)

    assert states(found, "embedded model") == ["ok"]
    assert "smollm2" in found["embedded model"][0]["found"]


# ------------------------------------------------------------------------------------------------------------- network


def test_proxies_are_told_without_their_passwords(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hush-hush@proxy.example:8080")
    monkeypatch.setenv("HTTP_PROXY", "proxy.example:8080")
    monkeypatch.setenv("NO_PROXY", "localhost")

    found, exit_code = examined(run)

    assert exit_code == 0
    assert [one["found"] for one in found["proxy"]] == [
        "HTTP_PROXY: http://proxy.example:8080",
        "HTTPS_PROXY: http://********@proxy.example:8080",
        "NO_PROXY: localhost",
    ]
    assert "hush" not in str(found)


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("http://me:hush-hush@:8080", "is no address of a proxy"),
        ("ftp://hush-hush.example", "is no address of a proxy"),
        ("http://proxy.example:port", "is no address of a proxy"),
    ],
)
def test_a_proxy_that_is_none_is_a_failure(proxy: str, says: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    found, exit_code = examined(run)

    assert (states(found, "proxy"), exit_code) == (["fail"], 1)
    assert says in found["proxy"][0]["found"]
    assert "hush" not in str(found)


def test_certificates_are_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import certifi

    by_default, _ = examined(run)
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    own, fine = examined(run)
    (tmp_path / "empty.pem").write_text("nothing\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    empty, failed = examined(run)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    missing, _ = examined(run)
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    folder, _ = examined(run)
    monkeypatch.delenv("SSL_CERT_DIR")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    unread, warned = examined(run)

    assert by_default["certificates"][0]["found"] == "those of the package certifi"
    assert (states(own, "certificates"), fine) == (["ok"], 0)
    assert (states(empty, "certificates"), failed) == (["fail"], 1)
    assert "holds no certificate" in empty["certificates"][0]["found"]
    assert "cannot be read: No such file" in missing["certificates"][0]["found"]
    assert "is no folder" in folder["certificates"][0]["found"]
    assert (states(unread, "certificates"), warned) == (["ok", "warn"], 0)
    assert unread["certificates"][1]["advice"] == "Set SSL_CERT_FILE to the same."


def test_a_mistake_in_an_argument_of_doctor_is_named(run: Run) -> None:
    mistyped, extra = run("llm", "doctor", "--jsn"), run("llm", "doctor", "openai")

    assert (mistyped.exit_code, extra.exit_code) == (2, 2)
    assert "Did you mean '--json'?" in mistyped.stderr
    assert "unexpected extra argument" in extra.stderr
