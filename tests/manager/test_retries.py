"""How long to wait, and how many retries there may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm import InvalidRequestError, LLMManager, RetryConfig
from homeostasis_llm.manager.retries import RetryBudget


def delays(config: RetryConfig, random: float, count: int = 6) -> list[float]:
    return [config.delay(retries, lambda: random) for retries in range(count)]


def test_waits_grow_by_the_base_up_to_the_longest() -> None:
    config = RetryConfig(base_delay=0.5, exponential_base=2, max_delay=10, jitter=False)

    assert delays(config, random=0.0) == [0.5, 1, 2, 4, 8, 10]


def test_jitter_is_any_part_of_the_wait() -> None:
    config = RetryConfig(base_delay=1, exponential_base=3, max_delay=20)

    assert delays(config, random=0.0) == [0] * 6
    assert delays(config, random=0.5) == [0.5, 1.5, 4.5, 10, 10, 10]
    assert delays(config, random=1.0) == [1, 3, 9, 20, 20, 20]


def test_a_base_of_one_has_waits_that_do_not_grow() -> None:
    assert delays(RetryConfig(exponential_base=1, base_delay=2, jitter=False), random=0.0) == [2] * 6


@given(st.floats(0, 100), st.floats(0, 100), st.floats(1, 1e6), st.integers(0, 10_000), st.floats(0, 1))
def test_no_wait_is_longer_than_the_longest(
    base: float, more: float, exponential: float, retries: int, random: float
) -> None:
    config = RetryConfig(base_delay=base, max_delay=base + more, exponential_base=exponential)

    assert 0 <= config.delay(retries, lambda: random) <= config.max_delay


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_retries": -1},
        {"base_delay": -0.1},
        {"max_delay": -1, "base_delay": 0},
        {"exponential_base": 0.5},
        {"deadline": 0},
        {"max_attempts": 0},
        {"retry_budget": 1.5},
        {"min_retries": -1},
        {"budget_window": 0},
        {"base_delay": 5, "max_delay": 4},
        {"base_delay": "soon"},
        {"max_retry": 3},
    ],
    ids=",".join,
)
def test_what_makes_no_sense_is_refused_in_one_line_that_names_it(wrong: dict[str, object]) -> None:
    with pytest.raises((InvalidRequestError, TypeError)) as caught:
        RetryConfig(**wrong)  # type: ignore[arg-type]  # that is what is tried

    assert any(name in str(caught.value) for name in wrong)
    assert "\n" not in str(caught.value)


def test_zero_is_a_choice() -> None:
    config = RetryConfig(max_retries=0, base_delay=0, max_delay=0, retry_budget=0, min_retries=0)

    assert (config.max_retries, config.base_delay, config.max_delay, config.min_retries) == (0, 0, 0, 0)
    assert delays(config, random=1.0) == [0] * 6


def test_a_manager_takes_nothing_else_for_it() -> None:
    with pytest.raises(InvalidRequestError, match=r"retry_config: must be a RetryConfig, got dict"):
        LLMManager(None, {"max_retries": 3})  # type: ignore[arg-type]  # that is what is tried


def test_a_few_retries_are_always_allowed_and_then_a_part_of_the_requests() -> None:
    budget, config = RetryBudget(), RetryConfig(retry_budget=0.2, min_retries=3)

    assert [budget.take(0, config) for _ in range(4)] == [True, True, True, False]
    for _ in range(19):
        budget.request(1, config)
    assert not budget.take(1, config)
    budget.request(1, config)
    assert budget.take(1, config)
    assert not budget.take(1, config)


def test_no_budget_is_no_retry() -> None:
    budget, config = RetryBudget(), RetryConfig(retry_budget=0, min_retries=0)

    budget.request(0, config)

    assert not budget.take(0, config)


def test_what_happened_before_the_window_is_forgotten() -> None:
    budget, config = RetryBudget(), RetryConfig(retry_budget=1, min_retries=0, budget_window=60)
    budget.request(0, config)

    assert budget.take(30, config)
    assert not budget.take(59, config)
    budget.request(59.5, config)
    assert budget.take(59.9, config)
    assert not budget.take(60, config)  # the request at 0 is out, the retries since are not
    assert not budget.take(89.9, config)
    budget.request(90, config)
    assert budget.take(90, config)  # the retry at 30 is out
    assert not budget.take(90, config)
