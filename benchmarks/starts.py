"""How long processes take from their start to their end: imports, commands, and a first answer."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from .clients import is_installed
from .server import ROOT

_IMPORTS = (
    "click", "pydantic", "httpx", "homeostasis_llm", "langchain_core.language_models", "openai", "litellm",
    "langchain_litellm", "langchain_openai", "any_llm", "pydantic_ai", "llm",
)  # fmt: skip
_FIRST_ANSWERS = (
    "httpx", "openai", "litellm", "ChatLiteLLM", "ChatOpenAI", "any-llm", "pydantic-ai", "llm", "provider",
    "ChatHomeostasis(provider)", "ChatHomeostasis(manager)",
)  # fmt: skip
_OFTEN = (
    "python -c pass", "import click", "import pydantic", "import httpx", "import homeostasis_llm",
    "a bare GET by httpx", "homeostasis llm --help", "homeostasis llm list-keys", "homeostasis llm providers",
    "homeostasis llm validate-key openai",
)  # fmt: skip
"""Programs that are short, and that others are compared with."""
_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("--help",),
    ("ask", "-p", "openai", "-m", "loopback", "Hello."),
    ("ask", "-p", "llama_cpp", "--max-tokens", "1", "Hello."),
    ("ask", "--help"),
    ("auto-configure",),
    ("cassettes", "--help"),
    ("completion", "bash"),
    ("config", "show"),
    ("conformance", "--help"),
    ("doctor", "--help"),
    ("get-active-provider",),
    ("get-fallback-order",),
    ("get-provider-policies",),
    ("import-legacy", "--help"),
    ("list-keys",),
    ("models", "openai"),
    ("new-provider", "--help"),
    ("provider-status",),
    ("providers",),
    ("remove-key", "--help"),
    ("reset-health", "--help"),
    ("set-active-provider", "openai"),
    ("set-fallback-enabled", "yes"),
    ("set-fallback-order", "openai"),
    ("set-key", "--help"),
    ("set-openrouter-unified", "--help"),
    ("set-provider-policies", "--help"),
    ("status",),
    ("test-providers", "--providers", "openai"),
    ("validate-key", "openai"),
)

BARE_GET = "a bare GET by httpx"
NOTHING = "python -c pass"


def imported(module: str) -> str:
    """The name of what imports `module`."""
    return f"import {module}"


def command(*words: str) -> str:
    """The name of a command of ours."""
    return " ".join(("homeostasis llm", *words))


def first_answer(client: str) -> str:
    """The name of what makes a client and asks it once."""
    return f"first answer of {client}"


def programs(url: str, *, few: bool) -> dict[str, list[str]]:
    """What is started, by name. Without what is not installed."""
    python = [sys.executable, "-W", "ignore", "-c"]
    found = {NOTHING: [*python, "pass"]}
    for module in _IMPORTS[:4] if few else _IMPORTS:
        if find_spec(module.partition(".")[0]) is not None:
            found[imported(module)] = [*python, f"import {module}"]
    get = f"httpx.get('{url}/answer/v1/models', headers={{'Authorization': 'Bearer k3y'}}).raise_for_status()"
    found[BARE_GET] = [*python, f"import httpx; {get}"]
    ours = str(Path(sys.executable).with_name("homeostasis"))
    for words in _COMMANDS[:1] if few else _COMMANDS:
        found[command(*words)] = [ours, "llm", *words]
    if find_spec("llm") is not None and not few:
        found["llm --help"] = [str(Path(sys.executable).with_name("llm")), "--help"]
    for name in _FIRST_ANSWERS[:1] if few else _FIRST_ANSWERS:
        if is_installed(name):
            ask = f"make({name!r}, {url + '/answer/v1'!r}).call([dict(role='user', content='Hello.')])"
            found[first_answer(name)] = [*python, f"from benchmarks.clients import make; {ask}"]
    return found


_SELDOM = 1
"""Rounds of what is not in `_OFTEN`: some of it takes many seconds."""


class Starts:
    """Programs, started in turn."""

    def __init__(self, url: str, environment: Mapping[str, str], failed: dict[str, str], *, few: bool) -> None:
        self._programs = programs(url, few=few)
        self._environment = {**environment, "OPENAI_API_KEY": "k3y", "HOMEOSTASIS_OPENAI_BASE_URL": f"{url}/answer/v1"}
        self._failed = failed

    def run(self, rounds: int) -> dict[str, list[float]]:
        """Seconds of each run: `rounds` of the short programs, one of the others. What fails is left out, and said."""
        found: dict[str, list[float]] = {name: [] for name in self._programs}
        # The others store settings, which the short ones would then have to read.
        self._run({name: argv for name, argv in self._programs.items() if name in _OFTEN}, rounds, found)
        self._run(
            {name: argv for name, argv in self._programs.items() if name not in _OFTEN}, min(rounds, _SELDOM), found
        )
        return found

    def _run(self, programs: Mapping[str, list[str]], rounds: int, found: dict[str, list[float]]) -> None:
        for each in range(rounds + 1):
            for name, argv in programs.items():
                if name not in found:
                    continue
                started = time.perf_counter()
                problem = self._problem(argv)
                if problem is not None:
                    self._failed[name] = problem
                    del found[name]
                elif each > 0:  # the first time, modules are compiled
                    found[name].append(time.perf_counter() - started)

    def _problem(self, argv: list[str]) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603  # listed above
                argv,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "took longer than 60 s"
        if done.returncode == 0:
            return None
        return (done.stderr or done.stdout).decode(errors="replace").strip()[-200:]
