"""Our providers read what llama.cpp's server really answers, in three dialects.

pytest tests/cassettes/test_recorded_llama_cpp.py                        plays the recordings
pytest tests/cassettes/test_recorded_llama_cpp.py --record-mode=rewrite  makes them anew, from the embedded model
pytest tests/cassettes/test_recorded_llama_cpp.py --llm-live             asks it, and compares with the recordings
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeostasis_llm import LLMProviderInterface, ProviderFactory
from homeostasis_llm.testing.cassettes import Cassette, use_cassette
from homeostasis_llm.testing.cassettes.matrix import CASES, WRONG_KEY, Case, aask, ask, with_tools

from .tool_template import EXTRA, STOP, TEMPLATE, TOOLS_NOTE

KEY = "right-for-this-server-only"
MODEL = "smollm2-135m-instruct"
NOWHERE = "http://localhost"
"""Where a recording is asked: nothing needs to listen there."""


@contextmanager
def served(*, for_real: bool, **options: Any) -> Iterator[str]:
    if not for_real:
        yield NOWHERE
        return
    from homeostasis_llm_llama_cpp import serve

    with serve(api_key=KEY, context_tokens=512, parallel=1, threads=1, **options) as address:
        yield address


@pytest.fixture(scope="module")
def url(llm_asks_for_real: bool) -> Iterator[str]:
    """The model as it is tuned."""
    with served(for_real=llm_asks_for_real) as address:
        yield address


@pytest.fixture(scope="module")
def url_with_tools(llm_asks_for_real: bool) -> Iterator[str]:
    """The model with a chat template that has a place for tools."""
    with served(for_real=llm_asks_for_real, chat_template=TEMPLATE) as address:
        yield address


def provider_for(wire: str, address: str, case: Case) -> LLMProviderInterface:
    base_url = f"{address}/v1" if wire == "openai" else address
    key = WRONG_KEY if case.wrong_key else KEY
    return ProviderFactory.create_provider(wire, key, base_url=base_url, default_model=MODEL)


PLAIN = [case for case in CASES if not case.name.startswith("tool")]
TOOLS = [
    replace(case, request=with_tools(stop=STOP, extra=EXTRA)) if case.name != "tool_result" else case
    for case in CASES
    if case.name.startswith("tool")
]

NOT_ON_THE_WIRE_OF_MESSAGES = {
    # litellm asks Anthropic's for a form by forcing a tool, and this model does not decide on tools.
    "json_schema",
}


def cases(wire: str) -> list[Case]:
    return [case for case in PLAIN if wire != "anthropic" or case.name not in NOT_ON_THE_WIRE_OF_MESSAGES]


ALL = [pytest.param(wire, case, id=f"{wire}-{case.name}") for wire in ("openai", "anthropic") for case in cases(wire)]


@pytest.mark.parametrize(("wire", "case"), ALL)
def test_an_answer_is_read(wire: str, case: Case, url: str, llm_cassette: Cassette) -> None:
    if case.name == "unknown_model":
        llm_cassette.note = "llama.cpp has one model, and answers with it whatever model is asked for."

    with provider_for(wire, url, case) as provider:
        case.check(ask(provider, case))


@pytest.mark.parametrize("case", TOOLS, ids=lambda case: case.name)
def test_a_call_is_read(case: Case, url_with_tools: str, llm_cassette: Cassette) -> None:
    llm_cassette.note = TOOLS_NOTE

    with provider_for("openai", url_with_tools, case) as provider:
        case.check(ask(provider, case))


@pytest.mark.parametrize(("wire", "case"), [*ALL, *(pytest.param("openai", case, id=case.name) for case in TOOLS)])
async def test_the_same_is_read_by_async_clients(wire: str, case: Case, llm_asks_for_real: bool) -> None:
    if llm_asks_for_real:
        pytest.skip("the recordings of the other tests are played")
    test = f"test_a_call_is_read[{case.name}]" if case in TOOLS else f"test_an_answer_is_read[{wire}-{case.name}]"

    with use_cassette(recording(test)), provider_for(wire, NOWHERE, case) as provider:
        case.check(await aask(provider, case))


RESPONSES: dict[str, tuple[int, dict[str, Any]]] = {
    "plain": (200, {"input": "What is the capital of France?"}),
    "streamed": (200, {"input": "What is the capital of France?", "stream": True}),
    "length_cut": (200, {"input": "Tell me a long story.", "max_output_tokens": 5}),
    "system_prompt": (200, {"input": "Who are you?", "instructions": "You are a parrot.", "max_output_tokens": 20}),
    "wrong_key": (401, {"input": "Hello"}),
    "context_too_long": (400, {"input": "word " * 1000}),
}


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.llm_cassette
def test_the_responses_wire_is_as_documented(name: str, url: str) -> None:
    """By a plain client: litellm's way to this wire needs a package that it does not declare."""
    status, body = RESPONSES[name]
    key = WRONG_KEY if name == "wrong_key" else KEY

    answer = httpx.post(
        f"{url}/v1/responses",
        json={"model": MODEL, "temperature": 0, **body},
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )

    assert answer.status_code == status
    if name == "streamed":
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        assert events[0]["type"] == "response.created"
        assert events[-1]["type"] == "response.completed"
        assert "Paris" in "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    elif status == 200:
        assert answer.json()["output"][0]["content"][0]["text"]


def test_every_recording_is_played() -> None:
    played = {f"test_an_answer_is_read[{wire}-{case.name}]" for wire in ("openai", "anthropic") for case in cases(wire)}
    played |= {f"test_a_call_is_read[{case.name}]" for case in TOOLS}
    played |= {f"test_the_responses_wire_is_as_documented[{name}]" for name in RESPONSES}

    there = {file.stem for file in recording("any").parent.glob("*.yaml")}

    assert there == played


def recording(test: str) -> Path:
    return Path(__file__).parents[2] / "cassettes" / "test_recorded_llama_cpp" / f"{test}.yaml"
