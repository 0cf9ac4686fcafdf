"""A provider whose models each do one thing a terminal must bear. Found as a plugin, see the fixture `scripted`."""

from __future__ import annotations

import time
from collections.abc import Iterator

from homeostasis_llm import LLMChunk, LLMConnectionError, LLMProviderInterface, LLMRequest, LLMResponse

ANSWERS = {
    "plain": ["Hello", ", ", "world"],
    "repeats the question": [],
    "line": ["ends its line\n"],
    "nothing": [],
    "accents": ["naïve – ", "日本"],
    "escapes": ["red \x1b[31m", "bell\x07\tand\nmore\x9b0m"],
}


class Scripted(LLMProviderInterface):
    """Model `plain` answers, `breaks` stops midway, `waits` for ever, `endless` never stops; `bug` has one."""

    name = "scripted"
    default_model = "plain"

    def complete(self, request: LLMRequest) -> LLMResponse:
        chunk = LLMChunk()
        for piece in self.complete_stream(request):
            chunk += piece
        return chunk.to_response()

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        model = request.model or self.default_model
        match model:
            case "breaks":
                yield LLMChunk(text="half an ans")
                raise LLMConnectionError("scripted: the connection broke\nin the \x1b[31mmiddle", provider=self.name)
            case "waits":
                yield LLMChunk(text="wait for")
                time.sleep(600)
            case "endless":
                while True:
                    yield LLMChunk(text="and on\n")
            case "bug":
                yield LLMChunk(text=str(1 / 0))
            case "repeats the question":
                yield LLMChunk(text=request.conversation()[-1].text)
            case "cut short":
                yield LLMChunk(text="no more", finish_reason="length")
        for text in ANSWERS.get(model, []):
            yield LLMChunk(text=text)
        yield LLMChunk(
            model=f"{model}-1",
            provider=self.name,
            usage={"prompt_tokens": 5, "completion_tokens": 3},  # type: ignore[arg-type]  # a dict is read
            latency=0.25,
            cost=0.000012,
            metadata={"finish_reason": "stop"} if model == "plain" else {},
        )

    def validate_key(self, api_key: str) -> bool:
        return bool(api_key)

    def get_available_models(self) -> list[str]:
        return [*ANSWERS]


class Silent(Scripted):
    """Lists nothing, and wants no key for it."""

    needs_key = False

    def get_available_models(self) -> list[str]:
        return []
