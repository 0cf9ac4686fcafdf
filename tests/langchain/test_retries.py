"""`max_retries`: LangChain's standard parameter, over failures that say of themselves that they may pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeostasis_llm import AuthenticationError, ChatHomeostasis, LLMChunk, LLMError, LLMRequest, RateLimitError
from homeostasis_llm.langchain.retries import FIRST_WAIT, LONGEST_WAIT, Retries

from .providers import Scripted, Streaming

BUSY = RateLimitError("slow down", retry_after=0.0)  # says to come back at once, so that no test waits


def test_without_it_a_provider_is_asked_once() -> None:
    provider = Scripted(BUSY, "hello")

    with pytest.raises(RateLimitError):
        ChatHomeostasis(provider=provider).invoke("hi")

    assert len(provider.asked) == 1


def test_it_is_how_often_a_call_is_repeated() -> None:
    provider = Scripted(BUSY, BUSY, "hello")

    assert ChatHomeostasis(provider=provider, max_retries=2).invoke("hi").text == "hello"
    assert len(provider.asked) == 3


def test_the_last_failure_is_told_when_it_is_used_up() -> None:
    provider = Scripted(BUSY)

    with pytest.raises(RateLimitError):
        ChatHomeostasis(provider=provider, max_retries=2).invoke("hi")

    assert len(provider.asked) == 3


async def test_it_holds_for_async_callers() -> None:
    provider = Scripted(BUSY, BUSY, "hello")

    assert (await ChatHomeostasis(provider=provider, max_retries=2).ainvoke("hi")).text == "hello"


def test_a_call_may_have_its_own() -> None:
    provider = Scripted(BUSY, "hello")

    with pytest.raises(RateLimitError):
        ChatHomeostasis(provider=provider, max_retries=5).invoke("hi", max_retries=0)

    assert len(provider.asked) == 1


def test_a_failure_that_will_not_pass_is_told_at_once() -> None:
    provider = Scripted(AuthenticationError("wrong key"), "hello")

    with pytest.raises(AuthenticationError):
        ChatHomeostasis(provider=provider, max_retries=5).invoke("hi")

    assert len(provider.asked) == 1


class Stumbling(Streaming):
    """Fails the first time it is asked to stream."""

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk | str]:
        self.pieces = (BUSY,) if not self.asked else ("hel", "lo")
        return super().complete_stream(request)


def test_a_stream_is_repeated_while_nothing_of_it_has_arrived() -> None:
    provider = Stumbling()

    pieces = ChatHomeostasis(provider=provider, max_retries=1).stream("hi")

    assert "".join(piece.text for piece in pieces) == "hello"
    assert len(provider.asked) == 2


async def test_an_async_stream_is_repeated_while_nothing_of_it_has_arrived() -> None:
    provider = Stumbling()

    pieces = [piece.text async for piece in ChatHomeostasis(provider=provider, max_retries=1).astream("hi")]

    assert "".join(pieces) == "hello"


def test_a_stream_that_has_begun_is_not_repeated() -> None:
    provider = Streaming(LLMChunk(text="he"), BUSY)

    with pytest.raises(RateLimitError):
        list(ChatHomeostasis(provider=provider, max_retries=5).stream("hi"))

    assert len(provider.asked) == 1


def test_the_wait_is_what_the_provider_asks_for() -> None:
    assert Retries(1).wait_after(RateLimitError("", retry_after=7.5)) == 7.5


def test_who_is_told_to_wait_long_is_told_so_instead() -> None:
    assert Retries(1).wait_after(RateLimitError("", retry_after=LONGEST_WAIT + 1)) is None


def test_where_nobody_says_the_waits_double_and_are_spread() -> None:
    lucky, unlucky = Retries(3, chance=lambda: 0.0), Retries(3, chance=lambda: 1.0)
    busy = LLMError("busy", retryable=True)

    assert [lucky.wait_after(busy) for _ in range(4)] == [FIRST_WAIT / 2, FIRST_WAIT, FIRST_WAIT * 2, None]
    assert [unlucky.wait_after(busy) for _ in range(4)] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4, None]
