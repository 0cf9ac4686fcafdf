"""A small provider that keeps every promise, made of parts that a mutant can replace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import Any

import httpx

from homeostasis_llm import (
    AuthenticationError,
    InvalidResponseError,
    LLMChunk,
    LLMConnectionError,
    LLMError,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    LLMTimeoutError,
    Timeout,
    Tool,
    UnsuitableRequestError,
)
from homeostasis_llm.error_facts import error_from_answer, request_id
from homeostasis_llm.messages import ContentPart, ImagePart, TextPart, data_url
from homeostasis_llm.response import ToolCallFragment, finish_reason_of, merge_chunks, parse_tool_call

SENT_AS_IT_IS = ("max_tokens", "temperature", "top_p", "stop", "seed", "parallel_tool_calls", "reasoning_effort")

_making = Lock()
"""One for all: a provider that holds a lock cannot be copied."""


class Small(LLMProviderInterface):
    """Speaks OpenAI's chat completions, with httpx; async and LangChain come from the interface."""

    name = "small"
    default_model = "small-1"
    follows_redirects = False

    def __init__(self, api_key: str | None = None, *, base_url: str = "") -> None:
        super().__init__(api_key)
        self._base_url = base_url
        self._client: httpx.Client | None = None

    # What is sent.

    def body(self, request: LLMRequest) -> dict[str, Any]:
        said = {name: getattr(request, name) for name in SENT_AS_IT_IS}
        said["tools"] = [self.tool(tool) for tool in request.tools] if request.tools else None
        said["tool_choice"] = request.tool_choice
        if request.response_format is not None:
            said["response_format"] = str(request.response_format)
        return {
            "model": self.model(request),
            "messages": self.messages(request),
            **{name: given for name, given in said.items() if given is not None},
            **request.extra,
        }

    def model(self, request: LLMRequest) -> str:
        return request.model or self.default_model

    def messages(self, request: LLMRequest) -> list[dict[str, Any]]:
        return [self.message(message) for message in request.conversation()]

    def message(self, message: LLMMessage) -> dict[str, Any]:
        content = message.content if isinstance(message.content, str) else [*map(self.part, message.content)]
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_text}}
            for call in message.tool_calls
        ]
        return {
            "role": message.role,
            "content": content,
            **({"tool_calls": calls} if calls else {}),
            **({"tool_call_id": message.tool_call_id} if message.tool_call_id else {}),
        }

    def part(self, part: ContentPart) -> dict[str, Any]:
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text}
        if isinstance(part, ImagePart) and part.data is not None:
            return {"type": "image_url", "image_url": {"url": data_url(part.data, part.media_type or "")}}
        raise UnsuitableRequestError(f"{self.name} takes no {part.type}", provider=self.name)

    def tool(self, tool: Tool | dict[str, Any]) -> dict[str, Any]:
        if isinstance(tool, dict):
            return tool
        function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        return {"type": "function", "function": function}

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"}

    # How it is asked.

    def complete(self, request: LLMRequest) -> LLMResponse:
        answer = self.ask("POST", "/chat/completions", self.body(request), self.waits(request))
        return self.guarded(lambda: self.read(answer.json(), answer))

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        body = {**self.body(request), "stream": True, **self.stream_options()}
        came: list[LLMChunk] = []
        failure: LLMError
        try:
            with self.client().stream(
                "POST",
                f"{self._base_url}/chat/completions",
                json=body,
                headers=self.headers(),
                timeout=self.waits(request),
            ) as answer:
                self.look(answer)
                for event in self.events(self.bytes_of(answer)):
                    for chunk in self.chunks(event, answer):
                        came.append(chunk)
                        yield chunk
        except httpx.TransportError as error:
            failure = self.transport_error(error)
        else:
            if self.is_whole(came):
                return
            failure = LLMConnectionError(f"{self.name} broke off", provider=self.name)
        raise self.cut(failure, came)

    def stream_options(self) -> dict[str, Any]:
        return {"stream_options": {"include_usage": True}}

    def bytes_of(self, answer: httpx.Response) -> Iterable[bytes]:
        return answer.iter_bytes()

    def client(self) -> httpx.Client:
        with _making:
            if self._client is None:
                self._client = httpx.Client(follow_redirects=self.follows_redirects, timeout=20)
            return self._client

    def ask(self, method: str, path: str, body: object = None, timeout: float = 20) -> httpx.Response:
        failure: LLMError
        try:
            answer = self.client().request(
                method, f"{self._base_url}{path}", json=body, headers=self.headers(), timeout=timeout
            )
        except httpx.TransportError as error:
            failure = self.transport_error(error)
        else:
            self.look(answer)
            return answer
        raise failure

    def waits(self, request: LLMRequest) -> float:
        given = request.timeout.total if isinstance(request.timeout, Timeout) else request.timeout
        return 20 if given is None else given

    # How answers are read.

    def guarded(self, read: Callable[[], LLMResponse]) -> LLMResponse:
        try:
            return read()
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InvalidResponseError(f"{self.name}: {error}", provider=self.name) from None

    def read(self, found: Mapping[str, Any], answer: httpx.Response) -> LLMResponse:
        choice = found["choices"][0]
        message = choice["message"]
        return LLMResponse(
            content=self.text(message),
            provider=self.name,
            model=found["model"],
            usage=found.get("usage"),
            metadata={"finish_reason": choice["finish_reason"], "response_id": found["id"]},
            tool_calls=[
                parse_tool_call(call["function"]["name"], call["function"]["arguments"], call["id"])
                for call in message.get("tool_calls", [])
            ],
            request_id=request_id(answer.headers),
        )

    def text(self, message: Mapping[str, Any]) -> str:
        content = message["content"]
        return "".join(part["text"] for part in content) if isinstance(content, list) else content or ""

    def events(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        waiting = b""
        for piece in pieces:
            waiting = (waiting + piece).replace(b"\r\n", b"\n")
            while (place := waiting.find(b"\n")) >= 0:
                line, waiting = waiting[:place], waiting[place + 1 :]
                if line.startswith(b"data: ") and line != b"data: [DONE]":
                    yield line.removeprefix(b"data: ")

    def chunks(self, event: bytes, answer: httpx.Response) -> Iterator[LLMChunk]:
        found = json.loads(event)
        if "error" in found:
            raise error_from_answer(None, answer.headers, found, provider=self.name)
        choice = (found["choices"] or [{"delta": {}, "finish_reason": None}])[0]
        delta = choice["delta"]
        yield LLMChunk(
            text=delta.get("content") or "",
            tool_calls=[self.fragment(call) for call in delta.get("tool_calls", [])],
            finish_reason=finish_reason_of(choice["finish_reason"]) if choice["finish_reason"] else None,
            usage=found.get("usage"),
            model=found["model"],
            provider=self.name,
            request_id=request_id(answer.headers),
        )

    def fragment(self, call: Mapping[str, Any]) -> ToolCallFragment:
        function = call["function"]
        return ToolCallFragment(
            index=call["index"], id=call.get("id"), name=function.get("name"), arguments=function["arguments"]
        )

    def is_whole(self, came: list[LLMChunk]) -> bool:
        return any(chunk.finish_reason for chunk in came)

    # How it fails.

    def look(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise self.error(answer.status_code, answer.headers, answer.read())

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> LLMError:
        return error_from_answer(status, headers, body, provider=self.name)

    def transport_error(self, error: httpx.TransportError) -> LLMError:
        kind = LLMTimeoutError if isinstance(error, httpx.TimeoutException) else LLMConnectionError
        return kind(f"{self.name}: {type(error).__name__}", provider=self.name).with_cause(error)

    def cut(self, error: LLMError, came: list[LLMChunk]) -> LLMError:
        if came:
            error.partial = merge_chunks(came).to_response()
        return error

    # Keys, models, and the end.

    def validate_key(self, api_key: str) -> bool:
        other = self.twin(api_key)
        try:
            other.get_available_models()
        except AuthenticationError:
            return False
        finally:
            other.close()
        return True

    def twin(self, api_key: str) -> Small:
        return type(self)(api_key, base_url=self._base_url)

    def get_available_models(self) -> list[str]:
        return [row["id"] for row in self.ask("GET", "/models").json()["data"]]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_client": None}
