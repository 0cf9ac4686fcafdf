"""Ask Aleph Alpha's API to complete a prompt.

Sources: the API reference at docs.aleph-alpha.com (complete, available models), and Aleph Alpha's own client for
Python, `aleph-alpha-client` (its `completion.py` for requests, answers and streams, its README for the model).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from homeostasis_llm import (
    HTTPAnswer,
    HTTPProvider,
    HTTPRequest,
    LLMChunk,
    LLMRequest,
    LLMResponse,
    ServerEvent,
)

from .incoming import chunk, response
from .prompt import form_of, prompt_of


class AlephAlphaProvider(HTTPProvider):
    """Aleph Alpha. Its `/complete` knows a prompt and no messages: see `prompt.py` for how they become one."""

    base_url = "https://api.aleph-alpha.com"
    models_path = "/models_available"
    key_url = "https://app.aleph-alpha.com/profile"
    prompt_format: str | None = None
    """`plain`, `control` or `pharia`; without it, the model's name decides."""
    lacks: ClassVar[Collection[str]] = (
        "audio",
        "file",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "seed",
        "tool_choice",
        "tools",
    )

    @property
    def name(self) -> str:
        return "aleph_alpha"

    @property
    def default_model(self) -> str:
        return "pharia-1-llm-7b-control"

    def build_request(self, request: LLMRequest) -> HTTPRequest:
        """Raises `InvalidRequestError` for a `prompt_format` that is none."""
        prompt = prompt_of(request.conversation(), form_of(str(request.model), self.prompt_format))
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": prompt.items,
            "maximum_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop_sequences": [*(request.stop or ()), *prompt.stops] or None,
            **request.extra,
        }
        return HTTPRequest("/complete", json={name: told for name, told in body.items() if told is not None})

    def read_response(self, answer: HTTPAnswer) -> LLMResponse:
        return response(answer.json)

    def read_event(self, event: ServerEvent) -> LLMChunk | None:
        return chunk(event.json)
