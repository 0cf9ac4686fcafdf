"""pydantic-ai's direct requests: its models without an agent around them, which is its cheapest way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from pydantic_ai import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta, ToolCallPart, direct
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.tools import ToolDefinition

from benchmarks.wire import TOOL

from .base import DESCRIPTION, KEY, MODEL, PARAMETERS, Client, Message

_TOOLS = ModelRequestParameters(
    function_tools=[ToolDefinition(name=TOOL, description=DESCRIPTION, parameters_json_schema=PARAMETERS)]
)


class PydanticAI(Client):
    """`pydantic_ai.direct`."""

    def __init__(self, url: str, *, providers: int = 1) -> None:  # noqa: ARG002  # it asks one
        self._model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=url, api_key=KEY))

    def call(self, messages: Sequence[Message]) -> str:
        return _text(direct.model_request_sync(self._model, _asked(messages)))

    async def acall(self, messages: Sequence[Message]) -> str:
        return _text(await direct.model_request(self._model, _asked(messages)))

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        with direct.model_request_stream_sync(self._model, _asked(messages)) as events:
            for event in events:
                if text := _said(event):
                    yield text

    async def astream(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        async with direct.model_request_stream(self._model, _asked(messages)) as events:
            async for event in events:
                if text := _said(event):
                    yield text

    def tool_call(self, messages: Sequence[Message]) -> dict[str, Any]:
        with direct.model_request_stream_sync(self._model, _asked(messages), model_request_parameters=_TOOLS) as events:
            for _ in events:
                pass
            calls = [part for part in events.response.parts if isinstance(part, ToolCallPart)]
        return dict(calls[0].args_as_dict())


def _asked(messages: Sequence[Message]) -> list[ModelMessage]:
    return [
        ModelRequest(parts=[UserPromptPart(each["content"])])
        if each["role"] == "user"
        else ModelResponse(parts=[TextPart(each["content"])])
        for each in messages
    ]


def _text(response: ModelResponse) -> str:
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))


def _said(event: Any) -> str:
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return str(event.delta.content_delta)
    return event.part.content if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart) else ""
