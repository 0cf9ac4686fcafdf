"""Loading, sharing and freeing models; copies, pickles, forks, and the end of Python."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import socket
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider, engine

from .asked import CAPITAL, CONTEXT_TOKENS, asked

OWN_CONTEXT = 768
"""Tokens. No other test uses as many, so that nobody else has the model loaded that way."""


def small() -> LlamaCppProvider:
    return LlamaCppProvider(context_tokens=OWN_CONTEXT, parallel=1, threads=1)


def loaded() -> list[weakref.ref[engine.Engine]]:
    return [weakref.ref(found) for loading, found in engine._engines.items() if loading.context_tokens == OWN_CONTEXT]


def test_a_model_is_loaded_when_it_is_first_asked_and_shared_from_then_on() -> None:
    one, other = small(), small()
    assert loaded() == []

    one.complete(asked("Hello", max_tokens=1))
    other.complete(asked("Hello", max_tokens=1))

    assert len(loaded()) == 1
    one.close()
    other.close()


def test_the_last_one_to_close_frees_the_model_and_it_can_be_asked_again() -> None:
    one, other = small(), small()
    for each in (one, other):
        each.complete(asked("Hello", max_tokens=1))
    (model,) = loaded()

    one.close()
    assert model() is not None
    other.close()
    gc.collect()
    assert model() is None

    with one:
        assert one.complete(asked("Hello", max_tokens=1)).content
    assert loaded() == []


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets on this system")
def test_nobody_can_connect_to_a_model_inside_the_process(provider: LlamaCppProvider) -> None:
    provider.complete(asked("Hello", max_tokens=1))

    addresses = [found._native.address for found in engine._engines.values()]

    assert addresses
    for address in addresses:
        kind, _, name = address.partition("://")
        assert kind == "unix"
        assert not Path(name).parent.exists()


def test_to_close_a_provider_does_not_cut_off_an_answer() -> None:
    provider = small()
    stream = provider.complete_stream(asked("Tell me a story.", max_tokens=20))
    pieces = [next(stream)]

    provider.close()
    pieces.extend(stream)

    assert pieces[-1].usage is not None
    assert pieces[-1].usage.output_tokens == 20


def test_copies_and_pickles_answer_like_the_original(provider: LlamaCppProvider) -> None:
    original = LlamaCppProvider(context_tokens=CONTEXT_TOKENS, threads=1, timeout=100)
    expected = provider.complete(asked(CAPITAL)).content

    for twin in (copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))):  # noqa: S301  # ours
        assert twin.complete(asked(CAPITAL)).content == expected
        assert repr(twin) == repr(original)


def test_a_provider_shows_its_name_and_model() -> None:
    assert repr(LlamaCppProvider()) == "LlamaCppProvider(name='llama_cpp', default_model='smollm2-135m-instruct')"


def test_there_is_no_key_to_be_wrong(provider: LlamaCppProvider) -> None:
    assert provider.validate_key("")
    assert provider.validate_key("anything")
    assert not provider.needs_key


PROLOGUE = """
import os, sys, asyncio, threading, gc
from homeostasis_llm import LLMMessage, LLMRequest
from homeostasis_llm_llama_cpp import LlamaCppProvider, serve
provider = LlamaCppProvider(context_tokens=2048, threads=1)
def asked(text, **fields):
    return LLMRequest(messages=[LLMMessage(role="user", content=text)], **fields)
endless = asked("Tell me a long story.", max_tokens=1900, extra={"ignore_eos": True})
"""


def run(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `code` in a Python of its own, which must end by itself."""
    command = [sys.executable, "-X", "dev", "-c", PROLOGUE + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


@pytest.mark.parametrize(
    "code",
    [
        "stream = provider.complete_stream(endless); next(stream); print('done'); sys.exit(0)",
        """
threading.Thread(target=provider.complete, args=(endless,), daemon=True).start()
next(provider.complete_stream(endless))
print('done')
""",
        """
async def leave():
    stream = provider.acomplete_stream(endless)
    await anext(stream)
asyncio.run(leave())
print('done')
""",
        "server = serve(context_tokens=1024, parallel=1, threads=1); server.__enter__(); print('done')",
    ],
    ids=["amid a stream", "daemon thread", "async", "server"],
)
def test_python_ends_without_hanging_and_without_a_word(code: str, child_environment: dict[str, str]) -> None:
    ended = run(code, child_environment)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_children_load_the_model_anew_if_they_ask_and_end_in_any_case(child_environment: dict[str, str]) -> None:
    code = f"""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: it is what is tried here
def answer():
    return provider.complete(asked("{CAPITAL}")).content
before = answer()
server = serve(context_tokens=1024, parallel=1, threads=1)
server.__enter__()
for silent in (True, False):
    child = os.fork()
    if child == 0:
        sys.exit(0 if silent or answer() == before else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), answer() == before, flush=True)
"""

    ended = run(code, child_environment)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0 True\n0 True\n", "")


def test_ctrl_c_ends_a_call_at_once(child_environment: dict[str, str]) -> None:
    code = """
import signal
from homeostasis_llm_llama_cpp import calls
def interrupt():
    while not calls._under_way:
        pass
    next(provider.complete_stream(asked("Hello")))
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    provider.complete(endless)
except KeyboardInterrupt:
    print("interrupted")
"""

    ended = run(code, child_environment)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "interrupted\n", "")


def test_importing_the_adapter_loads_no_library(child_environment: dict[str, str]) -> None:
    code = "import homeostasis_llm_llama_cpp, sys; print({'xllamacpp', 'huggingface_hub', 'httpx'} & {*sys.modules})"

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=child_environment, check=False
    )

    assert (ended.stdout, ended.stderr) == ("set()\n", "")
