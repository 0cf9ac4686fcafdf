"""What a rule works with: a provider as its author makes it, and a server that answers it as the rule wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from ...errors import LLMError
from ...messages import LLMMessage
from ...provider import LLMProviderInterface, astream_chunks, stream_chunks
from ...request import LLMRequest
from ...response import LLMChunk, LLMResponse, merge_chunks
from ..faults.recorded import Request
from .declarations import Declarations
from .said import Said
from .serving import Answered, WireServer
from .verdicts import failure, good, not_applicable
from .wire import Wire

Ask = Callable[[], LLMResponse]

WHOLE = ("complete", "acomplete")
STREAMED = ("complete_stream", "acomplete_stream")
WAYS = (*WHOLE, *STREAMED)
CROSSED = ("complete", "acomplete_stream")
"""One of each kind, where the four ways have nothing more to tell: a rule takes a tenth of a second."""


class Bench:
    """One for each test."""

    def __init__(self, suite: Declarations, server: WireServer | None) -> None:
        self.suite = suite
        self._server = server
        self._made: list[LLMProviderInterface] = []
        if server is not None:
            self.say(Said())

    @property
    def wire(self) -> Wire:
        """The dialect. Skips a rule about the wire where there is none."""
        if self.suite.wire is None:
            not_applicable(self.suite.unwired or "declared: in_process = True, so there is no wire")
        return self.suite.wire

    @property
    def server(self) -> WireServer:
        """The server. Skips a rule about the wire where there is none."""
        _ = self.wire
        if self._server is None:
            not_applicable(self.suite.unwired)
        return self._server

    @property
    def base_url(self) -> str | None:
        """Where the provider is to ask."""
        return None if self._server is None else self._server.url

    @property
    def provider(self) -> LLMProviderInterface:
        """The provider of this test."""
        return self._made[0] if self._made else self.make()

    def make(self, api_key: str | None = None) -> LLMProviderInterface:
        """A new provider, which is closed when the test is over."""
        provider = self.suite.make_provider(self.suite.key if api_key is None else api_key, self.base_url)
        self._made.append(provider)
        return provider

    def close(self) -> None:
        """Close the providers."""
        for provider in self._made:
            provider.close()

    # What the server does.

    def say(self, said: Said, *, split: int | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Have the server give that answer, streamed or whole as it is asked. None of it is done inside the process."""
        if self._server is None:
            return
        wire = self.wire

        def script(request: Request) -> Answered:
            if wire.is_listing(request):
                return self.listing()
            if wire.wants_stream(request):
                events = (*wire.stream(said, request), wire.last_word or b"")
                return Answered(media_type=wire.stream_type, body=events, split=split, headers=headers or {})
            return Answered(media_type=wire.media_type, body=wire.answer(said, request), headers=headers or {})

        self._server.answer(script)

    def stream(
        self,
        change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]],
        said: Said | None = None,
        *,
        then: Literal["end", "reset", "hang_up", "silence"] = "end",
    ) -> None:
        """Have the server stream `said` with its events changed."""
        wire = self.wire

        def script(request: Request) -> Answered:
            events = (*wire.stream(said or Said(), request), wire.last_word or b"")
            return Answered(media_type=wire.stream_type, body=change(events), then=then)

        self.server.answer(script)

    def fail(self, status: int, message: str = "that went wrong", *, headers: Mapping[str, str] | None = None) -> None:
        """Have the server answer everything with that status, in the dialect's words."""
        wire = self.wire
        told = {**wire.error_headers(status), **(headers or {})}
        self.serve(Answered(status=status, media_type=wire.media_type, body=wire.error(status, message), headers=told))

    def serve(self, answered: Answered) -> None:
        """Have the server answer everything so."""
        self.server.answer(lambda _: answered)

    def listing(self) -> Answered:
        """The list of models, or what an endpoint about the key says."""
        return Answered(media_type="application/json", body=self.wire.models(["model-b", "model-a"]) or b"{}")

    @property
    def sent(self) -> Request:
        """The one request that has come since the last `forget`."""
        return self.server.requests[-1]

    # What the provider is asked.

    def may_ask(self) -> None:
        """Skip a rule that would ask somebody who is not to be asked."""
        if self._server is None and not self.suite.asks:
            not_applicable(f"{self.suite.unwired}, and the provider itself is not asked")

    def request(self, text: str = "Hi", **fields: Any) -> LLMRequest:
        """A request; with `messages` among the fields, these are asked instead of `text`."""
        fields = {"model": self.suite.model, **self.suite.request_fields(), **fields}
        messages = fields.pop("messages", None) or [LLMMessage(role="user", content=text)]
        return LLMRequest(messages=messages, **fields)

    def answers(
        self, request: LLMRequest | None = None, ways: tuple[str, ...] = WAYS
    ) -> Iterator[tuple[str, LLMResponse]]:
        """The answer in each way of asking, with the way's name."""
        for way in ways:
            yield way, good(way, self.asking(way, request))

    def failures(
        self, request: LLMRequest | None = None, ways: tuple[str, ...] = WAYS
    ) -> Iterator[tuple[str, LLMError]]:
        """The error in each way of asking, with the way's name."""
        for way in ways:
            yield way, failure(way, self.asking(way, request))

    def asking(self, way: str, request: LLMRequest | None = None, provider: LLMProviderInterface | None = None) -> Ask:
        """To ask in that way."""
        self.may_ask()
        provider, request = provider or self.provider, request or self.request()
        match way:
            case "complete":
                return lambda: provider.complete(request)
            case "acomplete":
                return lambda: asyncio.run(provider.acomplete(request))
            case "complete_stream":
                return lambda: merge_chunks(stream_chunks(provider, request)).to_response()
            case _:
                return lambda: asyncio.run(_streamed(provider, request))

    def chunks(self, request: LLMRequest | None = None) -> list[LLMChunk]:
        """The pieces of a streamed answer."""
        return good("complete_stream", lambda: list(stream_chunks(self.provider, request or self.request())))


async def _streamed(provider: LLMProviderInterface, request: LLMRequest) -> LLMResponse:
    return merge_chunks([chunk async for chunk in astream_chunks(provider, request)]).to_response()


@contextmanager
def bench_of(suite: Declarations) -> Iterator[Bench]:
    """The bench of one test."""
    if suite.wire is None:
        bench = Bench(suite, None)
        try:
            yield bench
        finally:
            bench.close()
        return
    with WireServer() as server:
        bench = Bench(suite, server)
        try:
            yield bench
        finally:
            bench.close()
