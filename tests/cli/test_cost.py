"""No command loads what it has no use for: each is run in a fresh interpreter, whose modules are then looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from homeostasis_llm.cli import llm
from homeostasis_llm.cli.listed import Listed
from tests.test_import_cost import HEAVY, Step, command

from .test_completion import commands

ENGINES = {"litellm", "langchain_core", "xllamacpp"}


def each_of(commands: Iterable[Sequence[str]], without: set[str]) -> str:
    """The code that runs these one after another, and stops at the first that has loaded any of those modules."""
    return f"""
import sys
from click.testing import CliRunner
from homeostasis_llm.cli import homeostasis
for arguments in {[list(arguments) for arguments in commands]!r}:
    done = CliRunner().invoke(homeostasis, ["llm", *arguments], catch_exceptions=False)
    loaded = {without!r} & {{name.partition(".")[0] for name in sys.modules}}
    assert done.output and not loaded, (arguments, done.output, loaded)
"""


def test_help_of_every_command_comes_at_once(child_environment: dict[str, str], tmp_path: Path) -> None:
    helps = [(*name.split()[1:], "--help") for name, _ in commands()]

    step = Step(each_of(helps, {*HEAVY, "rich", "tomlkit"}), child_environment, tmp_path / "report")

    assert len(helps) > 20
    assert step.run.returncode == 0, step.run.stderr


def test_the_list_of_commands_loads_none_of_them_and_a_command_no_other(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    tell = "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"

    loaded = {
        arguments: modules_of_commands(Step(tell + command("llm", *arguments), child_environment, tmp_path / "report"))
        for arguments in (("--help",), ("completion", "zsh"))
    }

    assert loaded[("--help",)] == {"listed", "terminal"}
    assert loaded[("completion", "zsh")] == {"listed", "terminal", "completion"}


def modules_of_commands(step: Step) -> set[str]:
    """The modules of `homeostasis_llm.cli` that a step told of."""
    package = "homeostasis_llm.cli."
    return {name.removeprefix(package) for name in step.run.stderr.split() if name.startswith(package)}


def test_a_command_is_listed_under_its_own_name() -> None:
    listed = [command for command in llm.commands.values() if isinstance(command, Listed)]

    assert len(listed) > 20
    assert [command.name for command in listed] == [command.load().name for command in listed]


def test_what_asks_no_provider_loads_no_engine_no_http_and_nothing_to_draw_with(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    asked = [
        ("completion", "zsh"),
        ("config", "check"),
        ("config", "show"),
        ("get-fallback-order",),
        ("set-active-provider", "openai"),
        ("list-keys",),
        ("set-key", "openai", "--no-validate", "--key", "made-up"),
        ("provider-status", "-v"),
        ("auto-configure",),
        ("remove-key", "--all", "--force"),
        ("doctor",),
    ]

    step = Step(each_of(asked, {*ENGINES, "httpx", "rich"}), child_environment, tmp_path / "report")

    assert step.run.returncode == 0, step.run.stderr
    assert step.sockets == []


def test_what_needs_no_key_does_not_load_the_keyring(child_environment: dict[str, str], tmp_path: Path) -> None:
    asked = [("config", "path"), ("get-active-provider",), ("get-provider-policies",), ("set-fallback-enabled", "no")]

    step = Step(each_of(asked, {"keyring"}), child_environment, tmp_path / "report")

    assert step.run.returncode == 0, step.run.stderr


def test_checking_a_key_of_the_environment_loads_httpx_and_neither_keyring_nor_pydantic_nor_an_engine(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    # Nobody listens on the port that the system keeps for nothing.
    child_environment |= {"OPENAI_API_KEY": "made-up-key", "HOMEOSTASIS_OPENAI_BASE_URL": "http://127.0.0.1:1"}

    step = Step(command("llm", "validate-key", "openai"), child_environment, tmp_path / "report")

    assert "unreachable" in step.run.stdout
    assert "httpx" in step.modules
    assert step.modules & {*ENGINES, "keyring", "pydantic"} == set()


def test_a_command_that_uses_http_does_not_load_the_command_line_of_httpx(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    child_environment |= {"OPENAI_API_KEY": "made-up-key", "HOMEOSTASIS_OPENAI_BASE_URL": "http://127.0.0.1:1"}
    program = (
        "import sys\nsys.argv[1:] = ['llm', 'validate-key', 'openai']\nfrom homeostasis_llm.cli import main\nmain()"
    )

    step = Step(program, child_environment, tmp_path / "report")

    assert "unreachable" in step.run.stdout
    assert "httpx" in step.modules
    assert step.modules & {"rich", "pygments"} == set()


def test_what_a_command_leaves_is_not_looked_through_at_the_end(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    program = """
import gc
gc.disable()
class Ring:
    def __init__(self): self.itself = self
    def __del__(self): print("collected")
Ring()
"""
    run = "import sys\nsys.argv[1:] = ['llm', '--help']\nfrom homeostasis_llm.cli import main\nmain()"

    assert Step(program, child_environment, tmp_path / "report").run.stdout == "collected\n"
    assert "collected" not in Step(program + run, child_environment, tmp_path / "report").run.stdout


def test_checking_a_key_loads_settings_and_registry_only_where_they_have_a_say(
    child_environment: dict[str, str], tmp_path: Path, home: Path
) -> None:
    """They take longer to load than a provider to answer."""
    child_environment |= {"OPENAI_API_KEY": "made-up-key", "HOMEOSTASIS_OPENAI_BASE_URL": "http://127.0.0.1:1"}
    tell = "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    late = {f"homeostasis_llm.{name}" for name in ("registry", "provider", "request", "config.settings")}

    bare = Step(tell + command("llm", "validate-key", "openai"), child_environment, tmp_path / "report")
    settings = home / ".config" / "homeostasis-llm" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[providers.openai]\nheaders = { X-Team = "blue" }\n')
    with_settings = Step(tell + command("llm", "validate-key", "openai"), child_environment, tmp_path / "report")

    assert "unreachable" in bare.run.stdout
    assert late & {*bare.run.stderr.split()} == set()
    assert "homeostasis_llm.config.settings" in with_settings.run.stderr.split()


def test_completing_a_name_loads_neither_an_engine_nor_the_keyring(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    child_environment |= {
        "_HOMEOSTASIS_COMPLETE": "bash_complete",
        "COMP_WORDS": "homeostasis llm set-key opena",
        "COMP_CWORD": "3",
    }

    step = Step(command(), child_environment, tmp_path / "report")

    assert step.run.stdout == "plain,openai\n"
    assert step.modules & {*ENGINES, "httpx", "keyring", "rich"} == set()
