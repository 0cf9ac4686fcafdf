"""Ask Writer's API: the chat endpoint, or the one for plain text.

Sources: the API reference at dev.writer.com (chat completion, text generation, list models, error codes), and the types
of Writer's own clients for Python and Node, which are generated from its OpenAPI description.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from homeostasis_llm import (
    HTTPAnswer,
    HTTPProvider,
    HTTPRequest,
    InvalidRequestError,
    LLMChunk,
    LLMError,
    LLMRequest,
    LLMResponse,
    ServerEvent,
    error_from_answer,
)

from .incoming import chunk, completion, completion_chunk, error_body, response
from .outgoing import chat_body, completion_body


class WriterProvider(HTTPProvider):
    """Writer. With `api="completions"` it is asked for plain text, without roles and tools."""

    base_url = "https://api.writer.com"
    models_path = "/v1/models"
    key_url = "https://app.writer.com/aistudio"
    api: str = "chat"
    """`chat`, or `completions`: the text of the messages is the prompt, one paragraph after the other."""
    # Not in the API reference.
    lacks: ClassVar[Collection[str]] = ("audio", "file", "parallel_tool_calls", "reasoning_effort")

    @property
    def name(self) -> str:
        return "writer"

    @property
    def default_model(self) -> str:
        return "palmyra-x5"

    def build_request(self, request: LLMRequest) -> HTTPRequest:
        """Raises `InvalidRequestError` for an `api` that is none."""
        if self.api == "chat":
            return HTTPRequest("/v1/chat", json=chat_body(request))
        if self.api == "completions":
            # Its events hold text and nothing else, and then there are no more.
            return HTTPRequest("/v1/completions", json=completion_body(request), stream_says_its_end=False)
        raise InvalidRequestError(f"WriterProvider.api: must be chat or completions, got {self.api!r}")

    def stream_request(self, request: HTTPRequest) -> HTTPRequest:
        """The stream tells its usage only when it is asked to."""
        asking = super().stream_request(request)
        if self.api == "chat":
            asking.json.setdefault("stream_options", {"include_usage": True})
        return asking

    def read_response(self, answer: HTTPAnswer) -> LLMResponse:
        return response(answer.json) if self.api == "chat" else completion(answer.json)

    def read_event(self, event: ServerEvent) -> LLMChunk | None:
        return chunk(event.json) if self.api == "chat" else completion_chunk(event.json)

    def read_error(self, answer: HTTPAnswer) -> LLMError | None:
        told = error_body(answer.body)
        if told is None:
            return None
        return error_from_answer(answer.status, answer.headers, told, provider=self.name)
