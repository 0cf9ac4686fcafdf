"""Providers as an author writes them: the five members of the extension guide, and one that also streams."""

from __future__ import annotations

from collections.abc import Iterator

from homeostasis_llm import LLMChunk, LLMError, LLMProviderInterface, LLMRequest, LLMResponse


class Scripted(LLMProviderInterface):
    """Answers what a test tells it to, in order, the last answer over and over; keeps what it was asked."""

    def __init__(self, *answers: LLMResponse | LLMError | str, name: str = "scripted") -> None:
        super().__init__()
        self.answers: list[LLMResponse | LLMError | str] = list(answers) or ["Hello!"]
        self.asked: list[LLMRequest] = []
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def default_model(self) -> str:
        return "scripted-1"

    def complete(self, request: LLMRequest) -> LLMResponse:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, LLMError):
            raise answer
        return LLMResponse(content=answer) if isinstance(answer, str) else answer

    def validate_key(self, api_key: str) -> bool:
        return bool(api_key)

    def get_available_models(self) -> list[str]:
        return ["scripted-1", "scripted-2"]


class Streaming(Scripted):
    """Streams the chunks it is given; an error among them is raised where it stands."""

    def __init__(self, *pieces: LLMChunk | str | LLMError, name: str = "streaming") -> None:
        super().__init__(name=name)
        self.pieces = pieces
        self.closed = 0

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk | str]:
        self.asked.append(request)
        try:
            for piece in self.pieces:
                if isinstance(piece, LLMError):
                    raise piece
                yield piece
        finally:
            self.closed += 1


class Echo(LLMProviderInterface):
    """The smallest provider there can be: five members, no constructor of its own."""

    name = "echo"
    default_model = "echo-1"

    def complete(self, request: LLMRequest) -> LLMResponse:
        return LLMResponse(content=request.messages[-1].text.upper())

    def validate_key(self, api_key: str) -> bool:
        return bool(api_key)

    def get_available_models(self) -> list[str]:
        return ["echo-1"]
