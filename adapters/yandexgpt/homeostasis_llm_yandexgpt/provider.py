"""Ask Yandex Cloud's own completion API, which is older than its OpenAI-compatible one and has another form.

Sources, all at yandex.cloud/docs/foundation-models: the REST reference of `TextGeneration.Completion` (fields and the
words of `status`), "Invoking a function from a model", "API authentication". Not said there, and taken from what public
clients do: that a stream is one JSON object a line, each with the whole text so far, and that results of tools are sent
with the role `assistant`. None of it could be tried against the real API.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from typing import ClassVar, Literal

from homeostasis_llm import (
    HTTPAnswer,
    HTTPProvider,
    HTTPRequest,
    InvalidRequestError,
    LLMChunk,
    LLMRequest,
    LLMResponse,
    ServerEvent,
)

from .incoming import Growth, response
from .outgoing import body


class YandexGPTProvider(HTTPProvider):
    """YandexGPT, asked with an API key of a service account."""

    base_url = "https://llm.api.cloud.yandex.net"
    auth = "scheme:Api-Key"
    key_url = "https://console.yandex.cloud"
    stream_format: ClassVar[Literal["sse", "ndjson", "none"]] = "ndjson"
    folder_id: str = ""
    """The folder that pays for the models; without it, the variable YC_FOLDER_ID is read, as Yandex' own SDK does."""
    lacks: ClassVar[Collection[str]] = ("audio", "file", "image", "seed", "stop", "top_p")

    @property
    def name(self) -> str:
        return "yandexgpt"

    @property
    def default_model(self) -> str:
        return "yandexgpt"

    def build_request(self, request: LLMRequest) -> HTTPRequest:
        """Raises `InvalidRequestError` where no folder is known."""
        return HTTPRequest("/foundationModels/v1/completion", json=body(request, self._uri(str(request.model))))

    def stream_request(self, request: HTTPRequest) -> HTTPRequest:
        options = {**request.json["completionOptions"], "stream": True}
        return replace(request, json={**request.json, "completionOptions": options})

    def read_response(self, answer: HTTPAnswer) -> LLMResponse:
        return response(answer.json["result"])

    def event_reader(self, request: LLMRequest) -> Growth:  # noqa: ARG002  # every stream grows alike
        """Each event repeats the text so far: what is new in it takes remembering."""
        return Growth()

    def read_event(self, event: ServerEvent) -> LLMChunk:
        return Growth()(event)

    def _uri(self, model: str) -> str:
        if "://" in model:
            return model
        folder = self.folder_id or os.environ.get("YC_FOLDER_ID", "").strip()
        if not folder:
            raise InvalidRequestError(
                "yandexgpt: no folder is known: give folder_id=…, set YC_FOLDER_ID, or name the model as gpt://…",
                provider=self.name,
            )
        return f"gpt://{folder}/{model}"
