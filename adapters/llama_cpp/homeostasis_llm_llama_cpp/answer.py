"""Answer one request: choose between text and a tool, ask the model, hand on what it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from homeostasis_llm import InvalidRequestError, LLMChunk, LLMRequest, Tool, ToolCall, ToolCallFragment, Usage

from . import asking, tools
from .asking import Body, message
from .calls import Call
from .engine import Engine
from .form import Form, grammar, schema_of
from .hearing import error_in, piece_of, says_something
from .native import Chunk, RefusedError


class Answer:
    """The answer of `engine` to `request`, for whoever waits at `call`."""

    def __init__(self, request: LLMRequest, engine: Engine, call: Call, *, signed: LLMChunk, start: float) -> None:
        """`signed` says whose the pieces are; `start` is a reading of `time.monotonic`."""
        self._request, self._engine, self._call = request, engine, call
        self._signed, self._start = signed, start
        self._spent: Usage | None = None

    def give(self) -> None:
        """Raises `LLMError`."""
        if self._engine.knows_tools:
            self._with_the_template()
        elif (tool := self._chosen()) is not None:
            self._call_tool(tool)
        else:
            self._say()

    def _with_the_template(self) -> None:
        """Ask a model whose template has a place for tools, and which may think before it answers."""
        body, schema = asking.with_tools(self._request), schema_of(self._request)
        if schema is not None:
            # A grammar of ours would forbid the thinking; this way llama.cpp's begins after it.
            body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
        self._emit_all(body, schema)

    def _say(self) -> None:
        """Ask for text, or for JSON as text."""
        messages, schema = tools.as_text(self._request.conversation()), schema_of(self._request)
        body: Body = {"messages": messages}
        if schema is not None:
            body["grammar"] = grammar(schema)
            prompt = self._engine.tuning.json_system_prompt
            if prompt is not None and messages[0]["role"] != "system":
                body["messages"] = [message("system", prompt), *messages]
        self._emit_all(body, schema)

    def _emit_all(self, body: Body, schema: dict[str, Any] | None) -> None:
        form = None if schema is None else Form(schema, "LLMRequest.response_format")

        def hear(piece: LLMChunk) -> None:
            if form is not None and piece.text:
                form.add(piece.text)
            # The check comes before the end is told: nobody may take an answer for good that is not.
            if form is not None and piece.finish_reason == "stop":
                form.finish()
            self._emit(piece)

        self._ask({**body, **asking.sampling(self._request, self._engine, json=schema is not None)}, hear)

    def _chosen(self) -> Tool | None:
        """The tool to be called, None for an answer in text. See tools.py."""
        offered = tools.offered(self._request)
        open_choice = self._request.tool_choice in {None, "auto"}
        if not open_choice and len(offered) == 1:
            return offered[0]
        if not offered:
            return None
        asked = tools.question(self._request)
        idle, tokens = self._likelihood(asked, tools.IDLE)
        gains = [(self._likelihood(asked, tools.wish(tool))[0] - idle) / max(tokens, 1) for tool in offered]
        best = max(range(len(offered)), key=gains.__getitem__)
        return None if open_choice and gains[best] < tools.NEEDED else offered[best]

    def _likelihood(self, text: str, wish: str) -> tuple[float, int]:
        """How likely somebody with `wish` says `text`: the logarithm, and of how many tokens."""
        logarithms: list[float] = []

        def weigh(chunk: Chunk) -> None:
            for choice in chunk.get("choices", []):
                # One token that is out of the question must not outweigh all others.
                told = (choice.get("logprobs") or {}).get("content") or []
                logarithms.extend(max(token["logprob"], -15.0) for token in told)

        if text:
            body = {
                "messages": tools.imagine(wish),
                "grammar": tools.literally(text),
                "max_tokens": tools.JUDGED_TOKENS,
            }
            plain = {"temperature": 0, "frequency_penalty": 0, "logprobs": True, "top_logprobs": 1}
            self._ask_raw({**body, **plain, "cache_prompt": False}, weigh)
        return sum(logarithms), len(logarithms)

    def _call_tool(self, tool: Tool) -> None:
        """Have the arguments for `tool` written: they are the whole answer, and never its text."""
        call = ToolCall(name=tool.name)
        schema = {"additionalProperties": False, **tool.parameters, "type": "object"}
        form = Form(schema, f"LLMRequest.tools: the parameters of {tool.name!r}")
        self._emit(LLMChunk(tool_calls=[ToolCallFragment(id=call.id, name=call.name)]))

        def hear(piece: LLMChunk) -> None:
            if piece.text:
                form.add(piece.text)
                piece.tool_calls, piece.text = [ToolCallFragment(arguments=piece.text)], ""
            if piece.finish_reason == "stop":
                form.finish()
                piece.finish_reason, piece.metadata["finish_reason"] = "tool_calls", "tool_calls"
            self._emit(piece)

        body = {"messages": tools.arguments_of(tool, self._request), "grammar": grammar(schema)}
        # Names and numbers are to be repeated as they are: no penalty. And no word ends the answer but its own end.
        found = {**asking.sampling(self._request, self._engine, json=True), "frequency_penalty": 0, "stop": []}
        self._ask({**body, **found}, hear)

    def _ask(self, body: Body, hear: Callable[[LLMChunk], None]) -> None:
        def on_chunk(chunk: Chunk) -> None:
            piece = piece_of(chunk)
            if says_something(piece):
                hear(piece)

        self._ask_raw(body, on_chunk)

    def _ask_raw(self, body: Body, on_chunk: Callable[[Chunk], None]) -> None:
        def guarded(chunk: Chunk) -> bool:
            if self._call.stopped:
                return True
            if (error := error_in(chunk)) is not None:
                raise error
            if chunk.get("usage") is not None:
                told = Usage.of(chunk["usage"])
                self._spent = told if self._spent is None else self._spent + told
            on_chunk(chunk)
            return False

        try:
            self._engine.ask(body, guarded)
        except RefusedError as error:
            raise InvalidRequestError(f"llama.cpp: {' '.join(str(error).split())}") from None
        self._call.check()

    def _emit(self, piece: LLMChunk) -> None:
        piece.provider, piece.model = self._signed.provider, self._signed.model
        piece.latency = time.monotonic() - self._start
        if piece.usage is not None:
            # Also what it took to choose a tool.
            piece.usage, piece.cost = self._spent, 0.0
        self._call.emit(piece)
