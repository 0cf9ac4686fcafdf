"""What Homeostasis' former package has left is read as it wrote it, and left as it is."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from pydantic import SecretStr

from homeostasis_llm.config import ConfigError, load_settings
from homeostasis_llm.legacy import (
    WrongPasswordError,
    former_folder,
    has_former_keys,
    import_config,
    read_former_config,
    read_former_keys,
)
from homeostasis_llm.redaction import MASK, redact

PASSWORD = SecretStr("correct horse \u00fc")
KEY = "a3d1c9-key-of-the-former-package"

# As the former package wrote it, whatever was set first.
WRITTEN = {
    "active_provider": None,
    "fallback_order": ["anthropic", "openai", "openrouter"],
    "enable_fallback": True,
    "provider_policies": {
        "cost_preference": "balanced",
        "latency_preference": "balanced",
        "reliability_preference": "high",
    },
    "openrouter_unified_config": {
        "enabled": False,
        "proxy_to_anthropic": True,
        "proxy_to_openai": True,
        "fallback_model_mapping": {"anthropic": "anthropic/claude-3-haiku", "openai": "openai/gpt-3.5-turbo"},
    },
}

Keep = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `~/.homeostasis` was."""
    folder = tmp_path / ".homeostasis"
    folder.mkdir()
    return folder


@pytest.fixture
def keep(folder: Path) -> Keep:
    """Store keys as the former package did."""

    def keep(content: object, password: SecretStr = PASSWORD) -> None:
        salt = b"0123456789abcdef"
        (folder / "salt").write_bytes(salt)
        derive = PBKDF2HMAC(algorithm=hashes.SHA256(), length=32, salt=salt, iterations=100000)
        key = base64.urlsafe_b64encode(derive.derive(password.get_secret_value().encode()))
        plain = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / "llm_keys.enc").write_bytes(Fernet(key).encrypt(plain))

    return keep


def configure(folder: Path, config: object) -> None:
    """Store a configuration as the former package did."""
    (folder / "provider_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What is in the folder, and when it was written."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


# The configuration


def test_a_configuration_as_it_was_written_comes_over_whole(folder: Path, tmp_path: Path) -> None:
    former = {
        **WRITTEN,
        "active_provider": "OpenAI",
        "fallback_order": ["openrouter", "openai"],
        "enable_fallback": False,
        "provider_policies": {"cost_preference": "low", "latency_preference": "high", "reliability_preference": "low"},
        "openrouter_unified_config": {
            "enabled": True,
            "proxy_to_anthropic": False,
            "proxy_to_openai": True,
            "fallback_model_mapping": {"anthropic": "anthropic/claude-3-haiku", "openai": "openai/gpt-4o"},
        },
    }
    configure(folder, former)
    before = snapshot(folder)

    imported = import_config(folder, tmp_path / "config.toml")

    settings = load_settings(tmp_path / "config.toml")
    assert imported.settings == settings
    assert settings.active_provider == "openai"
    assert settings.fallback_order == ("openrouter", "openai")
    assert settings.enable_fallback is False
    assert settings.provider_policies.model_dump() == {"cost": "low", "latency": "high", "reliability": "low"}
    assert settings.openrouter_unified.enabled is True
    assert settings.openrouter_unified.providers == ("openai",)
    assert settings.openrouter_unified.model_map == {"openai": "openai/gpt-4o"}
    assert imported.kept == ()
    assert set(imported.taken) == {
        "active_provider",
        "fallback_order",
        "enable_fallback",
        "provider_policies.cost",
        "provider_policies.latency",
        "provider_policies.reliability",
        "openrouter_unified.enabled",
        "openrouter_unified.providers",
        "openrouter_unified.model_map.openai",
    }
    assert snapshot(folder) == before


def test_models_that_nobody_chose_are_left_out_and_said(folder: Path) -> None:
    configure(folder, WRITTEN)

    former = read_former_config(folder)

    assert not any("model_map" in steps for steps in former.changes)
    assert [line.split(": ")[1:] for line in former.left_out] == [
        [
            "openrouter_unified_config.fallback_model_mapping.anthropic",
            "anthropic/claude-3-haiku is what the former package wrote by itself",
        ],
        [
            "openrouter_unified_config.fallback_model_mapping.openai",
            "openai/gpt-3.5-turbo is what the former package wrote by itself",
        ],
    ]


def test_what_the_former_package_did_not_read_is_left_out_and_said(folder: Path) -> None:
    # Its documentation showed a schema that its code did not know.
    configure(
        folder,
        {
            "llm_providers": {"default_provider": "openai"},
            "provider_policies": {"selection_policy": "x"},
            "openrouter_unified_config": {"more": 1},
        },
    )

    former = read_former_config(folder)

    assert former.changes == {}
    assert [line.split(": ")[1] for line in former.left_out] == [
        "llm_providers",
        "provider_policies.selection_policy",
        "openrouter_unified_config.more",
    ]


def test_what_is_set_here_already_stays(folder: Path, tmp_path: Path) -> None:
    configure(folder, {**WRITTEN, "active_provider": "openai", "enable_fallback": False})
    path = tmp_path / "config.toml"
    path.write_text('# mine\nactive_provider = "groq"\n[provider_policies]\ncost = "high"\n', encoding="utf-8")

    imported = import_config(folder, path)

    assert imported.settings.active_provider == "groq"
    assert imported.settings.provider_policies.cost == "high"
    assert imported.settings.enable_fallback is False
    assert imported.kept == ("active_provider", "provider_policies.cost")
    assert path.read_text(encoding="utf-8").startswith("# mine\n")


def test_a_second_import_changes_nothing(folder: Path, tmp_path: Path) -> None:
    configure(folder, WRITTEN)
    path = tmp_path / "config.toml"
    first = import_config(folder, path)
    written = path.read_bytes()

    second = import_config(folder, path)

    assert path.read_bytes() == written
    assert (second.taken, second.kept) == ((), first.taken)


def test_without_former_files_nothing_is_imported_and_nothing_is_made(tmp_path: Path) -> None:
    imported = import_config(tmp_path / "none", tmp_path / "new" / "config.toml")

    assert (imported.taken, imported.kept, imported.left_out) == ((), (), ())
    assert read_former_keys(PASSWORD, tmp_path / "none") == {}
    assert not has_former_keys(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_the_former_files_are_in_the_home_directory(home: Path) -> None:
    assert former_folder() == home / ".homeostasis"
    assert former_folder("~/elsewhere") == home / "elsewhere"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n  "active_provider": oops\n}', ", line 2: is no JSON: Expecting value"),
        ("[]", ": is no JSON object"),
        (b'{"a": "\xff"}', ": is no JSON: it is not UTF-8"),
        ('{"active_provider": 3}', ": active_provider: must name a provider, found 3"),
        ('{"active_provider": ""}', ': active_provider: must name a provider, found ""'),
        ('{"fallback_order": "openai"}', ': fallback_order: must be a list of providers, found "openai"'),
        ('{"fallback_order": ["openai", []]}', ": fallback_order[1]: must name a provider, found a list"),
        ('{"enable_fallback": "yes"}', ': enable_fallback: must be true or false, found "yes"'),
        ('{"provider_policies": 3}', ": provider_policies: must be an object, found 3"),
        (
            '{"provider_policies": {"latency_preference": "medium"}}',
            ': provider_policies.latency_preference: must be "low", "balanced" or "high", found "medium"',
        ),
        (
            '{"provider_policies": {"cost_preference": ["low"]}}',
            ': provider_policies.cost_preference: must be "low", "balanced" or "high", found a list',
        ),
        (
            '{"openrouter_unified_config": {"enabled": null}}',
            ": openrouter_unified_config.enabled: must be true or false, found null",
        ),
        (
            '{"openrouter_unified_config": {"proxy_to_openai": {}}}',
            ": openrouter_unified_config.proxy_to_openai: must be true or false, found an object",
        ),
        (
            '{"openrouter_unified_config": {"fallback_model_mapping": {"openai": ""}}}',
            ': openrouter_unified_config.fallback_model_mapping.openai: must be the name of a model, found ""',
        ),
    ],
)
def test_a_wrong_configuration_is_told_in_one_line(text: str | bytes, problem: str, folder: Path) -> None:
    path = folder / "provider_config.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(ConfigError) as caught:
        import_config(folder, folder / "config.toml")

    assert caught.value.message == f"{path}{problem}"
    assert {left.name for left in folder.iterdir()} == {"provider_config.json"}


def test_a_file_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "provider_config.json").mkdir()

    with pytest.raises(ConfigError, match=r"provider_config\.json: cannot be read: Is a directory$"):
        read_former_config(folder)


# The keys


def test_keys_are_read_as_secrets_and_by_the_names_they_have_here(folder: Path, keep: Keep) -> None:
    keep({"OpenAI": KEY, "claude": f"{KEY}-2", "openrouter": " "})
    before = snapshot(folder)

    assert has_former_keys(folder)
    keys = read_former_keys(PASSWORD, folder)

    assert {name: key.get_secret_value() for name, key in keys.items()} == {"openai": KEY, "anthropic": f"{KEY}-2"}
    assert KEY not in repr(keys)
    assert redact(f"key {KEY}") == f"key {MASK}"
    assert snapshot(folder) == before


def test_a_wrong_password_is_told_apart_so_that_it_can_be_asked_again(folder: Path, keep: Keep) -> None:
    keep({"openai": KEY})

    with pytest.raises(WrongPasswordError) as caught:
        read_former_keys(SecretStr("wrong"), folder)

    assert caught.value.message == (
        f"{folder}/llm_keys.enc: does not open with this password, if neither it nor salt beside it was changed"
    )
    assert type(pickle.loads(pickle.dumps(caught.value))) is WrongPasswordError  # noqa: S301  # what was just written


def test_a_missing_salt_is_told(folder: Path, keep: Keep) -> None:
    keep({"openai": KEY})
    (folder / "salt").unlink()

    with pytest.raises(
        ConfigError, match=r"cannot be decrypted without .*salt, which is missing; .* set the keys anew"
    ):
        read_former_keys(PASSWORD, folder)


@pytest.mark.parametrize("end", [0, 2, 60, -7])
def test_a_file_that_was_cut_is_not_taken_for_a_wrong_password(end: int, folder: Path, keep: Keep) -> None:
    keep({"openai": KEY})
    path = folder / "llm_keys.enc"
    path.write_bytes(path.read_bytes()[:end])

    with pytest.raises(ConfigError, match=r"llm_keys\.enc: is damaged; set the keys anew") as caught:
        read_former_keys(PASSWORD, folder)

    assert not isinstance(caught.value, WrongPasswordError)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not JSON", "opens, but holds no JSON"),
        ([KEY], "opens, but holds no table of providers and their keys"),
        ({"openai": {"key": KEY}}, "opens, but what it has for 'openai' is no key"),
        ({" ": KEY}, "opens, but what it has for ' ' is no key"),
    ],
)
def test_other_content_than_keys_is_told_without_showing_it(
    content: object, problem: str, folder: Path, keep: Keep
) -> None:
    keep(content)

    with pytest.raises(ConfigError) as caught:
        read_former_keys(PASSWORD, folder)

    assert caught.value.message == f"{folder}/llm_keys.enc: {problem}"
    frames = [
        frame for frame, _ in traceback.walk_tb(caught.value.__traceback__) if frame.f_code.co_filename != __file__
    ]
    assert [frame.f_code.co_name for frame in frames if KEY in repr(frame.f_locals)] == []


def test_without_cryptography_it_says_what_to_install(
    folder: Path, keep: Keep, child_environment: dict[str, str]
) -> None:
    keep({"openai": KEY})
    program = """
import importlib.machinery, sys
class Absent(importlib.machinery.PathFinder):
    "An installation without that package."
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "cryptography" else super().find_spec(name, path, target)
sys.meta_path[:] = [Absent if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
from pydantic import SecretStr
from homeostasis_llm import LLMError
from homeostasis_llm.legacy import read_former_keys
try:
    read_former_keys(SecretStr("x"), sys.argv[1])
except LLMError as error:
    print(error)
"""

    said = subprocess.run(
        [sys.executable, "-c", program, folder], env=child_environment, capture_output=True, text=True, check=True
    ).stdout

    assert said == (f"{folder}/llm_keys.enc: needs the package cryptography: pip install 'homeostasis-llm[legacy]'\n")
