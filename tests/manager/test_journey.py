"""One request's way through providers that fail: who is asked, how often, after which wait, and what is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from homeostasis_llm import (
    AllProvidersFailedError,
    APIKeyMissingError,
    AuthenticationError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMError,
    LLMManager,
    LLMMessage,
    LLMRequest,
    LLMResponse,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    RetryConfig,
    ServerError,
    Timeout,
    UnsuitableRequestError,
)
from homeostasis_llm.config import Settings
from homeostasis_llm.manager.board import HealthBoard, Permit
from homeostasis_llm.manager.breaker import BreakerConfig
from homeostasis_llm.manager.steps import Ask, Pause
from homeostasis_llm.timeouts import DEFAULT_TIMEOUT, overlaid
from tests.manager.scripted import HELLO, ONCE, PATIENT, START, Says, Time, asked, managed

DOWN = ServerError("out of order", status_code=500)


def fresh(error: LLMError, **facts: Any) -> LLMError:
    return type(error)(error.message, **facts)


@pytest.fixture
def time() -> Time:
    return Time()


def outcomes(answer: LLMResponse | LLMError) -> list[tuple[str, str, str | None]]:
    return [(attempt.provider, attempt.outcome, attempt.error) for attempt in answer.attempts]


# ------------------------------------------------------------------------------------------------- retrying


def test_the_same_provider_is_asked_again_after_growing_waits_and_then_the_next(time: Time) -> None:
    first, second = Says("first", DOWN), Says("second")

    response = managed(first, second, time=time).complete(HELLO)

    assert response.content == "second says hello"
    assert (asked(first, second), time.waits) == ([3, 1], [0.5, 1.0])


def test_a_wait_is_a_random_part_of_what_it_could_be(time: Time) -> None:
    first, second = Says("first", DOWN), Says("second")

    managed(first, second, time=time, retry_config=None, random=lambda: 0.25).complete(HELLO)

    assert time.waits == [0.125, 0.25]


def test_a_retry_that_works_is_all_there_is_to_it(time: Time) -> None:
    first, second = Says("first", DOWN, "at last"), Says("second")

    response = managed(first, second, time=time).complete(HELLO)

    assert response.content == "at last"
    assert asked(first, second) == [2, 0]
    assert [(a.outcome, a.wait) for a in response.attempts] == [("failed", 0.0), ("answered", 0.5)]


def test_what_the_provider_says_about_waiting_is_obeyed_where_it_fits(time: Time) -> None:
    first, second = Says("first", RateLimitError("slow down", retry_after=7.0), "at last"), Says("second")

    response = managed(first, second, time=time).complete(HELLO)

    assert response.content == "at last"
    assert (asked(first, second), time.waits) == ([2, 0], [7.0])


def test_a_wait_of_nothing_that_the_provider_names_is_obeyed_too(time: Time) -> None:
    first = Says("first", RateLimitError("slow down", retry_after=0.0), "at last")

    managed(first, Says("second"), time=time).complete(HELLO)

    assert time.waits == [0.0]


def test_the_next_is_asked_at_once_where_the_wait_is_longer_than_the_longest(time: Time) -> None:
    first, second = Says("first", RateLimitError("slow down", retry_after=10.5)), Says("second")

    managed(first, second, time=time).complete(HELLO)

    assert (asked(first, second), time.waits) == ([1, 1], [])


def test_the_next_is_asked_at_once_where_the_wait_does_not_fit_the_deadline(time: Time) -> None:
    first, second = Says("first", RateLimitError("slow down", retry_after=6.0)), Says("second")

    managed(first, second, time=time, retry_config=RetryConfig(deadline=6.0)).complete(HELLO)

    assert (asked(first, second), time.waits) == ([1, 1], [])


def test_a_long_wait_is_made_where_nobody_else_can_be_asked(time: Time) -> None:
    only = Says("only", RateLimitError("slow down", retry_after=60.0), "at last")

    response = managed(only, time=time).complete(HELLO)

    assert response.content == "at last"
    assert time.waits == [60.0]


def test_a_long_wait_is_made_where_the_others_have_failed_for_good(time: Time) -> None:
    first = Says("first", RateLimitError("slow down", retry_after=60.0), "at last")
    second = Says("second", AuthenticationError("wrong key"))

    response = managed(first, second, time=time).complete(HELLO)

    assert response.content == "at last"
    assert time.waits == [60.0]


def test_a_wait_beyond_the_deadline_is_not_made_and_its_end_is_told(time: Time) -> None:
    only = Says("only", RateLimitError("slow down", retry_after=400.0))

    with pytest.raises(RateLimitError) as caught:
        managed(only, time=time).complete(HELLO)

    assert caught.value.retry_after == 400.0
    assert (asked(only), time.waits) == ([1], [])


def test_a_timeout_has_the_next_asked_at_once(time: Time) -> None:
    first, second = Says("first", LLMTimeoutError("no answer")), Says("second")

    managed(first, second, time=time).complete(HELLO)

    assert (asked(first, second), time.waits) == ([1, 1], [])


def test_one_that_timed_out_is_asked_again_only_where_nobody_else_can_be(time: Time) -> None:
    only = Says("only", LLMTimeoutError("no answer"), "at last")

    assert managed(only, time=time).complete(HELLO).content == "at last"
    assert time.waits == [0.5]


def test_nobody_is_asked_again_before_everybody_was_asked_once(time: Time) -> None:
    order: list[str] = []
    first = Says("first", LLMTimeoutError("no answer"), time=time, takes=30)
    second = Says("second", LLMTimeoutError("no answer"), time=time, takes=30)
    third = Says("third")

    response = managed(first, second, third, time=time, retry_config=RetryConfig(base_delay=0)).complete(HELLO)
    order = [attempt.provider for attempt in response.attempts]

    assert order == ["first", "second", "third"]


def test_the_retry_budget_of_all_requests_together_holds(time: Time) -> None:
    first, second = Says("first", DOWN), Says("second")
    manager = managed(
        first,
        second,
        time=time,
        retry_config=RetryConfig(retry_budget=0.1, min_retries=3),
        breaker=BreakerConfig(failure_threshold=1000, min_calls=1000),
    )

    for _ in range(20):
        manager.complete(HELLO)

    assert asked(first, second) == [23, 20]


def test_the_retry_budget_holds_where_there_is_only_one_provider(time: Time) -> None:
    only = Says("only", DOWN)

    with pytest.raises(ServerError):
        managed(only, time=time, retry_config=RetryConfig(retry_budget=0, min_retries=0)).complete(HELLO)

    assert asked(only) == [1]


def test_waiting_as_the_last_resort_is_a_retry_too(time: Time) -> None:
    only = Says("only", LLMTimeoutError("no answer"))

    with pytest.raises(LLMTimeoutError):
        managed(only, time=time, retry_config=RetryConfig(retry_budget=0, min_retries=0)).complete(HELLO)

    assert asked(only) == [1]


def test_whoever_waits_for_an_open_breaker_needs_no_budget(time: Time) -> None:
    only = Says("only", DOWN, "I am back")
    config = RetryConfig(retry_budget=0, min_retries=0)

    response = managed(only, time=time, retry_config=config, breaker=BreakerConfig(failure_threshold=1)).complete(HELLO)

    assert response.content == "I am back"
    assert time.waits == [5.0]


def test_last_resorts_are_counted_in_the_retry_budget(time: Time) -> None:
    only = Says("only", LLMTimeoutError("no answer"))
    config = RetryConfig(retry_budget=0, min_retries=3)
    manager = managed(
        only, time=time, retry_config=config, breaker=BreakerConfig(failure_threshold=1000, min_calls=1000)
    )

    for _ in range(10):
        with pytest.raises(LLMTimeoutError):
            manager.complete(HELLO)

    assert asked(only) == [13]


@pytest.mark.parametrize("error", [DOWN, LLMTimeoutError("x"), RateLimitError("x", retry_after=1.0)], ids=type)
def test_without_retries_each_is_asked_once(time: Time, error: LLMError) -> None:
    first, second = Says("first", error), Says("second", error)

    with pytest.raises(AllProvidersFailedError):
        managed(first, second, time=time).complete(HELLO, enable_retry=False)

    assert (asked(first, second), time.waits) == ([1, 1], [])


def test_failures_without_retries_count_for_health_all_the_same(time: Time) -> None:
    first, second = Says("first", DOWN), Says("second")
    manager = managed(first, second, time=time)

    for _ in range(5):
        manager.complete(HELLO, enable_retry=False)

    assert manager.get_provider_health_metrics()["first"]["state"] == "open"


def test_the_cap_of_attempts_holds_over_all_providers(time: Time) -> None:
    providers = [Says(f"p{number}", DOWN) for number in range(6)]

    with pytest.raises(AllProvidersFailedError) as caught:
        managed(*providers, time=time, retry_config=RetryConfig(max_attempts=4)).complete(HELLO)

    assert asked(*providers) == [3, 1, 0, 0, 0, 0]
    assert set(caught.value.errors) == {provider.name for provider in providers}


def test_the_deadline_ends_a_request_that_waits_and_retries(time: Time) -> None:
    first, second = Says("first", DOWN, time=time, takes=4), Says("second", DOWN, time=time, takes=4)

    with pytest.raises(AllProvidersFailedError):
        managed(first, second, time=time, retry_config=RetryConfig(deadline=10, jitter=False)).complete(HELLO)

    assert time.now - START <= 10 + 4  # a provider that does not keep to its timeout is waited for in sync calls
    assert sum(asked(first, second)) <= 3


def test_each_try_may_take_no_longer_than_is_left(time: Time) -> None:
    first, second = Says("first", LLMTimeoutError("x"), time=time, takes=40), Says("second")

    managed(first, second, time=time, retry_config=RetryConfig(deadline=60)).complete(HELLO)

    told = [provider.asked[0].timeout for provider in (first, second)]
    assert [getattr(timeout, "first_byte", None) for timeout in told] == [60, 20]


def test_a_request_with_time_enough_reaches_its_provider_as_the_very_same_object(time: Time) -> None:
    first = Says("first")

    managed(first, time=time, retry_config=RetryConfig(deadline=600)).complete(HELLO)
    list(managed(first, time=time).complete_stream(HELLO))

    assert first.asked[0] is first.asked[1] is HELLO


@pytest.mark.parametrize("asked_for", [None, Timeout(connect=1), Timeout(first_byte=3), 4.0], ids=repr)
@pytest.mark.parametrize("own", [Timeout(first_byte=5, total=50), 2.0, None], ids=repr)
def test_the_deadline_makes_no_wait_longer(time: Time, asked_for: Any, own: Any) -> None:
    class Hurried(Says):
        timeout = own

    first = Hurried("first")
    request = LLMRequest(messages=HELLO.messages, timeout=asked_for)

    managed(first, time=time, retry_config=RetryConfig(deadline=20)).complete(request)

    got = overlaid(overlaid(DEFAULT_TIMEOUT, own), first.asked[0].timeout)
    without = overlaid(overlaid(DEFAULT_TIMEOUT, own), asked_for)
    assert (got.first_byte, got.total) == (min(20, without.first_byte or 0), min(20, without.total or 0))
    assert (got.connect, got.between_chunks) == (without.connect, without.between_chunks)


# ------------------------------------------------------------------------------------------------- failing over


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("wrong key", status_code=401),
        APIKeyMissingError("no key"),
        PermissionDeniedError("not you", status_code=403),
        QuotaExceededError("no money", status_code=429),
        ModelNotFoundError("no such model", status_code=404),
        UnsuitableRequestError("no such parameter", status_code=400),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_next_may_do_better_has_it_asked_at_once(time: Time, error: LLMError) -> None:
    first, second = Says("first", error), Says("second")

    response = managed(first, second, time=time).complete(HELLO)

    assert response.content == "second says hello"
    assert (asked(first, second), time.waits) == ([1, 1], [])


def test_a_bad_request_is_final(time: Time) -> None:
    first, second = Says("first", InvalidRequestError("no messages", status_code=400)), Says("second")

    with pytest.raises(InvalidRequestError, match="no messages") as caught:
        managed(first, second, time=time).complete(HELLO)

    assert asked(first, second) == [1, 0]
    assert outcomes(caught.value) == [("first", "failed", "invalid_request")]


def test_a_bad_request_says_nothing_of_the_providers_health(time: Time) -> None:
    first = Says("first", InvalidRequestError("no messages"))
    manager = managed(first, time=time)

    for _ in range(20):
        with pytest.raises(InvalidRequestError):
            manager.complete(HELLO)

    metrics = manager.get_provider_health_metrics()
    assert metrics.get("first", {"state": "closed"})["state"] == "closed"
    assert asked(first) == [20]


def test_refused_content_is_final_unless_the_policy_says_otherwise(time: Time) -> None:
    first, second = Says("first", ContentRefusedError("no")), Says("second")

    with pytest.raises(ContentRefusedError):
        managed(first, second, time=time).complete(HELLO)
    assert asked(first, second) == [1, 0]

    assert managed(first, second, time=time, on_refusal="fail_over").complete(HELLO).content == "second says hello"
    assert asked(first, second) == [2, 1]


def test_a_prompt_that_is_too_long_goes_to_whoever_is_known_to_take_more(time: Time) -> None:
    class Wide(Says):
        context_window = 1_000_000

    class Narrow(Says):
        context_window = 3_000

    first = Narrow("first", ContextLengthError("too long", prompt_tokens=5_000, context_tokens=3_000))
    second, third, fourth = Narrow("second"), Says("third"), Wide("fourth")

    response = managed(first, second, third, fourth, time=time).complete(HELLO)

    assert response.provider == "fourth"
    assert asked(first, second, third, fourth) == [1, 0, 0, 1]


def test_a_prompt_that_is_too_long_for_everybody_is_told_so(time: Time) -> None:
    class Narrow(Says):
        context_window = 3_000

    first = Narrow("first", ContextLengthError("too long", prompt_tokens=5_000, context_tokens=3_000))
    second = Narrow("second")

    with pytest.raises(ContextLengthError) as caught:
        managed(first, second, time=time).complete(HELLO)

    assert asked(first, second) == [1, 0]
    assert [attempt.outcome for attempt in caught.value.attempts] == ["failed", "skipped"]


def test_an_exception_of_an_authors_own_stops_nobody(time: Time) -> None:
    first, second = Says("first", KeyError("choices")), Says("second")

    response = managed(first, second, time=time).complete(HELLO)

    assert response.content == "second says hello"
    assert response.attempts[0].message == "first raised KeyError: 'choices'"


def test_an_exception_of_the_only_authors_own_becomes_one_of_ours(time: Time) -> None:
    with pytest.raises(LLMError, match=r"first raised ZeroDivisionError: oops") as caught:
        managed(Says("first", ZeroDivisionError("oops")), time=time, retry_config=ONCE).complete(HELLO)

    assert caught.value.provider == "first"
    assert "ZeroDivisionError" in str(caught.value.__cause__)


@pytest.mark.parametrize("given", [None, b"text", 3, {"content": "x"}], ids=repr)
def test_what_is_no_answer_is_not_given_to_anybody(time: Time, given: object) -> None:
    first, second = Says("first", given), Says("second")

    assert managed(first, second, time=time).complete(HELLO).content == "second says hello"

    with pytest.raises(InvalidResponseError, match=r"Says\.complete gave .*, not an LLMResponse"):
        managed(Says("first", given), time=time).complete(HELLO)


@pytest.mark.parametrize("given", [None, b"text", 3], ids=repr)
async def test_what_is_no_piece_is_not_given_to_anybody(time: Time, given: object) -> None:
    manager = managed(Says("first", (given,)), Says("second", ("hello",)), time=time)

    assert "".join(piece.text for piece in manager.complete_stream(HELLO)) == "hello"
    assert "".join([piece.text async for piece in manager.acomplete_stream(HELLO)]) == "hello"


def test_a_person_who_interrupts_is_heard_and_leaves_nothing_taken(time: Time) -> None:
    first = Says("first", KeyboardInterrupt(), "hello")
    manager = managed(first, Says("second"), time=time)

    with pytest.raises(KeyboardInterrupt):
        manager.complete(HELLO)

    assert manager.complete(HELLO).content == "hello"


def test_an_answer_without_a_name_gets_that_of_the_provider(time: Time) -> None:
    response = managed(Says("first", LLMResponse(content="x")), time=time).complete(HELLO)

    assert (response.provider, response.model) == ("first", "first-1")


def test_a_subclass_of_a_request_keeps_its_fields_where_it_is_changed(time: Time) -> None:
    from dataclasses import dataclass

    @dataclass
    class Ticketed(LLMRequest):
        ticket: str = ""

    first, second = Says("first", DOWN), Says("second")
    request = Ticketed(messages=HELLO.messages, model="gpt-4", ticket="T-1", extra={"first_only": True})

    managed(first, second, time=time, retry_config=ONCE).complete(request)

    got = second.asked[0]
    assert isinstance(got, Ticketed)
    assert (got.ticket, got.extra, got.model) == ("T-1", {}, None)
    assert (request.extra, request.model) == ({"first_only": True}, "gpt-4")


# ------------------------------------------------------------------------------------------------- what is told


def test_the_log_says_all_there_is(time: Time) -> None:
    first = Says("first", ServerError("boom", status_code=502), time=time, takes=2)
    second = Says("second", RateLimitError("slow down", status_code=429, retry_after=3.0), "hello", time=time, takes=1)

    response = managed(first, second, time=time, retry_config=RetryConfig(max_retries=1, jitter=False)).complete(HELLO)

    assert [attempt.facts() for attempt in response.attempts] == [
        {
            "provider": "first",
            "model": None,
            "key": "",
            "outcome": "failed",
            "error": "server_error",
            "message": "boom",
            "status": 502,
            "seconds": 2.0,
            "wait": 0.0,
            "why": "it comes first",
        },
        {
            "provider": "first",
            "model": None,
            "key": "",
            "outcome": "failed",
            "error": "server_error",
            "message": "boom",
            "status": 502,
            "seconds": 2.0,
            "wait": 0.5,
            "why": "once more after server_error",
        },
        {
            "provider": "second",
            "model": None,
            "key": "",
            "outcome": "failed",
            "error": "rate_limit",
            "message": "slow down",
            "status": 429,
            "seconds": 1.0,
            "wait": 0.0,
            "why": "first failed: server_error",
        },
        {
            "provider": "second",
            "model": None,
            "key": "",
            "outcome": "answered",
            "error": None,
            "message": None,
            "status": None,
            "seconds": 1.0,
            "wait": 3.0,
            "why": "once more after rate_limit",
        },
    ]


def test_when_nobody_answers_each_ones_last_error_is_told_and_when_to_come_back(time: Time) -> None:
    first = Says("first", ServerError("boom"), RateLimitError("slow down", retry_after=500.0))
    second = Says("second", AuthenticationError("wrong key", status_code=401))

    with pytest.raises(AllProvidersFailedError) as caught:
        managed(first, second, time=time).complete(HELLO)

    error = caught.value
    assert {name: type(each) for name, each in error.errors.items()} == {
        "first": RateLimitError,
        "second": AuthenticationError,
    }
    assert error.retry_after == 500.0
    assert error.retryable
    assert "first: rate_limit: slow down" in error.message
    assert "second: authentication 401: wrong key" in error.message
    assert "Try again in 500.0 s" in error.message
    assert outcomes(error) == [
        ("first", "failed", "server_error"),
        ("first", "failed", "rate_limit"),
        ("second", "failed", "authentication"),
    ]


def test_the_only_provider_s_own_error_is_raised_as_it_is(time: Time) -> None:
    error = OverloadedError("busy", status_code=529, request_id="r-1")

    with pytest.raises(OverloadedError) as caught:
        managed(Says("only", error), time=time, retry_config=ONCE).complete(HELLO)

    assert caught.value is error
    assert (error.provider, error.request_id) == ("only", "r-1")
    assert outcomes(error) == [("only", "failed", "overloaded")]


# ------------------------------------------------------------------------------------------------- what is remembered


def test_a_wrong_key_is_not_sent_again(time: Time) -> None:
    first, second = Says("first", AuthenticationError("wrong key", status_code=401)), Says("second")
    manager = managed(first, second, time=time)

    responses = [manager.complete(HELLO) for _ in range(5)]

    assert asked(first, second) == [1, 5]
    assert outcomes(responses[-1]) == [("first", "skipped", None), ("second", "answered", None)]
    assert responses[-1].attempts[0].why == "it has failed before: authentication"


def test_a_wrong_key_alone_is_told_without_asking_again(time: Time) -> None:
    only = Says("only", AuthenticationError("wrong key", status_code=401))
    manager = managed(only, time=time)

    for _ in range(3):
        with pytest.raises(AuthenticationError, match="wrong key"):
            manager.complete(HELLO)

    assert (asked(only), time.waits) == ([1], [])


def test_a_wrong_key_opens_no_breaker(time: Time) -> None:
    first = Says("first", AuthenticationError("wrong key"))
    manager = managed(first, Says("second"), time=time)

    for _ in range(30):
        manager.complete(HELLO)
        time.pass_(601)

    assert asked(first) == [30]
    assert manager.get_provider_health_metrics()["first"]["state"] in {"closed", "resting"}


def test_a_wrong_key_that_was_changed_is_sent_at_once(time: Time) -> None:
    first, second = Says("first", AuthenticationError("wrong key"), "hello"), Says("second")
    manager = managed(first, second, time=time)
    manager.complete(HELLO)

    first.api_key = "the-right-key-0123456789"

    assert manager.complete(HELLO).content == "hello"


def test_an_empty_account_is_looked_at_again_after_a_while(time: Time) -> None:
    first, second = Says("first", QuotaExceededError("no money"), "hello"), Says("second")
    manager = managed(first, second, time=time)

    manager.complete(HELLO)
    time.pass_(299)
    assert manager.complete(HELLO).provider == "second"
    time.pass_(2)
    assert manager.complete(HELLO).provider == "first"


def test_other_requests_leave_whoever_is_too_busy_alone_while_another_can_be_asked(time: Time) -> None:
    first, second = Says("first", RateLimitError("slow down", retry_after=60.0), "hello"), Says("second")
    manager = managed(first, second, time=time)

    assert [manager.complete(HELLO).provider for _ in range(3)] == ["second"] * 3
    assert asked(first) == [1]
    time.pass_(61)
    assert manager.complete(HELLO).provider == "first"
    assert time.waits == []


def test_other_requests_wait_for_the_only_one_that_is_too_busy(time: Time) -> None:
    only = Says("only", RateLimitError("slow down", retry_after=60.0), "hello")
    manager = managed(only, time=time, retry_config=RetryConfig(deadline=50))
    with pytest.raises(RateLimitError):
        manager.complete(HELLO)
    time.pass_(20)

    assert manager.complete(HELLO).content == "hello"
    assert time.waits == [40.0]


def test_what_is_remembered_can_be_forgotten(time: Time) -> None:
    first, second = Says("first", AuthenticationError("wrong key"), "hello"), Says("second")
    manager = managed(first, second, time=time)
    manager.complete(HELLO)

    manager.reset_provider_health("second")
    assert manager.complete(HELLO).provider == "second"
    manager.reset_provider_health("first")
    assert manager.complete(HELLO).provider == "first"


def test_an_error_that_is_remembered_does_not_carry_another_requests_way(time: Time) -> None:
    only = Says("only", AuthenticationError("wrong key"))
    manager = managed(only, time=time)
    errors: list[LLMError] = []

    for _ in range(2):
        with pytest.raises(AuthenticationError) as caught:
            manager.complete(HELLO)
        errors.append(caught.value)

    assert [outcomes(error) for error in errors] == [
        [("only", "failed", "authentication")],
        [("only", "skipped", None)],
    ]


# ------------------------------------------------------------------------------------------------- circuit breakers


def test_two_requests_open_no_breaker_however_often_they_were_retried(time: Time) -> None:
    first, second = Says("first", DOWN), Says("second")
    manager = managed(
        first, second, time=time, retry_config=RetryConfig(max_retries=8, max_attempts=20, min_retries=99)
    )

    for _ in range(2):
        manager.complete(HELLO)

    health = manager.get_provider_health_metrics()["first"]
    assert health["state"] == "closed"
    assert [target["calls"] for target in health["targets"]] == [2]
    assert asked(first) == [18]


def test_a_dead_first_is_not_paid_for_on_each_call(time: Time) -> None:
    first, second = Says("first", DOWN), Says("second")
    manager = managed(first, second, time=time, breaker=BreakerConfig(open_seconds=1000, max_open_seconds=1000))

    responses = [manager.complete(HELLO) for _ in range(50)]

    assert {response.content for response in responses} == {"second says hello"}
    assert len(first.asked) == 13  # five requests; the breaker opens with the fifth, whose retries are not made
    assert outcomes(responses[-1])[-1] == ("second", "answered", None)


def test_a_first_that_came_back_is_first_again(time: Time) -> None:
    first, second = Says("first", *[DOWN] * 6, "I am back"), Says("second")
    manager = managed(first, second, time=time, retry_config=ONCE)

    assert [manager.complete(HELLO).provider for _ in range(8)] == ["second"] * 8
    time.pass_(5)
    assert [manager.complete(HELLO).provider for _ in range(3)] == ["second"] * 3  # a probe that fails
    assert asked(first) == [6]
    time.pass_(10)
    assert [manager.complete(HELLO).provider for _ in range(3)] == ["first"] * 3


def test_one_failure_does_not_move_the_preferred_one_back(time: Time) -> None:
    first, second = Says("first", DOWN, "hello"), Says("second")
    manager = managed(first, second, time=time, retry_config=ONCE)

    assert manager.complete(HELLO).provider == "second"
    assert [manager.complete(HELLO).provider for _ in range(5)] == ["first"] * 5


def test_where_everybody_s_breaker_is_open_the_probe_is_waited_for(time: Time) -> None:
    first, second = Says("first", *[DOWN] * 5, "I am back"), Says("second", *[DOWN] * 5, "so am I")
    manager = managed(first, second, time=time, retry_config=ONCE)
    for _ in range(5):
        with pytest.raises(AllProvidersFailedError):
            manager.complete(HELLO)

    response = manager.complete(HELLO)

    assert response.provider == "first"
    assert sum(time.waits) == pytest.approx(5.0)


def test_a_probe_that_is_too_far_away_is_not_waited_for(time: Time) -> None:
    only = Says("only", DOWN)
    manager = managed(only, time=time, retry_config=ONCE, breaker=BreakerConfig(open_seconds=30, max_open_seconds=30))
    for _ in range(5):
        with pytest.raises(ServerError):
            manager.complete(HELLO)

    with pytest.raises(LLMError, match=r"only was not asked: it keeps failing, last with server_error") as caught:
        manager.complete(HELLO)

    assert caught.value.retry_after == pytest.approx(30.0)
    assert caught.value.retryable
    assert (asked(only), time.waits) == ([5], [])


def test_a_probe_is_made_once_and_not_retried(time: Time) -> None:
    only = Says("only", DOWN)
    manager = managed(only, time=time, breaker=BreakerConfig(failure_threshold=1))
    with pytest.raises(LLMError):
        manager.complete(HELLO)
    before = len(only.asked)
    time.pass_(1000)

    with pytest.raises(LLMError):
        manager.complete(HELLO, enable_retry=False)

    assert len(only.asked) == before + 1


def test_two_providers_of_one_name_have_each_its_own_health(time: Time) -> None:
    dead, alive = Says("openai", DOWN), Says("openai", "hello")
    manager = managed(dead, alive, time=time, retry_config=ONCE)

    assert [manager.complete(HELLO).content for _ in range(12)] == ["hello"] * 12
    assert len(dead.asked) == 5


def test_two_providers_of_one_name_are_both_told_of(time: Time) -> None:
    one, other = Says("openai", ServerError("boom")), Says("openai", AuthenticationError("wrong key"))

    with pytest.raises(LLMError) as caught:
        managed(one, other, time=time, retry_config=ONCE).complete(HELLO)

    assert outcomes(caught.value) == [("openai", "failed", "server_error"), ("openai", "failed", "authentication")]


# ------------------------------------------------------------------------------------------------- places in a queue


def test_a_place_that_was_waited_for_in_vain_is_given_back(time: Time) -> None:
    """The breaker opens while somebody waits for a place: who gets it then cannot use it, and must not keep it."""
    settings = Settings.model_validate({"providers": {"only": {"max_concurrent": 1}}})
    breaker = BreakerConfig(failure_threshold=1)
    manager = managed(Says("only", "hello"), time=time, retry_config=ONCE, settings=settings, breaker=breaker)
    one, other = (manager._journey(HELLO, None, True) for _ in range(2))
    step = one.next()
    assert isinstance(step, Ask)
    pause = other.next()
    assert isinstance(pause, Pause)
    assert pause.slots is not None

    one.failed(step, ServerError("boom"))
    other.placed(got=pause.slots.try_acquire())

    assert isinstance(other.next(), Pause)
    assert pause.slots.taken == 0


# ------------------------------------------------------------------------------------------------- whatever happens

ERRORS: list[type[LLMError]] = [
    ServerError,
    OverloadedError,
    LLMTimeoutError,
    LLMConnectionError,
    InvalidResponseError,
    AuthenticationError,
    QuotaExceededError,
    PermissionDeniedError,
    ModelNotFoundError,
    UnsuitableRequestError,
    InvalidRequestError,
    ContextLengthError,
    ContentRefusedError,
    LLMError,
]
RETRY_AFTER = st.none() | st.sampled_from([0.0, 0.5, 3.0, 20.0, 5000.0])
OUTCOME = st.one_of(
    st.just("hello"),
    st.tuples(st.sampled_from(ERRORS), RETRY_AFTER),
    st.tuples(st.just(RateLimitError), RETRY_AFTER),
    st.just(ValueError),
    st.none(),
)


class Counting(HealthBoard):
    """Knows which permits were given."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.given: list[Permit] = []

    def admit(self, target: Any) -> Permit | None:
        permit = super().admit(target)
        if permit is not None:
            self.given.append(permit)
        return permit


def made(outcome: Any) -> Any:
    if isinstance(outcome, tuple):
        kind, retry_after = outcome
        return kind("x", retry_after=retry_after)
    return outcome("x") if outcome is ValueError else outcome


@hypothesis_settings(max_examples=150)
@given(
    scripts=st.lists(st.lists(OUTCOME, min_size=1, max_size=6), min_size=1, max_size=4),
    config=st.builds(
        RetryConfig,
        max_retries=st.integers(0, 4),
        base_delay=st.sampled_from([0.0, 0.3, 2.0]),
        max_delay=st.sampled_from([2.0, 10.0]),
        deadline=st.sampled_from([None, 1.0, 30.0, 300.0]),
        max_attempts=st.integers(1, 8),
        jitter=st.booleans(),
        min_retries=st.integers(0, 5),
    ),
    takes=st.sampled_from([0.0, 0.1, 7.0]),
    threshold=st.integers(1, 5),
    streamed=st.booleans(),
    requests=st.integers(1, 4),
)
def test_a_request_always_ends_in_time_and_leaves_nothing_behind(  # noqa: PLR0917  # hypothesis passes them by name
    scripts: list[list[Any]],
    config: RetryConfig,
    takes: float,
    threshold: int,
    streamed: bool,
    requests: int,
) -> None:
    time = Time()
    providers = [
        Says(f"p{number}", *map(made, script), time=time, takes=takes) for number, script in enumerate(scripts)
    ]
    settings = Settings.model_validate({"providers": {provider.name: {"max_concurrent": 1} for provider in providers}})
    manager = managed(
        *providers,
        time=time,
        retry_config=config,
        settings=settings,
        breaker=BreakerConfig(failure_threshold=threshold),
    )
    parts = manager._parts(settings)
    board = parts.board = Counting(BreakerConfig(failure_threshold=threshold), clock=time)

    for _ in range(requests):
        began, before, waited = time.now, sum(asked(*providers)), len(time.waits)
        try:
            if streamed:
                pieces = list(manager.complete_stream(HELLO))
                attempts = pieces[-1].attempts
            else:
                attempts = manager.complete(HELLO).attempts
            assert attempts[-1].outcome == "answered"
        except LLMError as error:
            attempts = error.attempts
        after = sum(asked(*providers)) - before
        assert after <= config.max_attempts
        assert after == sum(attempt.outcome != "skipped" for attempt in attempts)
        if config.deadline is not None:
            assert time.now - began <= config.deadline + takes + 1e-6
        if after == 0:
            assert not time.waits[waited:] or config.deadline is None or time.now - began <= config.deadline
        time.pass_(1.0)

    assert all(permit.settled for permit in board.given)
    assert all(slots.taken == 0 for slots in parts.gate._slots.values())


@given(st.lists(st.sampled_from([DOWN, LLMTimeoutError("x"), "hello"]), min_size=1, max_size=40))
@hypothesis_settings(max_examples=60)
def test_the_first_is_never_starved(script: list[Any]) -> None:
    """Whatever it did before: it is asked again when its breaker lets it, and then has its place again."""
    time = Time()
    first, second = Says("first", *script, "hello"), Says("second")
    manager = managed(first, second, time=time, retry_config=ONCE)
    for _ in range(len(script)):
        manager.complete(HELLO)

    first.script = ["hello"]
    time.pass_(121)

    assert [manager.complete(HELLO).provider for _ in range(3)] == ["first"] * 3


def test_nothing_of_one_manager_is_seen_by_another(time: Time) -> None:
    first, second = Says("first", AuthenticationError("wrong key"), "hello"), Says("second")

    assert managed(first, second, time=time).complete(HELLO).provider == "second"
    assert managed(first, second, time=time).complete(HELLO).provider == "first"


def test_what_is_no_request_is_refused(time: Time) -> None:
    first = Says("first")

    with pytest.raises(InvalidRequestError, match="request: must be an LLMRequest, got str"):
        managed(first, time=time).complete("Hello")  # type: ignore[arg-type]  # that is what is tried
    assert asked(first) == [0]


def test_a_message_that_is_empty_is_answered_by_an_empty_string_and_never_by_none(time: Time) -> None:
    response = managed(Says("first", LLMResponse(content="")), time=time).complete(
        LLMRequest(messages=[LLMMessage(role="user", content="")])
    )

    assert response.content == ""


def test_the_defaults_are_patient_but_not_for_ever() -> None:
    assert (PATIENT.max_retries, PATIENT.deadline, PATIENT.max_attempts) == (2, 300.0, 10)
    assert isinstance(LLMManager(providers=[Says("first")]), LLMManager)
