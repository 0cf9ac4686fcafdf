"""Every fault, in every way of asking, at the first provider and at both: over sockets, through real clients.

What follows is read off the table of `rules.py`; the faults and what they are understood as stand here. The first
provider speaks OpenAI's dialect, the second Anthropic's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from homeostasis_llm import (
    AllProvidersFailedError,
    AuthenticationError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMError,
    LLMManager,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderFactory,
    QuotaExceededError,
    RateLimitError,
    RetryConfig,
    ServerError,
    Timeout,
)
from homeostasis_llm.attempts import Attempt
from homeostasis_llm.manager.rules import Action, rule_for
from homeostasis_llm.response import merge_chunks
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import (
    Step,
    answer,
    drip,
    early_end,
    empty,
    error,
    error_event,
    gzipped,
    hang_up,
    html,
    huge,
    mistyped,
    redirect,
    reset,
    silence,
    split,
    truncated,
)

KEY = "sk-test-not-a-real-key-0123456789"
TEXT = "Grüße, one two three."
GOOD = answer(chunks=["Grüße,", " one", " two", " three."])
RETRIES = RetryConfig(max_retries=1, base_delay=0, max_delay=1, deadline=60)
SHORT = Timeout(first_byte=0.4, between_chunks=0.4)


class Fault(NamedTuple):
    """What a server does, and what that is understood as."""

    name: str
    step: Step
    whole: type[LLMError] | None
    """For calls; None for an answer."""
    streamed: type[LLMError] | None
    broke: bool = False
    """Whether a stream has begun before."""
    fits: bool = True
    """Whether a wait that the provider names is no longer than one may be."""
    silent: bool = False


def same(name: str, step: Step, kind: type[LLMError] | None, **more: Any) -> Fault:
    return Fault(name, step, kind, kind, **more)


FAULTS = [
    same("400", error(400), InvalidRequestError),
    same("400, too long", error(400, reason="context_length"), ContextLengthError),
    same("400, refused", error(400, reason="content_filter"), ContentRefusedError),
    same("401", error(401), AuthenticationError),
    same("402", error(402), QuotaExceededError),
    same("403", error(403), PermissionDeniedError),
    same("404", error(404), ModelNotFoundError),
    same("408", error(408), LLMTimeoutError),
    same("409", error(409), InvalidRequestError),
    same("413", error(413), InvalidRequestError),
    same("422", error(422), InvalidRequestError),
    same("429", error(429), RateLimitError),
    same("429, no money", error(429, reason="insufficient_quota"), QuotaExceededError),
    same("429, soon", error(429, retry_after=0.02, retry_form="milliseconds"), RateLimitError),
    same("429, in a minute", error(429, retry_after=60), RateLimitError, fits=False),
    same("429, at a time", error(429, retry_after=90, retry_form="date"), RateLimitError, fits=False),
    # Headers that tell of limits are on good answers too, and each of several limits has its own: they ask for no wait.
    same("429, limits told", error(429, retry_after=70, retry_form="ratelimit_reset"), RateLimitError),
    same("500", error(500), ServerError),
    same("502", error(502), ServerError),
    same("503", error(503), OverloadedError),
    same("503, in a minute", error(503, retry_after=60), OverloadedError, fits=False),
    same("504", error(504), LLMTimeoutError),
    same("529", error(529), OverloadedError),
    same("reset", reset(), LLMConnectionError),
    same("reset after headers", reset("after_headers"), LLMConnectionError),
    same("reset before text", reset(after_chunks=0, of=GOOD), LLMConnectionError),
    Fault("reset between", reset(after_chunks=1, of=GOOD), LLMConnectionError, LLMConnectionError, broke=True),
    Fault(
        "reset mid chunk",
        reset("mid_chunk", after_chunks=2, of=GOOD),
        LLMConnectionError,
        LLMConnectionError,
        broke=True,
    ),
    Fault(
        "reset mid character",
        reset("mid_character", after_chunks=1),
        LLMConnectionError,
        LLMConnectionError,
        broke=True,
    ),
    same("hang up", hang_up(), LLMConnectionError),
    same("hang up after headers", hang_up("after_headers"), LLMConnectionError),
    Fault("hang up between", hang_up(after_chunks=1, of=GOOD), LLMConnectionError, LLMConnectionError, broke=True),
    Fault("no end, no text", early_end(0, of=GOOD), InvalidResponseError, LLMConnectionError),
    Fault("no end", early_end(1, of=GOOD), InvalidResponseError, LLMConnectionError, broke=True),
    same("half an object at once", truncated(0, of=GOOD), InvalidResponseError),
    Fault("half an object", truncated(1, of=GOOD), InvalidResponseError, InvalidResponseError, broke=True),
    same("error event at once", error_event(500, 0, of=GOOD), ServerError),
    same("overloaded event at once", error_event(529, 0, of=GOOD), ServerError),
    Fault("error event", error_event(500, 1, of=GOOD), ServerError, ServerError, broke=True),
    same("silence", silence(), LLMTimeoutError, silent=True),
    same("silence after headers", silence("after_headers"), LLMTimeoutError, silent=True),
    Fault("stall", silence(after_chunks=1, of=GOOD), LLMTimeoutError, LLMTimeoutError, broke=True, silent=True),
    same("page, 502", html(502), ServerError),
    same("page, 200", html(200), InvalidResponseError),
    same("nothing, 200", empty(200), InvalidResponseError),
    same("nothing, 502", empty(502), ServerError),
    same("redirect", redirect("http://127.0.0.1:9"), InvalidRequestError),
    same("byte by byte", split(1, of=GOOD), None),
    same("slow drip", drip(40_000, of=GOOD), None),
    same("gzip", gzipped(of=GOOD), None),
    same("wrong type", mistyped(of=GOOD), None),
]
"""Nothing here is an exception to the table; what is understood as what is each client's own test."""

WAYS = ["complete", "stream", "acomplete", "astream"]


class Servers(NamedTuple):
    """Two of them, and providers that know no other."""

    first: FaultServer
    second: FaultServer
    made: list[LLMProviderInterface]

    def providers(self, *, hurry: Sequence[int] = ()) -> tuple[LLMProviderInterface, LLMProviderInterface]:
        """`hurry` numbers those that are not waited for."""
        first, second = (SHORT if number in hurry else None for number in (1, 2))
        pair = (
            ProviderFactory.create_provider("openai", KEY, base_url=self.first.url, timeout=first),
            # What is too long for the first is not for this one.
            ProviderFactory.create_provider(
                "anthropic", KEY, base_url=self.second.url, timeout=second, default_model="claude-opus-4-6"
            ),
        )
        self.made.extend(pair)
        return pair


@pytest.fixture(scope="module")
def started() -> Iterator[Servers]:
    with FaultServer() as first, FaultServer() as second:
        yield Servers(first, second, [])


@pytest.fixture
def servers(started: Servers) -> Iterator[Servers]:
    """Good ones until told otherwise. In the end nobody is connected any more."""
    pair = started.first, started.second
    for server in pair:
        server.always(GOOD)
    yield started
    while started.made:
        started.made.pop().close()
    for server in pair:
        server.wait_until(lambda server=server: server.open_connections == 0)  # type: ignore[misc]  # bound as it is now


class Heard(NamedTuple):
    """What a caller got."""

    text: str
    failure: LLMError | None
    attempts: list[Attempt]


def ask(manager: LLMManager, way: str, request: LLMRequest, **options: Any) -> Heard:
    async def pieces() -> list[Any]:
        return [piece async for piece in manager.acomplete_stream(request, **options)]

    async def whole() -> Any:
        return await manager.acomplete(request)

    try:
        if way == "complete":
            answered: Any = manager.complete(request)
        elif way == "acomplete":
            answered = asyncio.run(whole())
        else:
            told = list(manager.complete_stream(request, **options)) if way == "stream" else asyncio.run(pieces())
            answered = merge_chunks(told).to_response()
    except LLMError as failure:
        return Heard("", failure, failure.attempts)
    return Heard(answered.content, None, answered.attempts)


def question() -> LLMRequest:
    return LLMRequest(messages=[LLMMessage(role="user", content="Hi")])


def expected(kind: type[LLMError] | None, *, broke: bool, fits: bool, both: bool) -> tuple[int, int]:
    """How often each is asked, as the table has it."""
    if kind is None or broke:
        return 1, 0
    action = rule_for(kind("x")).action
    if action is Action.FINAL:
        return 1, 0
    if action is Action.RETRY and fits:
        return 2, 2 if both else 1
    if action is Action.FAIL_OVER and both:
        return 2, 2  # nobody else is left
    return 1, 1


@pytest.mark.parametrize("both", [False, True], ids=["first", "both"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_ends_as_the_table_says(servers: Servers, fault: Fault, way: str, both: bool) -> None:
    streamed = way in {"stream", "astream"}
    kind, broke = (fault.streamed, fault.broke) if streamed else (fault.whole, False)
    servers.first.always(fault.step)
    if both:
        servers.second.always(fault.step)
    before = servers.first.count, servers.second.count
    hurry = ((1, 2) if both else (1,)) if fault.silent else ()
    first, second = servers.providers(hurry=hurry)

    heard = ask(LLMManager(providers=[first, second], retry_config=RETRIES), way, question())

    counts = servers.first.count - before[0], servers.second.count - before[1]
    first_asked, second_asked = expected(kind, broke=broke, fits=fault.fits, both=both)
    assert counts == (first_asked, second_asked)
    assert sum(attempt.outcome in {"answered", "failed", "broke"} for attempt in heard.attempts) == sum(counts)
    final = kind is not None and rule_for(kind("x")).action is Action.FINAL
    if kind is None or (not final and not broke and not both):
        assert (heard.failure, heard.text) == (None, TEXT)
        assert heard.attempts[-1].provider == ("openai" if kind is None else "anthropic")
    elif final or broke:
        assert type(heard.failure) is kind
        assert heard.failure.provider == "openai"
    else:
        # One that is too long for whoever is asked is told as such.
        assert isinstance(heard.failure, (AllProvidersFailedError, ContextLengthError))
        if isinstance(heard.failure, AllProvidersFailedError):
            errors = heard.failure.errors
            assert type(errors["openai"]) is kind
            # The same fault may have another name in the other dialect, but no other meaning.
            assert rule_for(errors["anthropic"]).action is rule_for(errors["openai"]).action
    if broke:
        assert heard.failure is not None
        assert heard.failure.partial is not None
        assert heard.failure.partial.content.startswith("Grüße")
        assert [attempt.outcome for attempt in heard.attempts] == ["broke"]


# ------------------------------------------------------------------------------------------------- over the wire


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize(
    "break_",
    [reset, hang_up, lambda **how: early_end(how["after_chunks"], of=how["of"])],
    ids=["reset", "end", "early"],
)
def test_the_second_goes_on_where_the_first_broke_off(servers: Servers, way: str, break_: Callable[..., Step]) -> None:
    servers.first.always(break_(after_chunks=2, of=GOOD))
    servers.second.always(answer(chunks=[" two", " three."]))
    first, second = servers.providers()

    heard = ask(LLMManager(providers=[first, second], retry_config=RETRIES), way, question(), on_break="continue")

    assert (heard.failure, heard.text) == (None, TEXT)
    assert [attempt.outcome for attempt in heard.attempts] == ["broke", "answered"]
    assert [message["role"] for message in servers.second.requests[-1].json["messages"]] == [
        "user",
        "assistant",
        "user",
    ]


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_the_second_begins_anew_where_that_is_wanted(servers: Servers, way: str) -> None:
    servers.first.always(reset(after_chunks=2, of=GOOD))
    first, second = servers.providers()

    heard = ask(LLMManager(providers=[first, second], retry_config=RETRIES), way, question(), on_break="restart")

    assert (heard.failure, heard.text) == (None, TEXT)


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_stream_that_stalls_is_broken_and_gone_on_with(servers: Servers, way: str) -> None:
    servers.first.always(silence(after_chunks=2, of=GOOD))
    servers.second.always(answer(chunks=[" two", " three."]))
    first, second = servers.providers(hurry=[1])

    heard = ask(LLMManager(providers=[first, second], retry_config=RETRIES), way, question(), on_break="continue")

    assert heard.text == TEXT
    assert heard.attempts[0].error == "timeout"
    servers.first.wait_until(lambda: servers.first.concurrency == 0)
    assert servers.first.requests[-1].abandoned


def test_an_abandoned_stream_hangs_up(servers: Servers) -> None:
    servers.first.always(answer(chunks=["word "] * 500, between=0.05))
    first, second = servers.providers()
    stream = LLMManager(providers=[first, second]).complete_stream(question())

    assert next(stream).text
    stream.close()  # type: ignore[attr-defined]  # a generator, in all but the name

    servers.first.wait_until(lambda: servers.first.concurrency == 0)
    assert servers.first.requests[-1].abandoned


async def test_an_abandoned_async_stream_hangs_up(servers: Servers) -> None:
    servers.first.always(answer(chunks=["word "] * 500, between=0.05))
    first, second = servers.providers()
    stream = LLMManager(providers=[first, second]).acomplete_stream(question())

    assert (await anext(stream)).text
    await stream.aclose()  # type: ignore[attr-defined]  # a generator, in all but the name

    await asyncio.to_thread(servers.first.wait_until, lambda: servers.first.concurrency == 0)
    assert servers.first.requests[-1].abandoned


@pytest.mark.parametrize("way", ["acomplete", "astream"])
async def test_a_task_that_is_cancelled_hangs_up_and_asks_nobody_else(servers: Servers, way: str) -> None:
    servers.first.always(silence())
    first, second = servers.providers()
    manager = LLMManager(providers=[first, second])
    before = servers.first.count, servers.second.count

    async def work() -> None:
        if way == "acomplete":
            await manager.acomplete(question())
        else:
            async for _ in manager.acomplete_stream(question()):
                pass

    task = asyncio.create_task(work())
    await asyncio.to_thread(servers.first.wait_until, lambda: servers.first.count > before[0], timeout=30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.to_thread(servers.first.wait_until, lambda: servers.first.concurrency == 0)
    assert (servers.first.count, servers.second.count) == (before[0] + 1, before[1])
    assert manager.get_provider_health_metrics().get("openai", {}).get("success_rate") is None


@pytest.mark.parametrize("way", WAYS)
def test_the_key_does_not_follow_a_redirect(servers: Servers, way: str) -> None:
    with FaultServer() as thief:
        servers.first.always(redirect(thief.url))
        first, second = servers.providers()

        heard = ask(LLMManager(providers=[first, second], retry_config=RETRIES), way, question())

        assert thief.connections == 0
    assert heard.failure is None or KEY not in str(heard.failure)


@pytest.mark.parametrize("way", WAYS)
def test_no_key_is_in_any_error(servers: Servers, way: str) -> None:
    servers.first.always(error(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}))
    servers.second.always(error(500, f"<p>{KEY}</p>"))
    first, second = servers.providers()

    heard = ask(LLMManager(providers=[first, second], retry_config=RETRIES), way, question())

    assert heard.failure is not None
    assert KEY not in repr(heard.failure) + str(heard.failure) + str(heard.attempts)


@pytest.mark.parametrize("way", ["complete", "acomplete"])
def test_a_body_that_drips_is_not_read_beyond_the_deadline(servers: Servers, way: str) -> None:
    servers.first.always(drip(100, of=GOOD))  # some ten seconds
    first, _ = servers.providers()
    ask(LLMManager(providers=[servers.providers()[1]]), way, question())  # litellm is imported

    heard = ask(LLMManager(providers=[first], retry_config=RetryConfig(deadline=1.0)), way, question())

    assert isinstance(heard.failure, LLMTimeoutError)
    assert sum(attempt.seconds for attempt in heard.attempts) < 4


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_of_many_megabytes_ends(servers: Servers, way: str) -> None:
    servers.first.always(huge(20_000_000))
    first, second = servers.providers()

    heard = ask(LLMManager(providers=[first, second], retry_config=RETRIES), way, question())

    assert heard.failure is None or isinstance(heard.failure, InvalidResponseError)


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_is_gone_costs_one_failed_connection_a_try(servers: Servers, way: str) -> None:
    servers.first.stop_listening()
    before = servers.second.count
    first, second = servers.providers()
    try:
        heard = ask(LLMManager(providers=[first, second], retry_config=RETRIES), way, question())
    finally:
        servers.first.start_listening()

    assert heard.text == TEXT
    assert [(attempt.provider, attempt.error) for attempt in heard.attempts] == [
        ("openai", "connection"),
        ("openai", "connection"),
        ("anthropic", None),
    ]
    assert servers.second.count == before + 1
