"""What comes of a stream, however it is cut, ends or breaks."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from ....errors import InvalidResponseError, LLMConnectionError
from ....provider import astream_chunks, stream_chunks
from ..bench import STREAMED, Bench
from ..declarations import Declarations
from ..said import Said, says
from ..serving import Answered
from ..verdicts import broken, require
from .answers import CALLS
from .requests import UNICODE, WEATHER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ....response import LLMChunk

_PATIENCE = 5.0
"""Seconds until something is taken for not coming at all."""

LET_GO = 3.0
"""Seconds in which the end of a connection is noticed at the other side."""

_STORY = Said(pieces=("One", " two", " three", " four"))


class StreamRules(Declarations):
    """Streams."""

    def test_a_stream_comes_in_pieces(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        _ = bench.wire
        bench.say(_STORY)
        texts = [chunk.text for chunk in bench.chunks() if chunk.text]
        require(
            len(texts) > 1,
            f"A stream of four pieces came as {texts}: yield each piece when it arrives, or declare supports_streaming "
            "= False.",
        )

    def test_the_first_piece_comes_before_the_last_is_sent(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        _first_of(bench)

    def test_the_pieces_add_up_to_the_whole_answer(self, bench: Bench) -> None:
        bench.say(_STORY)
        if bench.suite.wire is None:
            (_, whole), (_, streamed) = bench.answers(
                bench.request(**_same_each_time()), ways=("complete", STREAMED[0])
            )
            require(
                whole.content == streamed.content,
                f"With temperature 0 complete says {whole.content!r} and complete_stream {streamed.content!r}: the "
                "pieces must add up to the answer.",
            )
            return
        for way, answer in bench.answers():
            require(answer.content == _STORY.text, f"{way} adds up to {answer.content!r}, not to {_STORY.text!r}.")

    def test_each_piece_holds_what_is_new(self, bench: Bench) -> None:
        _ = bench.wire
        bench.say(_STORY)
        text = "".join(chunk.text for chunk in bench.chunks())
        require(
            text == _STORY.text,
            f"The pieces of a stream add up to {text!r}, not to {_STORY.text!r}: each chunk holds the text that is "
            "new.",
        )

    @pytest.mark.parametrize("way", STREAMED)
    def test_a_stream_may_be_cut_at_every_byte(self, bench: Bench, way: str) -> None:
        self.needs("supports_streaming")
        _ = bench.wire
        bench.say(says(UNICODE), split=1)
        for _, answer in bench.answers(ways=(way,)):
            require(
                answer.content == UNICODE,
                f"{way} read {answer.content!r} of a stream that came byte by byte: collect bytes until an event is "
                "complete, and decode then; pieces of the network are no lines and no characters.",
            )

    def test_tool_calls_may_be_cut_at_every_byte(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        self.needs("supports_tools")
        _ = bench.wire
        bench.say(Said(pieces=(), tool_calls=CALLS["one"], finish="tool_calls"), split=1)
        for way, answer in bench.answers(bench.request(tools=[WEATHER]), ways=STREAMED):
            read = [call.arguments for call in answer.tool_calls]
            require(
                read == [CALLS["one"][0].arguments],
                f"{way} read the arguments {read} of a tool call that came byte by byte: join the pieces of its "
                "arguments, and read them as JSON at the end.",
            )

    def test_usage_comes_with_a_stream(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        self.needs("supports_usage")
        _ = bench.wire
        bench.say(Said(usage=(123, 45)))
        for way, answer in bench.answers(ways=STREAMED):
            usage = answer.usage
            require(
                usage is not None and (usage.input_tokens, usage.output_tokens) == (123, 45),
                f"{way} told the usage {usage} where 123 and 45 tokens were told at the end of the stream: ask for "
                "it if "
                "the provider wants to be asked, and give it to the last chunk.",
            )

    def test_comments_say_nothing(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        comment = bench.wire.comment
        self.needs_of_wire(comment, "comments")
        bench.stream(lambda events: tuple(piece for event in events for piece in (comment or b"", event)), _STORY)
        self._story_is_read(bench, "comments and keep-alives between its events", "skip lines that begin with a colon")

    def test_lines_may_end_with_crlf(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        self.needs_of_wire(bench.wire.is_text, "lines")
        bench.stream(lambda events: tuple(event.replace(b"\n", b"\r\n") for event in events), _STORY)
        self._story_is_read(bench, "lines that end with CRLF", "take \\r\\n, \\n and \\r for the end of a line")

    def test_the_last_word_may_be_missing(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        word = bench.wire.last_word
        self.needs_of_wire(word, "last word")
        bench.stream(lambda events: tuple(event for event in events if event != word), _STORY)
        self._story_is_read(bench, f"no {(word or b'').decode().strip()} at its end", "let a finish reason be enough")

    def _story_is_read(self, bench: Bench, what: str, advice: str) -> None:
        for way, answer in bench.answers(ways=STREAMED):
            require(answer.content == _STORY.text, f"{way} read {answer.content!r} of a stream with {what}: {advice}.")

    def test_a_stream_without_text_is_no_cut_one(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        _ = bench.wire
        bench.say(Said(pieces=()))
        for way, answer in bench.answers(ways=STREAMED):
            require(
                answer.content == "" and answer.finish_reason == "stop",
                f"{way} made {answer.content!r}, ended by {answer.finish_reason!r}, of a stream that has a good end "
                "and "
                "no text: that is an empty answer.",
            )

    def test_a_stream_without_anything_is_an_error(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        bench.serve(Answered(media_type=bench.wire.stream_type, body=(b"",)))
        for way, error in bench.failures(ways=STREAMED):
            require(
                isinstance(error, (LLMConnectionError, InvalidResponseError)),
                f"{way} raised {type(error).__name__} ({error}) for a stream of no bytes at all: raise "
                "LLMConnectionError.",
            )

    @pytest.mark.parametrize("then", ["reset", "hang_up", "end"])
    def test_a_stream_that_is_cut_is_an_error(self, bench: Bench, then: Literal["reset", "hang_up", "end"]) -> None:
        self.needs("supports_streaming")
        self.needs_of_wire(bench.wire.ends or then != "end", "end of a stream that could be missing")
        bench.stream(_beginning, _STORY, then=then)
        for way, error in bench.failures(ways=STREAMED):
            require(
                isinstance(error, LLMConnectionError),
                f"{way} raised {type(error).__name__} ({error}) for a stream that was cut ({then}): raise "
                "LLMConnectionError; a half answer must not pass for a whole one.",
            )

    def test_what_had_come_is_kept_when_a_stream_breaks(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        _ = bench.wire
        bench.stream(_beginning, _STORY, then="hang_up")
        for way, error in bench.failures(ways=STREAMED):
            came = "" if error.partial is None else error.partial.content
            require(
                came and _STORY.text.startswith(came),
                f"{way} failed amid a stream, and partial holds {came!r}: give the error what had come, as in "
                "partial=merge_chunks(chunks).to_response().",
            )

    def test_an_error_inside_a_stream_is_raised(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        told = bench.wire.error_event("the server has failed")
        self.needs_of_wire(told, "errors inside a stream")
        bench.stream(lambda events: (*_beginning(events), told or b""), _STORY)
        for way, error in bench.failures(ways=STREAMED):
            require(
                "the server has failed" in str(error),
                f"{way} raised {type(error).__name__} ({error}) for an error inside a stream, without the provider's "
                "words: read them, as error_from_answer(None, headers, event, provider=self.name) does.",
            )

    def test_an_abandoned_stream_closes_its_connection(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        _first_of(bench)
        _is_let_go(bench, "complete_stream")

    def test_an_abandoned_stream_of_an_event_loop_closes_its_connection(self, bench: Bench) -> None:
        self.needs("supports_streaming")
        bench.stream(_beginning, _STORY, then="silence")

        async def first() -> None:
            pieces = cast("AsyncGenerator[LLMChunk]", astream_chunks(bench.provider, bench.request()))
            async with asyncio.timeout(_PATIENCE), aclosing(pieces) as stream:
                async for chunk in stream:
                    if chunk.text:
                        return

        asyncio.run(first())
        _is_let_go(bench, "acomplete_stream")


def _beginning(events: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The events before the last two pieces of `_STORY`."""
    place = next(index for index, event in enumerate(events) if b" three" in event)
    return events[:place]


def _first_of(bench: Bench) -> None:
    """Take the first piece of a stream that goes no further, and let go of it."""
    bench.stream(_beginning, _STORY, then="silence")
    request = bench.request(timeout=_PATIENCE)
    try:
        with closing(cast("Generator[LLMChunk]", stream_chunks(bench.provider, request))) as stream:
            found = next(chunk.text for chunk in stream if chunk.text)
    except Exception as error:  # noqa: BLE001  # an author's code may raise anything
        broken(
            f"The first pieces of a stream had come, and complete_stream raised {type(error).__name__} ({error}) "
            "instead "
            "of yielding them: yield each piece when it arrives, and read no further than that."
        )
    require(_STORY.text.startswith(found), f"complete_stream began with {found!r}, not with {_STORY.pieces[0]!r}.")


def _is_let_go(bench: Bench, way: str) -> None:
    server = bench.server
    try:
        server.wait_until(lambda: server.open_connections == 0, timeout=LET_GO)
    except TimeoutError:
        broken(
            f"A stream of {way} that was closed before its end has left its connection open: close the answer in a "
            "`finally` or with `with`, or the provider goes on writing, and is paid for it."
        )


def _same_each_time() -> dict[str, Any]:
    return {"temperature": 0.0, "seed": 1}
