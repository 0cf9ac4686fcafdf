"""Streams that fail: before anything came they go on like calls; after that, as the caller wants it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from homeostasis_llm import (
    AllProvidersFailedError,
    InvalidRequestError,
    LLMChunk,
    LLMConnectionError,
    LLMError,
    LLMManager,
    LLMMessage,
    LLMRequest,
    LLMResponse,
    RateLimitError,
    ServerError,
    Usage,
)
from homeostasis_llm.config import Settings
from homeostasis_llm.manager.seam import INSTRUCTION
from homeostasis_llm.response import ToolCallFragment, merge_chunks
from tests.manager.scripted import HELLO, ONCE, Says, Time, asked, managed

BROKE = LLMConnectionError("the connection broke")
STORY = "Once upon a time there was a provider that never broke, and then it did."


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["sync", "async"])
async def pieces(request: pytest.FixtureRequest) -> Any:
    """A stream's pieces, as a caller with or without `await` has them; what was read before an error is on it."""

    async def without(manager: LLMManager, request: LLMRequest = HELLO, **options: Any) -> list[LLMChunk]:
        return list(manager.complete_stream(request, **options))

    async def with_await(manager: LLMManager, request: LLMRequest = HELLO, **options: Any) -> list[LLMChunk]:
        return [piece async for piece in manager.acomplete_stream(request, **options)]

    return without if request.param == "sync" else with_await


def text(chunks: list[LLMChunk]) -> str:
    return merge_chunks(chunks).text


def outcomes(attempts: list[Any]) -> list[tuple[str, str]]:
    return [(attempt.provider, attempt.outcome) for attempt in attempts]


async def test_a_stream_that_fails_before_anything_came_goes_on_with_the_next(time: Time, pieces: Any) -> None:
    first, second = Says("first", (ServerError("boom"),)), Says("second", ("hel", "lo"))

    chunks = await pieces(managed(first, second, time=time))

    assert text(chunks) == "hello"
    assert asked(first, second) == [3, 1]
    assert outcomes(chunks[-1].attempts) == [("first", "failed")] * 3 + [("second", "answered")]
    assert not any(chunk.restart for chunk in chunks)


async def test_pieces_without_content_are_no_beginning(time: Time, pieces: Any) -> None:
    first = Says("first", (LLMChunk(model="m", metadata={"id": 1}), LLMChunk(text=""), BROKE))
    second = Says("second", (LLMChunk(model="n"), "hello"))

    chunks = await pieces(managed(first, second, time=time, retry_config=ONCE))

    assert text(chunks) == "hello"
    assert {chunk.provider for chunk in chunks} == {"second"}
    assert merge_chunks(chunks).metadata == {}


async def test_a_break_is_raised_with_what_had_come_and_all_that_led_to_it(time: Time, pieces: Any) -> None:
    first, second = Says("first", ("Once ", "upon", BROKE)), Says("second", ("never",))
    manager = managed(Says("zeroth", (ServerError("boom"),)), first, second, time=time, retry_config=ONCE)

    with pytest.raises(LLMConnectionError) as caught:
        await pieces(manager)

    assert caught.value.partial is not None
    assert (caught.value.partial.content, caught.value.partial.provider) == ("Once upon", "first")
    assert outcomes(caught.value.attempts) == [("zeroth", "failed"), ("first", "broke")]
    assert asked(second) == [0]


async def test_the_next_goes_on_where_the_first_broke_off(time: Time, pieces: Any) -> None:
    first = Says("first", (STORY[:20], STORY[20:30], BROKE))
    second = Says("second", (STORY[12:40], STORY[40:]))

    chunks = await pieces(managed(first, second, time=time), on_break="continue")

    assert text(chunks) == STORY
    assert outcomes(chunks[-1].attempts) == [("first", "broke"), ("second", "answered")]
    assert chunks[-1].attempts[-1].why == "first broke off: connection"
    told = second.asked[0].messages
    assert [(message.role, message.text) for message in told] == [
        ("user", "Hello?"),
        ("assistant", STORY[:30]),
        ("user", INSTRUCTION),
    ]
    assert len(HELLO.messages) == 1


async def test_an_answer_may_break_more_than_once(time: Time, pieces: Any) -> None:
    first = Says("first", (STORY[:20], BROKE))
    second = Says("second", (STORY[:20], STORY[20:40], BROKE))
    third = Says("third", (STORY[25:50], STORY[50:]))

    chunks = await pieces(managed(first, second, third, time=time), on_break="continue")

    assert text(chunks) == STORY
    assert third.asked[0].messages[1].text == STORY[:40]
    assert len(third.asked[0].messages) == 3


@pytest.mark.parametrize("held", [STORY[5:16], STORY[:28], " "])
async def test_what_was_held_back_when_it_broke_is_not_lost_to_the_reader(time: Time, pieces: Any, held: str) -> None:
    first = Says("first", (STORY[:30], BROKE))
    second = Says("second", (held, BROKE))
    third = Says("third", (STORY[30:],))

    chunks = await pieces(managed(first, second, third, time=time), on_break="continue")

    assert text(chunks) == STORY
    assert third.asked[0].messages[1].text == STORY[:30]


async def test_who_goes_on_may_fail_before_a_word(time: Time, pieces: Any) -> None:
    first = Says("first", (STORY[:30], BROKE))
    second, third = Says("second", (ServerError("boom"),)), Says("third", (STORY[30:],))

    chunks = await pieces(managed(first, second, third, time=time, retry_config=ONCE), on_break="continue")

    assert text(chunks) == STORY
    assert outcomes(chunks[-1].attempts) == [("first", "broke"), ("second", "failed"), ("third", "answered")]


@pytest.mark.parametrize("on_break", ["continue", "restart"])
async def test_where_nobody_goes_on_the_error_has_the_beginning(
    time: Time, pieces: Any, on_break: Literal["continue", "restart"]
) -> None:
    first, second = Says("first", (STORY[:30], BROKE)), Says("second", (ServerError("boom"),))

    with pytest.raises(AllProvidersFailedError) as caught:
        await pieces(managed(first, second, time=time, retry_config=ONCE), on_break=on_break)

    assert caught.value.partial is not None
    assert caught.value.partial.content == STORY[:30]
    assert outcomes(caught.value.attempts) == [("first", "broke"), ("second", "failed")]
    assert set(caught.value.errors) == {"first", "second"}


async def test_a_restart_tells_the_reader_to_drop_what_it_has(time: Time, pieces: Any) -> None:
    first, second = Says("first", (STORY[:30], BROKE)), Says("second", ("Another ", "story."))

    chunks = await pieces(managed(first, second, time=time), on_break="restart")

    assert [chunk.restart for chunk in chunks].count(True) == 1
    assert [chunk.text for chunk in chunks if chunk.text or chunk.restart] == [STORY[:30], "", "Another ", "story."]
    assert text(chunks) == "Another story."
    assert second.asked[0] is HELLO


async def test_a_restart_is_not_told_before_somebody_has_begun(time: Time, pieces: Any) -> None:
    first = Says("first", (STORY[:30], BROKE))
    second, third = Says("second", (ServerError("boom"),)), Says("third", ("Another.",))

    chunks = await pieces(managed(first, second, third, time=time, retry_config=ONCE), on_break="restart")

    assert [chunk.restart for chunk in chunks].count(True) == 1
    assert text(chunks) == "Another."


async def test_an_answer_that_restarted_and_broke_has_the_newest_beginning_on_its_error(
    time: Time, pieces: Any
) -> None:
    first, second = Says("first", (STORY[:30], BROKE)), Says("second", ("Another", BROKE))

    with pytest.raises(LLMError) as caught:
        await pieces(managed(first, second, time=time, retry_config=ONCE), on_break="restart")

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Another"


async def test_half_a_tool_call_cannot_be_gone_on_with(time: Time, pieces: Any) -> None:
    begun = LLMChunk(tool_calls=[ToolCallFragment(id="c1", name="look", arguments='{"at": ')])
    first, second = Says("first", ("Let me see. ", begun, BROKE)), Says("second", ("never",))

    with pytest.raises(LLMConnectionError) as caught:
        await pieces(managed(first, second, time=time), on_break="continue")

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Let me see. "
    assert asked(second) == [0]


async def test_half_a_tool_call_can_be_begun_anew(time: Time, pieces: Any) -> None:
    begun = LLMChunk(tool_calls=[ToolCallFragment(id="c1", name="look", arguments='{"at": ')])
    whole = LLMChunk(tool_calls=[ToolCallFragment(id="c2", name="look", arguments='{"at": 1}')])

    chunks = await pieces(
        managed(Says("first", (begun, BROKE)), Says("second", (whole,)), time=time), on_break="restart"
    )

    assert [(call.id, call.arguments) for call in merge_chunks(chunks).to_response().tool_calls] == [("c2", {"at": 1})]


async def test_an_answer_of_a_form_cannot_be_gone_on_with(time: Time, pieces: Any) -> None:
    first, second = Says("first", ('{"a": ', BROKE)), Says("second", ("1}",))
    request = LLMRequest(messages=HELLO.messages, response_format="json")

    with pytest.raises(LLMConnectionError):
        await pieces(managed(first, second, time=time), request, on_break="continue")

    assert asked(second) == [0]


async def test_thoughts_alone_cannot_be_gone_on_with(time: Time, pieces: Any) -> None:
    first, second = Says("first", (LLMChunk(reasoning="Hm"), BROKE)), Says("second", ("never",))

    with pytest.raises(LLMConnectionError) as caught:
        await pieces(managed(first, second, time=time), on_break="continue")

    assert caught.value.partial is not None
    assert asked(second) == [0]


async def test_a_final_error_amid_a_stream_is_final(time: Time, pieces: Any) -> None:
    first, second = Says("first", (STORY[:30], InvalidRequestError("no"))), Says("second", ("never",))

    with pytest.raises(InvalidRequestError):
        await pieces(managed(first, second, time=time), on_break="continue")

    assert asked(second) == [0]


async def test_the_managers_own_wish_holds_where_a_stream_has_none(time: Time, pieces: Any) -> None:
    def manager() -> LLMManager:
        first, second = Says("first", (STORY[:30], BROKE)), Says("second", (STORY[30:],))
        return managed(first, second, time=time, on_break="continue")

    assert text(await pieces(manager())) == STORY
    with pytest.raises(LLMConnectionError):
        await pieces(manager(), on_break="raise")
    with pytest.raises(InvalidRequestError, match="on_break: must be one of raise, continue, restart, got 'ignore'"):
        await pieces(manager(), on_break="ignore")


async def test_a_break_counts_against_whoever_broke(time: Time, pieces: Any) -> None:
    first, second = Says("first", ("Once", BROKE)), Says("second", (" upon",))
    manager = managed(first, second, time=time, on_break="continue")

    for _ in range(5):
        await pieces(manager)

    assert manager.get_provider_health_metrics()["first"]["state"] == "open"
    assert manager.get_provider_health_metrics()["second"]["state"] == "closed"


async def test_the_last_piece_says_who_answered_and_all_pieces_make_the_answer(time: Time, pieces: Any) -> None:
    last = LLMChunk(text="lo", usage=Usage(input_tokens=3, output_tokens=2), finish_reason="stop")

    chunks = await pieces(managed(Says("first", ("hel", last)), time=time))
    answer = merge_chunks(chunks).to_response()

    assert (answer.content, answer.provider, answer.model, answer.finish_reason) == (
        "hello",
        "first",
        "first-1",
        "stop",
    )
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5
    assert outcomes(answer.attempts) == [("first", "answered")]
    assert chunks[-1].attempts == answer.attempts


async def test_an_empty_stream_is_an_empty_answer(time: Time, pieces: Any) -> None:
    chunks = await pieces(managed(Says("first", ()), time=time))

    assert merge_chunks(chunks).to_response().content == ""
    assert outcomes(chunks[-1].attempts) == [("first", "answered")]


async def test_every_stream_is_closed_in_the_end(time: Time, pieces: Any) -> None:
    first, second = Says("first", (STORY[:30], BROKE)), Says("second", (STORY[30:],))

    await pieces(managed(first, second, time=time), on_break="continue")

    assert (first.closed, second.closed) == (1, 1)


def test_an_abandoned_stream_is_closed_and_counts_for_nothing(time: Time) -> None:
    first = Says("first", ("a", "b", "c"))
    manager = managed(first, time=time)

    stream = manager.complete_stream(HELLO)
    assert next(stream).text == "a"
    stream.close()  # type: ignore[attr-defined]  # a generator, in all but the name

    assert first.closed == 1
    assert manager.get_provider_health_metrics().get("first", {}).get("success_rate") is None


async def test_an_abandoned_async_stream_is_closed_and_counts_for_nothing(time: Time) -> None:
    first = Says("first", ("a", "b", "c"))
    manager = managed(first, time=time)

    stream = manager.acomplete_stream(HELLO)
    assert (await anext(stream)).text == "a"
    await stream.aclose()  # type: ignore[attr-defined]  # a generator, in all but the name

    assert first.closed == 1
    assert manager.get_provider_health_metrics().get("first", {}).get("success_rate") is None


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_an_abandoned_stream_gives_back_its_place(time: Time, way: str) -> None:
    settings = Settings.model_validate({"providers": {"first": {"max_concurrent": 1}}})
    manager = managed(Says("first", ("a", "b", "c")), time=time, settings=settings)
    slots = manager._parts(settings).gate._slots

    if way == "sync":
        stream: Any = manager.complete_stream(HELLO)
        next(stream)
        assert slots["first"].taken == 1
        stream.close()
    else:
        stream = manager.acomplete_stream(HELLO)
        await anext(stream)
        assert slots["first"].taken == 1
        await stream.aclose()

    assert slots["first"].taken == 0


def test_nobody_is_asked_before_the_first_piece_is_wanted(time: Time) -> None:
    first = Says("first", ("a",))

    stream = managed(first, time=time).complete_stream(HELLO)

    assert asked(first) == [0]
    assert next(stream).text == "a"
    assert sum(1 for _ in stream) == 1


async def test_a_rate_limit_before_the_first_piece_is_waited_for(time: Time, pieces: Any) -> None:
    first = Says("first", (RateLimitError("slow down", retry_after=4.0),), ("hello",))

    assert text(await pieces(managed(first, time=time))) == "hello"
    assert time.waits == [4.0]


async def test_a_provider_that_cannot_stream_comes_in_one_piece(time: Time, pieces: Any) -> None:
    class Whole(Says):
        def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk | str]:
            return super(Says, self).complete_stream(request)

    chunks = await pieces(managed(Whole("first", LLMResponse(content="hello")), time=time))

    assert merge_chunks(chunks).to_response().content == "hello"


@hypothesis_settings(max_examples=150)
@given(
    # What is too short to tell whether it repeats is not passed on; whoever comes next would have to write it again.
    cuts=st.lists(st.integers(1, len(STORY) - 1), min_size=1, max_size=3, unique=True)
    .map(sorted)
    .filter(lambda cuts: all(after - before >= 12 for before, after in pairwise(cuts))),
    again=st.lists(st.integers(13, 200), min_size=3, max_size=3),
    size=st.integers(1, 30),
)
def test_an_answer_of_several_hands_reads_as_one(cuts: list[int], again: list[int], size: int) -> None:
    """Each goes on where it broke, or says up to the whole beginning again, in pieces of any size."""
    starts = [0, *cuts]
    ends = [*cuts, len(STORY)]
    providers = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        repeated = again[number - 1] if number and start >= 13 else 0
        said = STORY[max(0, start - repeated) : end]
        script = tuple(said[at : at + size] for at in range(0, len(said), size))
        providers.append(Says(f"p{number}", (*script, *([] if end == len(STORY) else [BROKE]))))

    chunks = list(managed(*providers, time=Time()).complete_stream(HELLO, on_break="continue"))

    assert text(chunks) == STORY


async def test_a_caller_that_reads_reads_what_the_last_piece_adds_up_to(time: Time, pieces: Any) -> None:
    message = LLMMessage(role="user", content="Tell me.")
    first = Says("first", (LLMChunk(reasoning="Hm. "), "Well", ", yes"))

    chunks = await pieces(managed(first, time=time), LLMRequest(messages=[message]))

    assert "".join(chunk.reasoning for chunk in chunks) == "Hm. "
    assert "".join(chunk.text for chunk in chunks) == "Well, yes"
