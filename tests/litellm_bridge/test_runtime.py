"""litellm under our hands: silent, off the network, and leaving nothing open."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from homeostasis_llm import AuthenticationError, LLMProviderInterface, stream_chunks
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.litellm_bridge.runtime import load_litellm
from homeostasis_llm.response import merge_chunks

from ..loopback import Loopback
from .wires import DONE, KEY, ask, openai_answer, openai_event, openai_stream

_EVERY_WAY = """
import asyncio, sys
from homeostasis_llm import LLMMessage, LLMRequest, LLMError, Tool
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider

provider = LiteLLMProvider("openai", "k-0123456789", base_url=sys.argv[1])
request = LLMRequest(messages=[LLMMessage(role="user", content="Hi")], model="m", tools=[Tool(name="add")])

async def calls():
    await provider.acomplete(request)
    return [chunk async for chunk in provider.acomplete_stream(request)]

provider.complete(request)
list(provider.complete_stream(request))
asyncio.run(calls())
asyncio.run(calls())
next(provider.complete_stream(request))
try:
    provider.complete(LLMRequest(messages=request.messages, model="m", timeout=0.001))
except LLMError:
    pass
"""


# Not with `-X dev`: on a busy machine asyncio's debug mode has slow callbacks to report, which are no fault.
@pytest.mark.parametrize(
    "flags", [[], ["-W", "always::ResourceWarning", "-W", "always::RuntimeWarning"]], ids=["plain", "all warnings"]
)
def test_calls_of_every_kind_print_nothing_and_leave_nothing_open(
    flags: list[str], loopback: Loopback, tmp_path: Path
) -> None:
    def answers() -> None:
        loopback.reply(json=openai_answer())
        loopback.reply(chunks=openai_stream("a", "b"))

    for _ in range(3):
        answers()
    loopback.reply(chunks=openai_stream("a", "b"))
    loopback.always(json=openai_answer(), delay=0.2)

    # A `.env` in the working directory is the application's, not ours to load.
    (tmp_path / ".env").write_text("OPENAI_API_BASE=http://127.0.0.1:1\n", encoding="utf-8")
    ran = subprocess.run(  # our own interpreter and script
        [sys.executable, *flags, "-c", _EVERY_WAY, loopback.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


WELL_KNOWN = """
    openai anthropic gemini mistral groq openrouter deepseek xai cohere together_ai fireworks_ai perplexity ollama
    cerebras hosted_vllm cloudflare databricks moonshot dashscope zai sambanova nvidia_nim
"""


@pytest.mark.parametrize("name", WELL_KNOWN.split())
async def test_every_request_passes_under_our_eyes(name: str, loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": "No."}})
    provider = LiteLLMProvider(name, KEY, base_url=loopback.url)

    with pytest.raises(AuthenticationError):
        provider.complete(ask())
    with pytest.raises(AuthenticationError):
        await provider.acomplete(ask())

    # This header is set by what watches the exchange.
    assert [request.headers["accept-encoding"] for request in loopback.requests] == ["identity", "identity"]


def test_litellm_makes_no_event_loop_of_its_own_and_puts_nothing_into_ours(loopback: Loopback) -> None:
    loopback.always(json=openai_answer())
    provider: LLMProviderInterface = LiteLLMProvider("openai", KEY, base_url=loopback.url)

    async def ask_synchronously() -> int:
        provider.complete(ask())
        return len(asyncio.all_tasks())

    assert asyncio.run(ask_synchronously()) == 1


@pytest.mark.parametrize(
    ("name", "model"), [("huggingface", "some-org/some-model"), ("openai", "meta-llama/Llama-3.3-70B-Instruct")]
)
def test_nothing_is_fetched_from_elsewhere(name: str, model: str, loopback: Loopback) -> None:
    # Without a count in it, litellm would fetch the model's tokenizer. That the network is not reached for is seen to
    # by a fixture of all tests.
    loopback.reply(chunks=[openai_event({"content": "Hi"}), openai_event({}, "stop"), DONE])
    provider: LLMProviderInterface = LiteLLMProvider(name, KEY, base_url=loopback.url)

    answer = merge_chunks(chunk for chunk in stream_chunks(provider, ask(model=model)))

    assert (answer.text, answer.usage) == ("Hi", None)
    assert len(loopback.requests) == 1


async def test_no_client_of_litellms_own_is_used(loopback: Loopback) -> None:
    cohere = {
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
        "finish_reason": "COMPLETE",
    }
    loopback.always(json={**openai_answer(), **cohere})
    shared = load_litellm().in_memory_llm_clients_cache
    before = set(shared.cache_dict)

    for name in ("cohere", "openai"):
        provider: LLMProviderInterface = LiteLLMProvider(name, KEY, base_url=loopback.url)
        provider.complete(ask())
        await provider.acomplete(ask())

    assert {key for key in set(shared.cache_dict) - before if "httpx_client" in key} == set()


def test_the_price_list_is_the_one_that_litellm_brings() -> None:
    litellm = load_litellm()

    assert litellm.telemetry is False
    assert litellm.suppress_debug_info is True
    assert litellm.model_cost["gpt-4o"]["input_cost_per_token"] > 0
