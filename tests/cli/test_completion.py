"""Commands, options and names of providers complete in bash, zsh and fish."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from homeostasis_llm.cli import homeostasis
from homeostasis_llm.cli.arguments import ProviderName
from homeostasis_llm.cli.listed import Listed

from .conftest import Run
from .sessions import Session

BIN = str(Path(sys.executable).parent)


@pytest.fixture
def shell_environment(child_environment: dict[str, str]) -> dict[str, str]:
    """That of a shell which finds the program, and nothing of the user's own."""
    return {**child_environment, "PATH": f"{BIN}{os.pathsep}{child_environment['PATH']}"}


def commands(group: click.Group = homeostasis, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command with its name."""
    for name, listed in group.commands.items():
        command = listed.load() if isinstance(listed, Listed) else listed
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_argument_that_is_a_provider_completes_to_providers() -> None:
    named = {
        f"{name}: {parameter.name}": parameter.type
        for name, command in commands()
        for parameter in command.params
        if parameter.name in {"provider", "providers", "named", "more"}
    }

    assert len(named) >= 8
    assert [name for name, kind in named.items() if not isinstance(kind, ProviderName)] == []


COMPLETED = {
    "homeostasis llm set-k": {"set-key"},
    "homeostasis llm set-key OPENR": {"openrouter"},
    "homeostasis llm validate-key openai scr": {"scripted"},
    "homeostasis llm test-providers --providers anth": {"anthropic"},
    "homeostasis llm test-providers -p openai sil": {"silent", "siliconflow"},
    "homeostasis llm set-active-provider aut": {"auto", "auto_router"},
    "homeostasis llm set-fallback-enabled t": {"true"},
    "homeostasis llm models nano": {"nano-gpt"},
    "homeostasis llm ask -p llama_c": {"llama_cpp"},
}
"""What is typed, and what it may become."""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.usefixtures("scripted")
def test_bash_completes_what_was_begun(shell_environment: dict[str, str]) -> None:
    script = [
        'eval "$(homeostasis llm completion bash)"',
        *(
            f"COMP_WORDS=({typed}) COMP_CWORD={typed.count(' ')} COMPREPLY=(); _homeostasis_completion homeostasis; "
            'echo "${COMPREPLY[@]}"'
            for typed in COMPLETED
        ),
    ]

    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(script)],  # noqa: S607  # wherever bash is
        env=shell_environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    for line, (typed, may_become) in zip(done.stdout.splitlines(), COMPLETED.items(), strict=True):
        assert line, typed
        assert set(line.split()) <= may_become, typed


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_completes_what_was_begun(shell_environment: dict[str, str]) -> None:
    script = 'homeostasis llm completion fish | source; complete -C "homeostasis llm set-key openr"'

    done = subprocess.run(
        ["fish", "--no-config", "-c", script],  # noqa: S607  # wherever fish is
        env=shell_environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("openrouter\n", "")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh_completes_what_was_begun(shell_environment: dict[str, str]) -> None:
    with Session("zsh", "-f", environment={**shell_environment, "PS1": "> "}) as zsh:
        zsh.type('autoload -U compinit; compinit -D -u; eval "$(homeostasis llm completion zsh)"; echo re""ady')
        zsh.expect("ready")
        zsh.press(b"homeostasis llm set-key openr\t")
        zsh.expect("openrouter")


@pytest.mark.parametrize(
    ("shell", "words", "expected"),
    [
        ("zsh", {"COMP_WORDS": "homeostasis llm set-key openr", "COMP_CWORD": "3"}, "plain\nopenrouter\n_"),
        ("fish", {"COMP_WORDS": "homeostasis llm set-key openr", "COMP_CWORD": "openr"}, "plain,openrouter"),
    ],
)
def test_the_other_shells_are_answered_in_their_own_way(
    shell: str, words: dict[str, str], expected: str, shell_environment: dict[str, str]
) -> None:
    environment = {**shell_environment, **words, "_HOMEOSTASIS_COMPLETE": f"{shell}_complete"}

    done = subprocess.run([f"{BIN}/homeostasis"], env=environment, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr, done.returncode) == (expected, "", 0)


def test_a_shell_that_is_not_known_is_refused(run: Run) -> None:
    asked = run("llm", "completion", "tcsh")

    assert (asked.exit_code, asked.stdout) == (2, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in asked.stderr
