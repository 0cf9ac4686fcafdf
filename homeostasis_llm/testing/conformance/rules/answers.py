"""How a whole answer and a streamed one are read."""

from __future__ import annotations

import pytest

from ....errors import InvalidResponseError, LLMConnectionError
from ....messages import ToolCall
from ....response import FinishReason
from ..bench import CROSSED, WAYS, WHOLE, Bench
from ..declarations import Declarations
from ..said import Said, says
from ..serving import Answered
from ..verdicts import require
from .requests import UNICODE, WEATHER

TEXTS = {
    "plain": "Hello there, all of you.",
    "unicode": UNICODE,
    "white_space": "\n\n  indented\n\ttext \n",
    "line_separators": "one\u2028two\x0bthree\x85four",
    "like_a_stream": "data: [DONE]\n\nevent: error\ndata: {}\n\n: no comment\r\n",
    "very_long": "All work and no play. " * 12_000,
}

CALLS: dict[str, tuple[ToolCall, ...]] = {
    "one": (
        ToolCall(
            name="get_weather", arguments={"city": "Zürich 🌍", "days": [1, 2], "deep": {"x": None}}, id="call00001"
        ),
    ),
    "parallel": (
        ToolCall(name="get_weather", arguments={"city": "Rome"}, id="call00001"),
        ToolCall(name="get_weather", arguments={"city": "Oslo"}, id="call00002"),
    ),
    "without_arguments": (ToolCall(name="get_weather", arguments={}, id="call00001"),),
}

UNREADABLE = {
    "web_page": Answered(media_type="text/html", body=b"<html><body><h1>Welcome</h1></body></html>"),
    "nothing": Answered(body=b""),
    "half": Answered(body=b'{"id": "x", "choices": [{"mess'),
    "something_else": Answered(body=b'["so", "what"]'),
}


class AnswerRules(Declarations):
    """Answers."""

    @pytest.mark.parametrize("text", TEXTS)
    def test_the_text_is_read_as_it_is(self, bench: Bench, text: str) -> None:
        bench.say(says(TEXTS[text]))
        _ = bench.wire
        ways = WAYS if text in {"plain", "unicode"} else CROSSED
        for way, answer in bench.answers(ways=ways):
            require(
                answer.content == TEXTS[text],
                f"{way} read another text than was sent ({text}): {_difference(answer.content, TEXTS[text])}. Decode "
                "bytes as UTF-8 once they are complete, and strip nothing.",
            )

    def test_several_parts_are_one_text(self, bench: Bench) -> None:
        self.needs_of_wire(bench.wire.has_parts, "answers with several parts")
        bench.say(Said(pieces=("One", " and two", " and three")))
        for way, answer in bench.answers(ways=CROSSED):
            require(
                answer.content == "One and two and three",
                f"{way} read {answer.content!r} of an answer in three parts: join all of them.",
            )

    def test_an_empty_answer_is_an_empty_text(self, bench: Bench) -> None:
        _ = bench.wire
        bench.say(Said(pieces=()))
        for way, answer in bench.answers(ways=CROSSED):
            require(
                answer.content == "",
                f"{way} read {answer.content!r} of an answer without text: content is '' then, which is no error.",
            )

    @pytest.mark.parametrize("calls", CALLS)
    def test_tool_calls_are_read(self, bench: Bench, calls: str) -> None:
        self.needs("supports_tools")
        said = Said(pieces=(), tool_calls=CALLS[calls], finish="tool_calls")
        self._calls_are_read(bench, said)

    def test_tool_calls_may_stand_beside_text(self, bench: Bench) -> None:
        self.needs("supports_tools")
        said = Said(tool_calls=CALLS["one"], finish="tool_calls")
        self._calls_are_read(bench, said)
        for way, answer in bench.answers():
            require(
                answer.content == said.text,
                f"{way} read {answer.content!r} beside a tool call: an answer may have both, a text and calls.",
            )

    def test_pieces_of_several_calls_may_come_in_turns(self, bench: Bench) -> None:
        self.needs("supports_tools")
        self.needs_of_wire(bench.wire.interleaves, "pieces of several calls in turns")
        said = Said(pieces=(), tool_calls=CALLS["parallel"], interleaved=True, finish="tool_calls")
        self._calls_are_read(bench, said)

    def _calls_are_read(self, bench: Bench, said: Said) -> None:
        ids = bench.wire.call_ids
        bench.say(said)
        for way, answer in bench.answers(bench.request(tools=[WEATHER])):
            read = [(call.name, call.arguments) for call in answer.tool_calls]
            wanted = [(call.name, call.arguments) for call in said.tool_calls]
            require(
                read == wanted,
                f"{way} read the calls {read} where {wanted} were sent: make a ToolCall of each (parse_tool_call reads "
                "arguments that are JSON text); in a stream, give the pieces of one call one index.",
            )
            told = [call.id for call in answer.tool_calls]
            require(
                not ids or told == [call.id for call in said.tool_calls],
                f"{way} read the calls' ids {told}: keep the provider's, which wants them back with the results.",
            )

    def test_usage_is_read(self, bench: Bench) -> None:
        self.needs("supports_usage")
        _ = bench.wire
        bench.say(Said(usage=(123, 45)))
        for way, answer in bench.answers(ways=WHOLE):
            usage = answer.usage
            require(
                usage is not None and (usage.input_tokens, usage.output_tokens) == (123, 45),
                f"{way} read the usage {usage} where 123 and 45 tokens were told: give LLMResponse the provider's own "
                "dict, which Usage.of reads, or make a Usage.",
            )

    def test_usage_that_is_not_told_is_unknown(self, bench: Bench) -> None:
        _ = bench.wire
        bench.say(Said(usage=None))
        for way, answer in bench.answers(ways=WHOLE):
            counts = answer.usage and (answer.usage.input_tokens, answer.usage.output_tokens)
            require(
                not counts or counts == (None, None),
                f"{way} read the usage {counts} where nothing was told: None is what is not known, 0 is a count.",
            )

    @pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
    def test_the_finish_reason_is_told(self, bench: Bench, finish: FinishReason) -> None:
        self.needs_of_wire(bench.wire.finishes.get(finish), f"word for {finish}")
        bench.say(Said(finish=finish))
        for way, answer in bench.answers(ways=CROSSED):
            require(
                answer.finish_reason == finish,
                f"{way} says that the answer ended by {answer.finish_reason!r} where the provider said "
                f"{bench.wire.finishes[finish]!r}: give LLMResponse the word in metadata['finish_reason'], or "
                "finish_reason_of(word) to LLMChunk.",
            )

    def test_a_call_for_tools_is_the_reason(self, bench: Bench) -> None:
        self.needs("supports_tools")
        self.needs_of_wire(bench.wire.finishes.get("tool_calls"), "word for tool_calls")
        bench.say(Said(pieces=(), tool_calls=CALLS["one"], finish="tool_calls"))
        for way, answer in bench.answers(bench.request(tools=[WEATHER]), ways=CROSSED):
            require(
                answer.finish_reason == "tool_calls",
                f"{way} says that an answer which calls tools ended by {answer.finish_reason!r}: say 'tool_calls'.",
            )

    def test_the_answers_own_id_is_told(self, bench: Bench) -> None:
        self.needs_of_wire(bench.wire.answer_ids, "ids of answers")
        bench.say(Said(id="answer-zorb"))
        for way, answer in bench.answers(ways=WHOLE):
            require(
                answer.metadata.get("response_id") == "answer-zorb",
                f"{way} did not tell the answer's id: put it into metadata['response_id'].",
            )

    def test_the_request_id_is_told(self, bench: Bench) -> None:
        header = bench.wire.request_id_header
        self.needs_of_wire(header, "header with a request's number")
        bench.say(Said(), headers={str(header): "req-zorb-1"})
        for way, answer in bench.answers(ways=CROSSED):
            require(
                answer.request_id == "req-zorb-1",
                f"{way} did not tell the request's number: put the header {header} into request_id; the provider's "
                "support asks for it.",
            )

    def test_the_model_that_answered_is_told(self, bench: Bench) -> None:
        self.needs_of_wire(bench.wire.names_model, "name of the model in its answers")
        bench.say(Said(model="zorb-model-2026"))
        for way, answer in bench.answers(ways=CROSSED):
            require(
                answer.model == "zorb-model-2026",
                f"{way} says that {answer.model!r} has answered: put the model's name from the answer into model; it "
                "is "
                "often more exact than the one that was asked for.",
            )

    @pytest.mark.parametrize("body", UNREADABLE)
    def test_an_answer_that_cannot_be_read_is_an_error(self, bench: Bench, body: str) -> None:
        bench.serve(UNREADABLE[body])
        for way, error in bench.failures(ways=CROSSED):
            require(
                isinstance(error, (InvalidResponseError, LLMConnectionError)),
                f"{way} raised {type(error).__name__} ({error}) for an answer that is none ({body}): raise "
                "InvalidResponseError.",
            )


def _difference(read: str, sent: str) -> str:
    place = next((index for index, (one, other) in enumerate(zip(read, sent, strict=False)) if one != other), None)
    place = min(len(read), len(sent)) if place is None else place
    around = slice(max(0, place - 10), place + 20)
    return f"from character {place} on {read[around]!r} where {sent[around]!r} stands"
