"""No provider is asked once its limit is spent, and what is not known is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from homeostasis_llm import LLMProviderInterface, LLMRequest, LLMResponse, QuotaExceededError, Usage
from homeostasis_llm.config import Settings
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.manager.budgets.ledger import Ledger
from homeostasis_llm.manager.budgets.prices import cost_of, is_free, price_of
from homeostasis_llm.manager.budgets.spending import REACHED, Spending

NOON = datetime(2026, 8, 30, 12, tzinfo=UTC).timestamp()
MIDNIGHT = NOON + 12 * 3600


def settings(**tables: object) -> Settings:
    return Settings.model_validate(tables)


def spent(dollars: float | None, provider: str = "openai", calls: int = 1) -> Spending:
    ledger = Ledger()
    for _ in range(calls):
        ledger.record(provider, "m", cost=dollars, usage=None, now=NOON)
    return Spending(ledger)


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        ({"providers": {"openai": {"spend_per_day": 5.0}}}, "providers.openai.spend_per_day"),
        ({"providers": {"openai": {"spend_per_month": 5.0}}}, "providers.openai.spend_per_month"),
        ({"spending": {"per_day": 5.0}}, "spending.per_day"),
        ({"spending": {"per_month": 5.0}}, "spending.per_month"),
    ],
)
def test_a_provider_is_not_asked_once_a_limit_is_spent(limits: dict[str, object], setting: str) -> None:
    limited = settings(**limits)

    assert spent(4.99).check("openai", limited, NOON).allowed
    verdict = spent(5.0).check("openai", limited, NOON)
    assert not verdict.allowed
    assert f"`{setting}`" in verdict.why


def test_what_one_provider_cost_is_not_held_against_another() -> None:
    limited = settings(providers={"openai": {"spend_per_day": 5.0}, "mistral": {"spend_per_day": 5.0}})

    assert spent(9.0, "mistral").check("openai", limited, NOON).allowed


def test_all_together_have_a_limit_of_their_own() -> None:
    assert not spent(9.0, "mistral").check("openai", settings(spending={"per_day": 5.0}), NOON).allowed


def test_the_next_day_begins_with_nothing_spent() -> None:
    limited = settings(spending={"per_day": 5.0})

    assert not spent(9.0).check("openai", limited, MIDNIGHT - 1).allowed
    assert spent(9.0).check("openai", limited, MIDNIGHT).allowed


def test_a_limit_of_nothing_allows_nothing_but_what_is_free() -> None:
    limited = settings(spending={"per_day": 0.0})

    assert not Spending(Ledger()).check("openai", limited, NOON).allowed
    assert Spending(Ledger()).check("ollama", limited, NOON, free=True).allowed


def test_without_limits_all_is_allowed() -> None:
    assert spent(10**9).check("openai", Settings(), NOON).allowed


def test_the_error_says_how_much_of_what_is_spent_and_until_when() -> None:
    limited = settings(spending={"per_day": 5.0})

    error = spent(6.0).check("openai", limited, NOON).error("openai", NOON)

    assert isinstance(error, QuotaExceededError)
    assert str(error) == (
        "all providers together cost 6.00 of 5.00 US dollars this day; "
        "it goes on at 2026-08-31 00:00 UTC, or with a higher `spending.per_day`"
    )
    assert (error.provider, error.code, error.retry_after) == ("openai", REACHED, 12 * 3600)
    assert spent(0.0).check("openai", limited, NOON).error("openai", NOON) is None


def test_calls_of_unknown_price_are_said_beside_the_amount() -> None:
    spending = spent(0.006)
    for _ in range(3):
        spending.ledger.record("openai", "m", cost=None, usage=None, now=NOON)

    verdict = spending.check("openai", settings(providers={"openai": {"spend_per_day": 0.005}}), NOON)

    assert verdict.why.startswith(
        "openai cost 0.006 of 0.005 US dollars this day, and nobody knows what 3 of 4 calls have cost; it goes on at"
    )


def test_of_several_reached_limits_the_one_that_lasts_longest_is_told() -> None:
    limited = settings(spending={"per_day": 1.0, "per_month": 2.0})

    verdict = spent(3.0).check("openai", limited, NOON)

    assert "`spending.per_month`" in verdict.why
    assert verdict.until == datetime(2026, 9, 1, tzinfo=UTC).timestamp()


# ------------------------------------------------------------------------------------------------------------- prices


class Plugin(LLMProviderInterface):
    """An author's provider."""

    base_url: str | None = None

    def __init__(self, name: str = "plugin", **options: object) -> None:
        super().__init__("k-0123456789", **options)
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def default_model(self) -> str:
        return "m"

    def complete(self, request: LLMRequest) -> LLMResponse:
        raise NotImplementedError

    def validate_key(self, api_key: str) -> bool:
        raise NotImplementedError

    def get_available_models(self) -> list[str]:
        raise NotImplementedError


class InHouse(Plugin):
    needs_key = False


def answer(cost: float | None = None, model: str | None = "m", usage: Usage | None = None) -> LLMResponse:
    return LLMResponse(content="Hi", cost=cost, model=model, usage=usage)


MILLIONS = Usage(input_tokens=1_000_000, output_tokens=2_000_000)


def test_the_price_that_the_user_set_is_what_a_call_costs() -> None:
    priced = settings(providers={"plugin": {"prices": {"m": {"input": 0.5, "output": 2.0}}}})

    assert cost_of(answer(cost=9.0, usage=MILLIONS), Plugin(), "m", priced) == 4.5
    assert cost_of(answer(model="m", usage=MILLIONS), Plugin(), "alias-of-m", priced) == 4.5


def test_else_it_is_what_the_provider_says() -> None:
    assert cost_of(answer(cost=9.0), Plugin(), "m", Settings()) == 9.0
    assert cost_of(answer(cost=0.0), Plugin(), "m", Settings()) == 0.0


def test_a_user_s_price_is_of_no_use_where_nobody_counted_the_tokens() -> None:
    priced = settings(providers={"plugin": {"prices": {"m": {"input": 0.5, "output": 2.0}}}})

    assert cost_of(answer(usage=Usage(input_tokens=5)), Plugin(), "m", priced) is None


def test_else_it_is_the_list_s_for_a_provider_of_that_list() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)

    assert cost_of(answer(usage=usage), Plugin("openai"), "gpt-4o", Settings()) == pytest.approx(2.5 + 10)
    cached = Usage(input_tokens=1_000_000, output_tokens=0, cached_tokens=1_000_000)
    assert cost_of(answer(usage=cached), Plugin("openai"), "gpt-4o", Settings()) == pytest.approx(1.25)


def test_at_another_host_the_list_says_nothing() -> None:
    elsewhere = Plugin("openai", base_url="http://127.0.0.1:1/v1")

    assert cost_of(answer(usage=MILLIONS), elsewhere, "gpt-4o", Settings()) is None
    bridged = LiteLLMProvider("openai", "k-0123456789", base_url="http://127.0.0.1:1/v1")
    assert cost_of(answer(usage=MILLIONS), bridged, "gpt-4o", Settings()) is None


def test_what_nobody_knows_is_unknown() -> None:
    assert cost_of(answer(usage=MILLIONS), Plugin(), "gpt-4o", Settings()) is None
    assert cost_of(answer(usage=MILLIONS), Plugin("openai"), "nobodys-model", Settings()) is None
    assert cost_of(answer(), Plugin("openai"), "gpt-4o", Settings()) is None


def test_what_runs_on_one_s_own_machine_is_free() -> None:
    assert cost_of(answer(), InHouse(), "m", Settings()) == 0.0
    assert cost_of(answer(), LiteLLMProvider("ollama"), "m", Settings()) == 0.0
    assert not is_free(Plugin(), "m", Settings())


def test_a_price_of_nothing_is_free_and_another_is_not() -> None:
    priced = settings(
        providers={
            "plugin": {"prices": {"m": {"input": 0, "output": 0}}},
            "ollama": {"prices": {"m": {"input": 0, "output": 1}}},
        }
    )

    assert is_free(Plugin(), "m", priced)
    assert not is_free(LiteLLMProvider("ollama"), "m", priced)


def test_prices_can_be_compared_before_anything_is_asked() -> None:
    priced = settings(providers={"openai": {"prices": {"gpt-4o": {"input": 1, "output": 2}}}})

    own, listed = price_of("openai", "gpt-4o", priced), price_of("openai", "gpt-4o", Settings())

    assert own is not None
    assert (own.input, own.output) == (1, 2)
    assert listed is not None
    assert (listed.input, listed.output) == pytest.approx((2.5, 10))
    assert price_of("openai", "nobodys-model", Settings()) is None


def test_an_answer_is_recorded_with_what_it_cost() -> None:
    spending = Spending(Ledger())

    assert spending.record(answer(cost=0.5, usage=MILLIONS), Plugin(), "m", Settings(), NOON) == 0.5

    found = spending.ledger.spent("plugin", "day", NOON)
    assert (found.dollars, found.calls, found.input_tokens) == (0.5, 1, 1_000_000)


def test_a_model_of_unknown_price_is_told_of_once_where_a_limit_is_set(caplog: pytest.LogCaptureFixture) -> None:
    spending = Spending(Ledger())
    limited = settings(spending={"per_day": 5.0})
    spending.record(answer(), Plugin(), "m", Settings(), NOON)
    assert not caplog.records

    for _ in range(3):
        spending.record(answer(), Plugin(), "m", limited, NOON)

    (told,) = caplog.records
    assert told.getMessage() == (
        "the price of m of plugin is not known, so that it counts towards no limit: set `providers.plugin.prices`"
    )
    assert spending.ledger.spent("plugin", "day", NOON).unpriced_calls == 4
