"""An author's mistake is told by whose it is, in one line and in every door, and harms nobody else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from homeostasis_llm import (
    BrokenPluginError,
    ChatHomeostasis,
    InvalidRequestError,
    InvalidResponseError,
    LLMError,
    LLMManager,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    RetryConfig,
)
from homeostasis_llm.cli import homeostasis
from homeostasis_llm.config import config_path
from tests.cli.conftest import install

ASKED = LLMRequest(messages=[LLMMessage(role="user", content="hi")])

MODULE = """
from homeostasis_llm import *

class Acme(LLMProviderInterface):
    name = "acme"
    default_model = "acme-1"
    needs_key = False

    def complete(self, request):
        return LLMResponse(content="Paris.")

    def validate_key(self, api_key):
        return True

    def get_available_models(self):
        return ["acme-1"]
"""

WHOSE = "acme_llm:Acme."

ANSWERS = {
    "None": ("return None", "complete gave None, not an LLMResponse"),
    "a dict": ("return {'content': 'x'}", "complete gave a dict, not an LLMResponse"),
    "a str": ("return 'Paris.'", "complete gave a str, not an LLMResponse"),
    "content of a number": ("return LLMResponse(content=7)", "complete: LLMResponse.content: "),
    "content lost later": (
        "r = LLMResponse(content='x'); r.content = None; return r",
        "complete gave an LLMResponse whose content is None, not a str",
    ),
    "usage that is none": ("return LLMResponse(content='x', usage=7)", "complete: LLMResponse.usage: "),
}
"""What `complete` does, and what is said of it."""

PIECES = {
    "bytes": ("yield b'Paris.'", "acme_llm:Acme streamed a bytes, which is neither a str nor an LLMChunk"),
    "None": ("yield None", "acme_llm:Acme streamed None, which is neither a str nor an LLMChunk"),
    "no stream": ("return None", WHOSE + "complete_stream gave None, not an iterator of str or LLMChunk"),
    "one text": ("return 'Paris.'", WHOSE + "complete_stream gave a str, not an iterator of str or LLMChunk"),
    "text of None": ("yield LLMChunk(text=None)", WHOSE + "complete_stream: LLMChunk.text: "),
    "text lost later": (
        "c = LLMChunk(text='x'); c.text = 7; yield c",
        WHOSE + "complete_stream gave an LLMChunk whose text is an int, not a str",
    ),
}
"""What `complete_stream` does, and what is said of it."""


class Good(LLMProviderInterface):
    """The one that goes on."""

    name = "good"
    default_model = "good-1"
    needs_key = False

    def complete(self, _: LLMRequest) -> LLMResponse:
        return LLMResponse(content="Good.")

    def validate_key(self, _: str) -> bool:
        return True

    def get_available_models(self) -> list[str]:
        return ["good-1"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that plugins are installed in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("acme_llm", None)


def plugin(site: Path, code: str) -> None:
    """Install a plugin called acme with that module."""
    (site / "acme_llm.py").write_text(code, encoding="utf-8")
    install(site, "acme-llm", acme="acme_llm:Acme")


def with_method(signature: str, body: str) -> str:
    """The plugin, with that method in the place of its own."""
    return f"{MODULE}\n    {signature}:\n        {body}\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(homeostasis, ["llm", *arguments], catch_exceptions=False)


def whole(manager: LLMManager) -> str:
    return manager.complete(ASKED).content


def streamed(manager: LLMManager) -> str:
    return "".join(chunk.text for chunk in manager.complete_stream(ASKED))


def awaited(manager: LLMManager) -> str:
    return asyncio.run(manager.acomplete(ASKED)).content


def streamed_awaited(manager: LLMManager) -> str:
    async def pieces() -> str:
        return "".join([chunk.text async for chunk in manager.acomplete_stream(ASKED)])

    return asyncio.run(pieces())


EVERY_WAY = pytest.mark.parametrize("ask", [whole, awaited, streamed, streamed_awaited])
STREAMS = pytest.mark.parametrize("ask", [streamed, streamed_awaited])


def is_told_and_left(ask: Callable[[LLMManager], str], said: str) -> None:
    """A manager that has nobody else tells it; one that has asks the next."""
    once = RetryConfig(max_retries=0)
    with LLMManager(providers=["acme"], retry_config=once) as alone, pytest.raises(InvalidResponseError) as caught:
        ask(alone)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.provider == "acme"
    with LLMManager(providers=[ProviderFactory.create_provider("acme"), Good()], retry_config=once) as manager:
        assert ask(manager) == "Good."


@EVERY_WAY
@pytest.mark.parametrize(("body", "said"), ANSWERS.values(), ids=ANSWERS)
def test_a_wrong_answer_is_told_and_the_next_provider_asked(
    body: str, said: str, ask: Callable[[LLMManager], str], site: Path
) -> None:
    plugin(site, with_method("def complete(self, request)", body))

    is_told_and_left(ask, WHOSE + said)


@STREAMS
@pytest.mark.parametrize(("body", "said"), PIECES.values(), ids=PIECES)
def test_a_wrong_stream_is_told_and_the_next_provider_asked(
    body: str, said: str, ask: Callable[[LLMManager], str], site: Path
) -> None:
    plugin(site, with_method("def complete_stream(self, request)", body))

    is_told_and_left(ask, said)


def test_a_method_that_awaits_where_none_may_and_the_other_way_round_is_told(site: Path) -> None:
    plugin(
        site,
        with_method("async def complete(self, request)", "return None")
        + "\n    def acomplete(self, request):\n        return LLMResponse(content='x')\n"
        + "\n    async def acomplete_stream(self, request):\n        return None\n",
    )

    is_told_and_left(whole, WHOSE + "complete gave a coroutine, not an LLMResponse")
    is_told_and_left(awaited, WHOSE + "acomplete gave an LLMResponse, not something to await")
    is_told_and_left(streamed_awaited, WHOSE + "acomplete_stream gave a coroutine, not an async iterator")


def test_a_refusal_of_the_request_stays_one_and_nobody_else_is_asked(site: Path) -> None:
    plugin(site, with_method("def complete(self, request)", "raise InvalidRequestError('no such thing as heat')"))

    with (
        LLMManager(providers=["acme", Good()]) as manager,
        pytest.raises(InvalidRequestError, match="no such thing as heat"),
    ):
        manager.complete(ASKED)


@pytest.mark.parametrize(("body", "said"), ANSWERS.values(), ids=ANSWERS)
def test_a_chat_model_and_the_terminal_tell_it_in_one_line(body: str, said: str, site: Path) -> None:
    plugin(site, with_method("def complete(self, request)", body))

    with pytest.raises(LLMError) as caught:
        ChatHomeostasis(provider="acme").invoke("hi")
    asked = run("ask", "hi", "--provider", "acme", "--no-fallback")

    assert WHOSE + said in str(caught.value)
    assert asked.exit_code == 1
    assert WHOSE + said in asked.stderr
    assert len(asked.stderr.splitlines()) == 1


def test_the_doctor_names_a_row_that_takes_the_name_of_a_plugin(site: Path) -> None:
    plugin(site, MODULE)
    place = config_path()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text('[providers.acme]\ndialect = "openai"\nbase_url = "http://x"\n', encoding="utf-8")

    looked = run("doctor", "--json")

    failed = [one["found"] for one in json.loads(looked.stdout) if (one["topic"], one["state"]) == ("config", "fail")]
    assert looked.exit_code == 1
    assert failed == [f"{place}, line 1: the name 'acme' is taken by the plugin acme-llm 1.0 (acme_llm:Acme)"]


MODELS = {
    "a str": ("return 'acme-1'", "get_available_models gave a str, not a list of str"),
    "None": ("return None", "get_available_models gave None, not a list of str"),
    "numbers": ("return (n for n in (1, 2))", "get_available_models gave a list with an int, not str alone"),
    "an exception": ("raise KeyError('id')", "get_available_models raised KeyError: 'id'"),
}


@pytest.mark.parametrize(("body", "said"), MODELS.values(), ids=MODELS)
def test_a_wrong_list_of_models_is_told(body: str, said: str, site: Path) -> None:
    plugin(site, with_method("def get_available_models(self)", body))

    listed = run("models", "acme")

    assert (listed.exit_code, listed.stdout) == (1, "")
    assert listed.stderr == f"Error: {WHOSE}{said}\n"


def test_a_generator_of_names_is_a_list_of_models(site: Path) -> None:
    plugin(site, with_method("def get_available_models(self)", "return (n for n in ('a', 'b'))"))

    assert run("models", "acme").stdout == "a\nb\n"


@pytest.mark.parametrize("given", ["None", "1", "'yes'"])
def test_a_key_check_that_says_neither_yes_nor_no_does_not_pass_for_yes(
    given: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin(site, with_method("def validate_key(self, api_key)", f"return {given}").replace("needs_key = False", ""))
    monkeypatch.setenv("HOMEOSTASIS_ACME_API_KEY", "made-up-0123456789")

    checked = run("validate-key", "acme")

    assert checked.exit_code == 1
    assert f"{WHOSE}validate_key gave " in checked.output
    assert "not True or False" in checked.output


NAMES = {
    "a number": ("name = 7", "acme_llm:Acme.name is 7, and must be the provider's name, a str"),
    "nothing": ("name = ''", "acme_llm:Acme.name is '', and must be"),
    "an exception": ("name = property(lambda self: 1 / 0)", "acme_llm:Acme.name raised ZeroDivisionError"),
}


@pytest.mark.parametrize(("line", "said"), NAMES.values(), ids=NAMES)
def test_a_provider_that_does_not_say_its_name_is_broken(line: str, said: str, site: Path) -> None:
    plugin(site, MODULE.replace('name = "acme"', line, 1))

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("acme")
    with LLMManager(providers=["acme", Good()]) as manager:
        assert manager.complete(ASKED).content == "Good."
    from acme_llm import Acme  # type: ignore[import-not-found]  # it was written just now

    with pytest.raises(BrokenPluginError) as given:
        LLMManager(providers=[Acme()])

    assert said in caught.value.message
    assert said in given.value.message


BROKEN = {
    "import": ("raise RuntimeError('no luck')\n" + MODULE, "cannot be loaded: RuntimeError: no luck"),
    "construction": (
        f"{MODULE}\n    def __init__(self, api_key):\n        raise OSError('no disk')\n",
        "cannot make its provider: OSError: no disk",
    ),
    "no class": ("Acme = 7", "is neither a class nor a function"),
    "makes none": ("def Acme(api_key): return None", "what should make its provider made a NoneType"),
    "dialect": ("Acme = {'dialect': 'opnai', 'base_url': 'http://x'}", "is a row with a mistake: "),
}
AT_ONCE = {"import", "no class", "dialect"}
"""Which of them are seen without making the provider."""


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_told_in_every_door_and_the_rest_works(
    kind: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = BROKEN[kind]
    if kind not in AT_ONCE:
        monkeypatch.setenv("HOMEOSTASIS_ACME_API_KEY", "made-up-0123456789")
    plugin(site, code)

    doors = [
        run("ask", "hi", "--provider", "acme", "--no-fallback"),
        run("models", "acme"),
        run("validate-key", "acme"),
    ]
    listed = {one["name"]: one["problem"] for one in json.loads(run("providers", "--json").stdout)}
    looked = [one for one in json.loads(run("doctor", "--json").stdout) if one["topic"] == "plugin"]
    with LLMManager(providers=["acme", Good()]) as manager:
        assert manager.complete(ASKED).content == "Good."

    for door in doors:
        assert door.exit_code == 1
        assert said in door.output
        assert "Traceback" not in door.output
    assert listed["llama_cpp"] is listed["openai"] is None
    if kind in AT_ONCE:
        assert said in listed["acme"]
        assert [said in one["found"] for one in looked if one["state"] == "fail"] == [True]
