"""Turn our answers into LangChain's messages: whole ones, and streams piece by piece.

A message is left for LangChain to number. Providers' numbers are not unique: some servers start at 1, or draw one of a
thousand, and LangGraph puts a message in the place of an earlier one with the same number.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.content import InvalidToolCall
from langchain_core.messages.tool import ToolCall as LangChainToolCall
from langchain_core.messages.tool import (
    ToolCallChunk,
    invalid_tool_call,
    tool_call,
    tool_call_chunk,
)

from ..messages import ToolCall
from ..response import CallsInOrder, LLMChunk, LLMResponse, ToolCallFragment, merge_chunks
from ..usage import Usage
from .quick import text_piece

DIALECT = "homeostasis"
"""Whose form the content of our messages has, for LangChain's translators: nobody's but the standard one."""

KEPT = "homeostasis"
"""Under this key of `additional_kwargs` stands what a provider wants back with the next turn."""


def to_ai_message(response: LLMResponse, *, provider: str, model: str | None) -> AIMessage:
    """A whole answer as a message. Its content is a string where there is only text, otherwise standard blocks.

    `provider` and `model` were asked; the answer may not say who gave it.
    """
    blocks: list[str | dict[Any, Any]] = []
    if response.reasoning is not None and response.reasoning.text:
        blocks.append({"type": "reasoning", "reasoning": response.reasoning.text})
    blocks.extend(_server_tool_call(call) for call in response.server_tool_calls)
    if blocks and response.content:
        blocks.append({"type": "text", "text": response.content})
    return AIMessage(
        content=blocks or response.content,
        tool_calls=[_tool_call(call) for call in response.tool_calls if call.invalid_arguments is None],
        invalid_tool_calls=[_invalid(call) for call in response.tool_calls if call.invalid_arguments is not None],
        usage_metadata=usage_metadata(response.usage),
        response_metadata=_response_metadata(response, provider, model),
        additional_kwargs=_kept(response, provider),
    )


class MessagePieces:
    """The pieces of one answer as message chunks, which add up to what `to_ai_message` makes of the whole.

    Text stays a string until something else has to be told from it; from then on pieces are blocks with an index.
    """

    def __init__(self, *, provider: str, model: str | None, blocks: bool) -> None:
        """`provider` and `model` were asked; `blocks` makes even plain text a block."""
        self._provider = provider
        self._model = model
        self._blocks = blocks
        self._seen: list[LLMChunk] = []
        self._indices: dict[object, int] = {}
        self._order = CallsInOrder()
        self._told: set[tuple[int, str]] = set()
        self._by_server: set[int] = set()
        self._server_calls: list[ToolCallFragment] = []

    def add(self, chunk: LLMChunk) -> Iterator[AIMessageChunk]:
        """The message chunks of `chunk`, one for each kind of content in it; none where it only has facts."""
        self._seen.append(chunk)
        if chunk.text and not (self._blocks or chunk.reasoning or chunk.tool_calls or self._server_calls):
            self._index("text")
            yield text_piece(chunk.text)
            return
        if chunk.reasoning:
            yield from self._finished_server_calls()
            self._blocks = True
            index = self._index("reasoning")
            yield self._piece([{"type": "reasoning", "reasoning": chunk.reasoning, "index": index}])
        placed = [(self._order.place(fragment), fragment) for fragment in chunk.tool_calls]
        self._by_server.update(number for number, fragment in placed if fragment.server)
        self._server_calls.extend(fragment for number, fragment in placed if number in self._by_server)
        if chunk.text:
            yield from self._finished_server_calls()
            index = self._index("text")
            block: dict[Any, Any] = {"type": "text", "text": chunk.text, "index": index}
            yield self._piece([block] if self._blocks else chunk.text)
        if ours := [self._call(number, fragment) for number, fragment in placed if number not in self._by_server]:
            yield self._piece([] if self._blocks else "", tool_call_chunks=ours)

    def so_far(self) -> LLMResponse | None:
        """What the pieces say until now; None where they say nothing."""
        return merge_chunks(self._seen).to_response() if self._seen else None

    def end(self) -> Iterator[AIMessageChunk]:
        """What is only known now: the usage and all other facts of the whole answer, told once."""
        yield from self._finished_server_calls()
        whole = merge_chunks(self._seen)
        told_late = []
        for number, call in enumerate(whole.tool_calls):
            if not call.server and not call.id:
                call.id = f"call_{uuid.uuid4().hex[:24]}"
                told_late.append(tool_call_chunk(id=call.id, index=self._index(number)))
        if told_late:
            yield self._piece([] if self._blocks else "", tool_call_chunks=told_late)
        response = whole.to_response()
        yield AIMessageChunk(
            content=[] if self._blocks else "",
            usage_metadata=usage_metadata(response.usage),
            response_metadata=_response_metadata(response, self._provider, self._model),
            additional_kwargs=_kept(response, self._provider),
            chunk_position="last",
        )

    def _piece(
        self, content: str | list[str | dict[Any, Any]], tool_call_chunks: list[ToolCallChunk] | None = None
    ) -> AIMessageChunk:
        return AIMessageChunk(content=content, tool_call_chunks=tool_call_chunks or [])

    def _index(self, part: object) -> int:
        """The place of `part` in the message, in the order in which the parts began."""
        return self._indices.setdefault(part, len(self._indices))

    def _call(self, number: int, fragment: ToolCallFragment) -> ToolCallChunk:
        return tool_call_chunk(
            name=self._once(number, "name", fragment.name),
            args=fragment.arguments,
            id=self._once(number, "id", fragment.id),
            index=self._index(number),
        )

    def _once(self, number: int, fact: str, told: str | None) -> str | None:
        """`told`, the first time: LangChain glues a name that is told twice to itself."""
        if not told or (number, fact) in self._told:
            return None
        self._told.add((number, fact))
        return told

    def _finished_server_calls(self) -> Iterator[AIMessageChunk]:
        """The calls that the provider's server ran, whole: nobody can do anything with half of one."""
        if self._server_calls:
            self._blocks = True
            calls = merge_chunks([LLMChunk(tool_calls=self._server_calls)]).to_response().server_tool_calls
            self._server_calls = []
            yield self._piece([{**_server_tool_call(call), "index": self._index(call.id)} for call in calls])


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """`usage` in LangChain's words; None where input or output is unknown, for LangChain has no word for unknown."""
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    total = usage.total_tokens
    told = UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens if total is None else total,
    )
    read: InputTokenDetails = {}
    if usage.cached_tokens is not None:
        read["cache_read"] = usage.cached_tokens
    if usage.cache_write_tokens is not None:
        read["cache_creation"] = usage.cache_write_tokens
    if read:
        told["input_token_details"] = read
    if usage.reasoning_tokens is not None:
        told["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return told


def _response_metadata(response: LLMResponse, provider: str, model: str | None) -> dict[str, Any]:
    raw = response.metadata.get("finish_reason")
    told = {
        **response.metadata,
        "id": response.metadata.get("response_id"),
        "model_name": response.model or model,
        "model_provider": DIALECT,
        "provider": response.provider or provider,
        "finish_reason": response.finish_reason,
        "raw_finish_reason": raw if raw != response.finish_reason else None,
        "request_id": response.request_id,
        "latency": response.latency,
        "cost": response.cost,
        "attempts": [attempt.facts() for attempt in response.attempts] or None,
        "response_id": None,
    }
    return {name: fact for name, fact in told.items() if fact is not None}


def _kept(response: LLMResponse, provider: str) -> dict[str, Any]:
    payload = None if response.reasoning is None else response.reasoning.payload
    of_calls = {call.id: call.payload for call in response.tool_calls if call.payload is not None}
    if payload is None and not of_calls:
        return {}
    owner = (response.reasoning.provider if response.reasoning else "") or response.provider or provider
    kept = {"provider": owner, "reasoning": payload, "tool_calls": of_calls}
    return {KEPT: {name: found for name, found in kept.items() if found}}


def _tool_call(call: ToolCall) -> LangChainToolCall:
    return tool_call(name=call.name, args=call.arguments, id=call.id)


def _invalid(call: ToolCall) -> InvalidToolCall:
    return invalid_tool_call(
        name=call.name, args=call.invalid_arguments, id=call.id, error="the arguments are no JSON object"
    )


def _server_tool_call(call: ToolCall) -> dict[str, Any]:
    return {"type": "server_tool_call", "id": call.id, "name": call.name, "args": call.arguments}
