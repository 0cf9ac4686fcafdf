"""A small provider keeps every promise, and for each there is one that breaks it and is found out."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from langchain_tests.unit_tests import ChatModelUnitTests

from homeostasis_llm.testing import ProviderConformance
from homeostasis_llm.testing.conformance.rules.exposure import LANGCHAIN_TESTS

from .mutants import MUTANTS, Leaking, mutant_of
from .small_suite import SmallSuite, every_case, verdict


class TestSmall(SmallSuite):
    """All of it, without a known fault."""


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    before = dict(os.environ)
    yield
    Leaking.let_go()
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(("rule", "arguments"), [pytest.param(*case, id=case[0]) for case in every_case()])
def test_a_provider_that_breaks_a_rule_is_told_so_in_a_sentence(rule: str, arguments: dict[str, object]) -> None:
    said = verdict(mutant_of(rule)(), rule, arguments)

    assert said, f"{rule} finds nothing wrong with {mutant_of(rule).provider}"
    assert said.endswith(".")
    assert "Traceback" not in said


def test_every_rule_has_a_mutant() -> None:
    assert MUTANTS.keys() == {name for name in dir(ProviderConformance) if name.startswith("test_")}


def test_all_of_langchains_tests_are_run() -> None:
    theirs = {name for name in dir(ChatModelUnitTests) if name.startswith("test_")}

    assert set(LANGCHAIN_TESTS) == theirs - {"test_no_overrides_DO_NOT_OVERRIDE"}
