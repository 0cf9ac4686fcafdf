"""What a provider's author writes, and what comes of it by itself."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keyring
import pytest
from pydantic import SecretStr

from homeostasis_llm import (
    InvalidRequestError,
    InvalidResponseError,
    LLMChunk,
    LLMError,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    RateLimitError,
    ToolCall,
    Usage,
    astream_chunks,
    stream_chunks,
)
from homeostasis_llm.provider import without_key
from homeostasis_llm.redaction import MASK, redact

from .copies import in_every_way, pickled
from .refusals import refusal

KEY = "made-up-key-of-a-provider"
ASKED = LLMRequest([LLMMessage("user", "two and two?")])
ANSWER = LLMResponse(
    "four",
    "myllm",
    "my-model-1",
    Usage(5, 1),
    {"finish_reason": "stop", "response_id": "r_1"},
    [ToolCall("add", {"a": 2}, "call_1")],
)


class FiveMembers(LLMProviderInterface):
    """The least a provider may be."""

    def __init__(self, api_key: str | SecretStr | None = None, **options: Any) -> None:
        super().__init__(api_key, **options)
        self.asked: list[LLMRequest] = []
        self.threads: list[int] = []

    base_url = "https://api.example.org"
    """An option, because the class declares it."""

    @property
    def name(self) -> str:
        return "myllm"

    @property
    def default_model(self) -> str:
        return "my-model"

    def complete(self, request: LLMRequest) -> LLMResponse:
        self.asked.append(request)
        self.threads.append(threading.get_ident())
        return ANSWER

    def validate_key(self, api_key: str) -> bool:
        return api_key == KEY

    def get_available_models(self) -> list[str]:
        return ["my-model"]


class InPieces(FiveMembers):
    """One that streams, in pieces of any kind, and tells when its stream was closed."""

    def __init__(self, *pieces: Any) -> None:
        super().__init__(KEY)
        self.pieces = pieces
        self.given = 0
        self.closed = threading.Event()

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk | str]:
        self.asked.append(request)
        try:
            for piece in self.pieces:
                self.given += 1
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed.set()


class InAsyncPieces(InPieces):
    """One that streams without a thread."""

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk | str]:
        for piece in self.complete_stream(request):
            await asyncio.sleep(0)
            yield piece


async def gather(provider: LLMProviderInterface) -> list[LLMChunk]:
    return [chunk async for chunk in astream_chunks(provider, ASKED)]


def in_a_loop(provider: LLMProviderInterface) -> list[LLMChunk]:
    return asyncio.run(gather(provider))


def at_once(provider: LLMProviderInterface) -> list[LLMChunk]:
    return list(stream_chunks(provider, ASKED))


sync_and_async = pytest.mark.parametrize("stream", [at_once, in_a_loop], ids=["sync", "async"])


# Five members make a whole provider.


@pytest.mark.parametrize("missing", ["name", "default_model", "complete", "validate_key", "get_available_models"])
def test_each_of_the_five_members_is_needed(missing: str) -> None:
    members = {name: vars(FiveMembers)[name] for name in vars(FiveMembers) if not name.startswith("_")}
    members.pop(missing)

    with pytest.raises(TypeError, match=missing):
        type("Unfinished", (LLMProviderInterface,), members)()


@sync_and_async
def test_one_that_cannot_stream_streams_in_one_piece(stream: Callable[[LLMProviderInterface], list[LLMChunk]]) -> None:
    provider = FiveMembers(KEY)

    [chunk] = stream(provider)

    assert chunk.to_response() == ANSWER
    assert provider.asked == [ASKED]


async def test_one_that_knows_no_async_answers_in_a_thread() -> None:
    provider = FiveMembers(KEY)

    assert await provider.acomplete(ASKED) is ANSWER
    assert provider.threads != [threading.get_ident()]


async def test_many_are_answered_at_once() -> None:
    together = threading.Barrier(3, timeout=30)

    class Waiting(FiveMembers):
        def complete(self, request: LLMRequest) -> LLMResponse:
            together.wait()
            return super().complete(request)

    provider = Waiting(KEY)

    assert await asyncio.gather(*(provider.acomplete(ASKED) for _ in range(3))) == [ANSWER] * 3


def test_it_is_a_chat_model_too() -> None:
    assert FiveMembers(KEY).as_chat_model().invoke("two and two?").text == "four"


def test_it_is_closed_by_the_block_it_was_opened_for() -> None:
    closed = []

    class Closing(FiveMembers):
        def close(self) -> None:
            closed.append(self)

    with Closing(KEY) as provider:
        assert closed == []
    assert closed == [provider]
    with pytest.raises(RateLimitError), Closing(KEY):
        raise RateLimitError("slower")
    assert len(closed) == 2


def test_closed_it_still_answers() -> None:
    provider = FiveMembers(KEY)

    provider.close()

    assert provider.complete(ASKED) is ANSWER


# Streams.


@sync_and_async
@pytest.mark.parametrize("kind", [InPieces, InAsyncPieces])
def test_a_text_is_a_piece(kind: type[InPieces], stream: Callable[[LLMProviderInterface], list[LLMChunk]]) -> None:
    provider = kind("fo", LLMChunk("u"), "", LLMChunk("r", provider="their-own-name"))

    chunks = stream(provider)

    assert chunks == [
        LLMChunk("fo", provider="myllm"),
        LLMChunk("u", provider="myllm"),
        LLMChunk("", provider="myllm"),
        LLMChunk("r", provider="their-own-name"),
    ]
    assert provider.closed.is_set()


@sync_and_async
@pytest.mark.parametrize("mistake", [None, 5, b"four", ["four"], ANSWER])
def test_what_is_no_piece_does_not_pass_for_one_or_for_the_end(
    mistake: object, stream: Callable[[LLMProviderInterface], list[LLMChunk]]
) -> None:
    provider = InPieces("fo", mistake, "ur")

    with pytest.raises(InvalidResponseError, match=r"test_provider:InPieces streamed .*, which is neither a str nor"):
        stream(provider)

    assert provider.closed.is_set()


@sync_and_async
@pytest.mark.parametrize("kind", [InPieces, InAsyncPieces])
def test_an_error_amid_a_stream_comes_as_it_was_raised(
    kind: type[InPieces], stream: Callable[[LLMProviderInterface], list[LLMChunk]]
) -> None:
    error = RateLimitError("slower", retry_after=7.0)

    with pytest.raises(RateLimitError) as caught:
        stream(kind("fo", error))

    assert caught.value is error


@sync_and_async
def test_a_list_of_pieces_is_a_stream(stream: Callable[[LLMProviderInterface], list[LLMChunk]]) -> None:
    class Listing(FiveMembers):
        def complete_stream(self, _: LLMRequest) -> Any:
            return ["fo", "ur"]

    assert [chunk.text for chunk in stream(Listing())] == ["fo", "ur"]


def test_nothing_is_asked_before_the_stream_is_read() -> None:
    provider = InPieces("fo", "ur")

    chunks = stream_chunks(provider, ASKED)
    assert provider.asked == []

    assert next(chunks).text == "fo"
    assert provider.given == 1


def test_a_stream_that_is_left_is_closed() -> None:
    provider = InPieces("fo", "ur")
    chunks = stream_chunks(provider, ASKED)
    next(chunks)

    chunks.close()  # type: ignore[attr-defined]  # a generator's

    assert provider.closed.is_set()
    assert provider.given == 1


def test_a_stream_that_is_forgotten_is_closed() -> None:
    provider = InPieces("fo", "ur")

    for _ in stream_chunks(provider, ASKED):
        break
    gc.collect()

    assert provider.closed.is_set()


@pytest.mark.parametrize("kind", [InPieces, InAsyncPieces])
async def test_an_async_stream_that_is_left_is_closed(kind: type[InPieces]) -> None:
    provider = kind("fo", "ur")
    chunks = astream_chunks(provider, ASKED)
    assert (await anext(chunks)).text == "fo"

    await chunks.aclose()  # type: ignore[attr-defined]  # a generator's

    if kind is InAsyncPieces:
        gc.collect()  # the plain generator inside is its author's to close
    assert provider.closed.is_set()
    assert provider.given == 1


class Stuck(FiveMembers):
    """One whose server says nothing for a long time."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.reached = threading.Event()
        self.released = threading.Event()
        self.closed = threading.Event()

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk | str]:
        self.asked.append(request)
        try:
            yield "fo"
            self.reached.set()
            self.released.wait(60)
            yield "ur"
        finally:
            self.closed.set()


async def test_an_async_stream_that_is_cancelled_amid_a_wait_is_closed_after_it() -> None:
    provider = Stuck()

    async def read() -> None:
        async for _ in astream_chunks(provider, ASKED):
            pass

    reading = asyncio.create_task(read())
    await asyncio.to_thread(provider.reached.wait, 60)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    provider.released.set()

    assert await asyncio.to_thread(provider.closed.wait, 60)


# Requests of the author's own.


@dataclass
class SearchRequest(LLMRequest):
    """A request of a provider that can search."""

    search: bool = False


@pytest.mark.parametrize("way", ["complete", "acomplete", "stream", "astream"])
def test_a_request_of_the_authors_own_arrives_itself(way: str) -> None:
    provider = FiveMembers(KEY)
    asked = SearchRequest([LLMMessage("user", "tea")], search=True)

    async def later() -> None:
        if way == "acomplete":
            await provider.acomplete(asked)
        else:
            assert [chunk async for chunk in astream_chunks(provider, asked)]

    if way == "complete":
        provider.complete(asked)
    elif way == "stream":
        assert list(stream_chunks(provider, asked))
    else:
        asyncio.run(later())

    assert provider.asked[0] is asked


# Options.


def test_an_option_that_the_class_declares_is_set() -> None:
    assert FiveMembers(KEY).base_url == "https://api.example.org"
    assert FiveMembers(KEY, base_url="https://gateway.example.org").base_url == "https://gateway.example.org"


@pytest.mark.parametrize(
    "option",
    ["base_ulr", "colour", "_api_key", "__class__", "name", "default_model", "complete", "close", "validate_key"],
)
def test_what_is_no_option_is_refused_by_name(option: str) -> None:
    said = refusal(lambda: FiveMembers(KEY, **{option: "x"}))

    assert said == f"FiveMembers: has no option {option!r}"


# Keys.


@pytest.mark.parametrize(
    ("given", "held"), [(KEY, KEY), (SecretStr(KEY), KEY), ("", ""), (None, ""), (SecretStr(""), "")]
)
def test_a_key_is_used_as_a_text(given: Any, held: str) -> None:
    provider = FiveMembers(given)

    assert provider.api_key == held
    assert type(provider.api_key) is str


def test_a_key_may_be_changed() -> None:
    provider = FiveMembers(KEY)

    provider.api_key = "made-up-key-of-another"

    assert provider.api_key == "made-up-key-of-another"
    assert redact("made-up-key-of-another") == MASK


@pytest.mark.parametrize(
    "key",
    ["made\nup", "made-up\r\n", "made\tup", "made up", "made\0up", "made’up", "made\u200bup", "\ufeffmade", "выдуман"],
)
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    said = refusal(lambda: FiveMembers(key))

    assert said.startswith("api_key: contains a line break, a space or another character that no key has")
    assert key not in said


def test_a_key_is_shown_nowhere() -> None:
    provider = FiveMembers(KEY)

    shown = repr(provider), str(provider), f"{provider!r}", repr(vars(provider)), str(provider.__getstate__())

    assert not [text for text in shown if KEY in text]
    assert repr(provider) == "FiveMembers(name='myllm', default_model='my-model')"


def test_a_key_that_was_given_is_removed_from_errors() -> None:
    FiveMembers("made-up-key-that-was-given")

    assert str(LLMError("wrong key: made-up-key-that-was-given")) == f"wrong key: {MASK}"


def test_a_refused_key_is_removed_from_errors_too() -> None:
    refusal(lambda: FiveMembers("made-up-key that-was-refused"))

    assert redact("made-up-key that-was-refused") == MASK


@in_every_way
def test_a_copy_is_a_provider_of_its_own(copied: Callable[[Any], Any]) -> None:
    provider = FiveMembers(KEY, base_url="https://gateway.example.org")

    twin = copied(provider)
    twin.base_url = "https://elsewhere.example.org"

    assert type(twin) is FiveMembers
    assert twin.complete(ASKED) == ANSWER
    assert provider.base_url == "https://gateway.example.org"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_in_the_same_process_keeps_the_key(copied: Callable[[Any], Any]) -> None:
    twin = copied(FiveMembers(KEY))

    assert twin.api_key == KEY
    assert copied(twin).api_key == KEY


def test_a_deep_copy_copies_what_the_provider_holds() -> None:
    provider = FiveMembers(KEY)

    twin = copy.deepcopy([provider, provider])

    assert twin[0] is twin[1]
    assert twin[0].asked is not provider.asked
    assert copy.copy(provider).asked is provider.asked


def test_a_pickle_has_no_key() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(FiveMembers(KEY), protocol)
        assert KEY.encode() not in data
        assert KEY.encode("utf-16-le") not in data


def test_a_pickled_provider_finds_its_key_again(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = pickled(FiveMembers(KEY))
    assert twin.api_key == ""

    monkeypatch.setenv("HOMEOSTASIS_MYLLM_API_KEY", "made-up-key-of-the-environment")
    assert twin.api_key == "made-up-key-of-the-environment"
    assert pickled(pickled(twin)).api_key == "made-up-key-of-the-environment"

    monkeypatch.delenv("HOMEOSTASIS_MYLLM_API_KEY")
    keyring.set_password("homeostasis-llm", "myllm", "made-up-key-of-the-keyring")
    assert twin.api_key == "made-up-key-of-the-keyring"


def test_a_key_found_again_is_removed_from_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = pickled(FiveMembers(KEY))
    monkeypatch.setenv("HOMEOSTASIS_MYLLM_API_KEY", "made-up-key-found-again")

    assert redact(twin.api_key) == MASK


@in_every_way
def test_one_that_had_no_key_looks_for_none(copied: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_MYLLM_API_KEY", "made-up-key-of-the-environment")

    assert FiveMembers("").api_key == ""
    assert copied(FiveMembers("")).api_key == ""


def test_a_new_key_counts_more_than_one_that_could_be_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_MYLLM_API_KEY", "made-up-key-of-the-environment")
    twin = pickled(FiveMembers(KEY))

    twin.api_key = KEY

    assert twin.api_key == KEY


def test_a_copy_may_be_made_without_the_key() -> None:
    provider = FiveMembers(KEY, base_url="https://gateway.example.org")

    twin = without_key(provider)

    assert KEY not in repr(vars(twin))
    assert twin.base_url == "https://gateway.example.org"
    assert provider.api_key == KEY


# As the extension guide shows it: a constructor of its own that never calls ours.


class Guided(LLMProviderInterface):
    """The guide's provider."""

    def __init__(self, api_key: str, base_url: str = "https://api.example.org/v1") -> None:
        self.api_key = api_key
        self.base_url = base_url

    @property
    def name(self) -> str:
        return "guided"

    @property
    def default_model(self) -> str:
        return "guided-model"

    def complete(self, request: LLMRequest) -> LLMResponse:
        if request.messages[0].content == "fail":
            raise LLMError(f"request with {self.api_key} failed")
        raw: Any = {"prompt_tokens": 5, "completion_tokens": 1}
        return LLMResponse(
            content="four",
            provider=self.name,
            model=request.model or self.default_model,
            usage=raw,
            metadata={"finish_reason": "stop", "response_id": "r_1"},
        )

    def complete_stream(self, request: LLMRequest) -> Iterator[str]:
        yield from self.complete(request).content

    def validate_key(self, api_key: str) -> bool:
        return api_key.startswith("ml-")

    def get_available_models(self) -> list[str]:
        return [self.default_model]


def test_the_guides_provider_answers_and_streams() -> None:
    provider = Guided(KEY)

    answer = provider.complete(ASKED)

    assert answer.usage is not None
    assert (answer.content, answer.model, answer.usage["total_tokens"]) == ("four", "guided-model", 6)
    assert [chunk.text for chunk in at_once(provider)] == ["f", "o", "u", "r"]
    assert [chunk.provider for chunk in in_a_loop(provider)] == ["guided"] * 4


def test_the_guides_provider_shows_its_key_nowhere() -> None:
    provider = Guided(KEY)

    assert provider.api_key == KEY
    assert KEY not in repr(provider) + repr(vars(provider))
    assert KEY.encode() not in pickle.dumps(provider)
    assert copy.deepcopy(provider).api_key == KEY
    with pytest.raises(LLMError) as caught:
        provider.complete(LLMRequest([LLMMessage("user", "fail")]))
    assert str(caught.value) == f"request with {MASK} failed"


def test_the_guides_provider_refuses_a_key_with_a_line_break_and_an_unknown_option() -> None:
    guided: Any = Guided

    with pytest.raises(InvalidRequestError, match="api_key"):
        Guided("two\nlines")
    with pytest.raises(TypeError, match="base_ulr"):
        guided(KEY, base_ulr="https://gateway.example.org")


def test_one_that_never_sets_a_key_has_none() -> None:
    class Keyless(Guided):
        def __init__(self) -> None:
            self.base_url = "http://127.0.0.1:1"

    assert Keyless().api_key == ""
    assert pickled_locally(Keyless()).api_key == ""


def pickled_locally(provider: Guided) -> Guided:
    """A copy by the way that pickle takes; pickle itself cannot name a class inside a function."""
    twin = type(provider).__new__(type(provider))
    vars(twin).update(provider.__getstate__())
    return twin
