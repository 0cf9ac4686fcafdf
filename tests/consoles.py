"""Run what a document's ```console blocks say, and compare what it prints with what stands there."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import keyring
from click.testing import CliRunner
from sybil import Example

from homeostasis_llm import redaction
from homeostasis_llm.cli import homeostasis
from tests.memory_keyring import MemoryKeyring

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
"""How an example's output is compared: `...` stands for anything, a model's words above all."""

_COMMAND = re.compile(r"^\$ (?P<line>.+(?:\\\n.+)*)\n(?P<output>(?:(?!\$ ).*\n?)*)", re.MULTILINE)
_OURS_ALONE = re.compile(
    r"""(?P<piped>[^;&|<>]+\ \|\ )?                                          # what is piped in
        (?P<set>(?:[A-Z_]+=(?:'[^']*'|[^\s;&|<>$`"'\\]*)\ )*)homeostasis\  # set for this command
        (?P<words>(?:[^;&|<>$`"'\\*?]|"[^"$`\\]*"|'[^']*')*)                # no work for a shell""",
    re.VERBOSE,
)


def says(expected: str, got: str) -> bool:
    """Whether `got` is what a document says is printed."""
    return doctest.OutputChecker().check_output(expected, got, OPTIONS)


class Console:
    """Runs commands one after another: ours in this process, all else in a shell, as somebody would type it.

    Loading takes a process of its own a second, or three where litellm is asked. That the program as installed does the
    same is what tests/cli/test_terminal_sessions.py shows, for every command.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        """`environment` is that of the shell; `folder` is where it starts, and must be the current one."""
        # The program as installed beside this Python, whatever else is on the path.
        self._environment = {**environment, "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}
        self._folder = folder

    def __call__(self, example: Example) -> str | None:
        for command in _COMMAND.finditer(example.parsed + "\n"):
            got = self._printed(command["line"])
            if not says(command["output"].rstrip() + "\n", got):
                return f"$ {command['line']}\nshould print:\n{command['output']}\nand prints:\n{got}"
        return None

    def _printed(self, line: str) -> str:
        ours = _OURS_ALONE.fullmatch(line)
        # A keyring is chosen once, when a process starts.
        if ours is None or "PYTHON_KEYRING_BACKEND=" in ours["set"]:
            return self._in_a_shell(line)
        piped = self._in_a_shell(ours["piped"].removesuffix(" | ")) if ours["piped"] else ""
        settings = dict(word.split("=", 1) for word in shlex.split(ours["set"]))
        return _here(shlex.split(ours["words"]), piped, settings)

    def _in_a_shell(self, line: str) -> str:
        return subprocess.run(  # noqa: S602  # a reader would type it into a shell
            line,
            shell=True,
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout


def _here(words: list[str], piped: str, settings: Mapping[str, str]) -> str:
    """What our program prints. Like its process, the keys that it has seen are gone when it ends."""
    done = CliRunner().invoke(
        homeostasis, words, input=piped, env=settings, prog_name="homeostasis", catch_exceptions=False
    )
    if isinstance(kept := keyring.get_keyring(), MemoryKeyring):
        kept.clear()
    redaction._known.clear()
    return done.output
