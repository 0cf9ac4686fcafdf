"""Turn the bytes of one stream into chunks: what sync and async have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..error_facts import request_id
from ..errors import InvalidResponseError, LLMConnectionError, LLMError
from ..provider import as_chunk
from ..request import LLMRequest
from ..response import LLMChunk, LLMResponse, merge_chunks
from .events import DONE, Decoder, ServerEvent
from .messages import HTTPAnswer, in_band_error

if TYPE_CHECKING:
    from .exchange import Arrived
    from .waits import Waits

T = TypeVar("T")

_LARGEST_ANSWER = 1 << 24
"""Bytes without any event that are kept: they may be a whole answer."""

EventReader = Callable[[ServerEvent], LLMChunk | str | None]
"""Reads one event; made anew for each stream."""


class Understanding(Protocol):
    """Who says whose the stream is, and puts a name to what goes wrong in reading it."""

    @property
    def name(self) -> str:
        """The provider's."""

    def understood(self, read: Callable[[], T], request: LLMRequest) -> T:
        """What `read` gives. Raises `LLMError`."""

    def read_error(self, answer: HTTPAnswer) -> LLMError | None:
        """The author's own reading of an error; None where it says nothing."""


class StreamReader:
    """The chunks of one stream."""

    def __init__(
        self,
        provider: Understanding,
        request: LLMRequest,
        arrived: Arrived,
        waits: Waits,
        *,
        decoder: Decoder,
        read: EventReader,
        read_whole: Callable[[HTTPAnswer], LLMResponse],
        says_its_end: bool,
    ) -> None:
        self._provider, self._request, self._arrived, self._waits = provider, request, arrived, waits
        self._decoder, self._read_event, self._read_whole = decoder, read, read_whole
        self._says_its_end = says_its_end
        self._chunks: list[LLMChunk] = []
        self._some_event = False
        self._before_any = bytearray()
        self.done = False
        """Whether the provider said that this was all."""

    def feed(self, piece: bytes) -> Iterator[LLMChunk]:
        """The chunks that `piece` completes."""
        if not self._some_event and len(self._before_any) < _LARGEST_ANSWER:
            self._before_any += piece
        yield from self._read(self._decoder.feed(piece))

    def end(self) -> Iterator[LLMChunk]:
        """The last chunks. Raises `LLMConnectionError` where the stream was cut."""
        if not self.done:
            yield from self._read(self._decoder.end())
        if self.done or any(chunk.finish_reason for chunk in self._chunks):
            return
        if not self._some_event and self._before_any.lstrip().startswith((b"{", b"[", b"<")):
            # Some answer a stream's request as if none had been asked for, and proxies with a page.
            yield self._signed(as_chunk(self._read_whole(self._arrived.with_body(bytes(self._before_any)))))
        elif not self._some_event or self._says_its_end:
            how = "before it was finished" if self._some_event else "without saying anything"
            raise self._broken(LLMConnectionError(f"{self._provider.name} closed the stream {how}"))

    def guarded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """`pieces`, whose errors then have what had come."""
        failure: LLMError
        try:
            yield from pieces
        except LLMError as error:
            failure = self._broken(error)
        else:
            return
        raise failure

    async def aguarded(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """`guarded` for async pieces."""
        failure: LLMError
        try:
            async for piece in pieces:
                yield piece
        except LLMError as error:
            failure = self._broken(error)
        else:
            return
        raise failure

    def _broken(self, error: LLMError) -> LLMError:
        """`error`, with whose it is and what had come so far."""
        error.provider, error.model = error.provider or self._provider.name, error.model or self._request.model
        error.request_id = error.request_id or request_id(self._arrived.headers)
        if any(chunk.text or chunk.reasoning or chunk.tool_calls for chunk in self._chunks):
            error.partial = merge_chunks(self._chunks).to_response()
        return error

    def _read(self, events: list[ServerEvent]) -> Iterator[LLMChunk]:
        for event in events:
            self._some_event = True
            if event.data.strip() == DONE:
                self.done = True
                return
            chunk = self._understood(event)
            if chunk is None:
                continue
            self._chunks.append(chunk)
            yield self._signed(chunk)

    def _signed(self, chunk: LLMChunk) -> LLMChunk:
        chunk.provider = chunk.provider or self._provider.name
        chunk.model = chunk.model or self._request.model
        chunk.latency = self._waits.seconds
        chunk.request_id = chunk.request_id or request_id(self._arrived.headers)
        return chunk

    def _understood(self, event: ServerEvent) -> LLMChunk | None:
        own = self._in_its_own_words(event) if event.event == "error" else None
        told = own or in_band_error(
            event.data,
            self._arrived.headers,
            provider=self._provider.name,
            model=self._request.model,
            certain=event.event == "error",
        )
        if told is not None:
            raise self._broken(told)
        failure: LLMError
        try:
            return as_chunk_of(self._provider.understood(lambda: self._read_event(event), self._request))
        except LLMError as error:
            failure = self._broken(error)
        raise failure

    def _in_its_own_words(self, event: ServerEvent) -> LLMError | None:
        answer = HTTPAnswer(self._arrived.status, self._arrived.headers, event.data.encode())
        try:
            return self._provider.understood(lambda: self._provider.read_error(answer), self._request)
        except InvalidResponseError:
            return None  # that it is an error is certain, also where it is told in another form


def as_chunk_of(read: object) -> LLMChunk | None:
    """What an author's `read_event` gave. Raises `InvalidResponseError`, naming it, for anything else."""
    if isinstance(read, str):
        return LLMChunk(text=read)
    if read is None or isinstance(read, LLMChunk):
        return read
    raise InvalidResponseError(f"read_event gave a {type(read).__name__}, which is neither LLMChunk, str nor None")
