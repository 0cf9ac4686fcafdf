"""Our providers read what the well-known ones really answer, as far as somebody with a key has recorded it.

What is not recorded is skipped by name. Who has a key records a provider with one command, and every case is then
played here:

    homeostasis llm cassettes record --provider mistral --matrix
"""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostasis_llm import LLMProviderInterface, ProviderFactory
from homeostasis_llm.testing.cassettes import use_cassette
from homeostasis_llm.testing.cassettes.matrix import CASES, WRONG_KEY, Case, aask, ask

FOLDER = Path(__file__).parents[2] / "cassettes" / "matrix"

PROVIDERS = ("openai", "anthropic", "gemini", "mistral", "cohere", "groq", "openrouter", "deepseek", "xai")
"""One for each dialect that a key alone opens."""


def recorded(provider: str, case: Case) -> Path:
    file = FOLDER / provider / f"{case.name}.yaml"
    if not file.exists():
        pytest.skip(f"{provider}: {case.name} is not recorded")
    return file


def made(provider: str, case: Case) -> LLMProviderInterface:
    return ProviderFactory.create_provider(provider, WRONG_KEY if case.wrong_key else "any-will-do")


@pytest.mark.parametrize("case", [case for case in CASES if not case.costly], ids=lambda case: case.name)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_answer_is_read_by_sync_and_async_clients(provider: str, case: Case) -> None:
    file = recorded(provider, case)

    with use_cassette(file), made(provider, case) as asked:
        case.check(ask(asked, case))
    with use_cassette(file), made(provider, case) as asked:
        case.check(await aask(asked, case))


def test_nothing_is_recorded_that_is_not_played() -> None:
    names = {case.name for case in CASES}

    there = {(file.parent.name, file.stem) for file in FOLDER.glob("*/*.yaml")}

    assert [(provider, case) for provider, case in there if provider not in PROVIDERS or case not in names] == []
