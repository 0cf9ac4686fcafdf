"""Serve what providers really sent to our provider, and say where it reads something else than stands there.

The recordings lie beside the checkout, in `../shared/wild`; they are not ours to copy. Its README describes a record.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from homeostasis_llm import LLMError, LLMMessage, LLMRequest, LLMResponse, Usage
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.response import finish_reason_of, merge_chunks

from ..loopback import Loopback

WILD = Path(__file__).parents[3] / "shared" / "wild"

KEY = "sk-test-not-a-real-key-0123456789"

Record = Mapping[str, Any]
Differences = dict[str, tuple[object, object]]
"""What was read and what stands there, by the name of what differs."""


@dataclass(frozen=True)
class Route:
    """How a recording's wire format is asked for."""

    name: str
    """Our provider's name."""
    prefix: str = ""
    """What litellm wants before the model's name, to take this route."""
    model: str = "some-model"
    """Asked for where the recording names none."""


_OPENAI = Route("openai", model="gpt-4o")
_RESPONSES = Route("openai", "responses/", "gpt-4o")
# litellm signs Vertex AI's requests with an account of Google's; what comes back has the form that Gemini's has.
_GEMINI = Route("gemini", model="gemini-2.5-flash")

_CHATS = (
    "azure azure_ai cerebras dashscope deepseek groq heroku hosted_vllm huggingface mistral moonshot openrouter "
    "perplexity together_ai xai zai"
)
# Those that answer over OpenAI's route: providers' second interface, or one that litellm asks over another API.
_CHATS_LIKE_OPENAI = "openai anthropic bedrock_mantle crusoe gemini ollama snowflake"
_RESPONSES_LIKE_OPENAI = "openai bedrock_mantle deepseek github_copilot lm_studio openrouter xai"

ROUTES: dict[tuple[str, str], Route] = {
    ("anthropic", "messages"): Route("anthropic", model="claude-sonnet-4-5"),
    ("azure", "responses"): Route("azure", "responses/", "gpt-4o"),
    ("bedrock", "converse"): Route("bedrock", "converse/"),
    ("bedrock", "invoke"): Route("bedrock", "invoke/"),
    ("cohere", "cohere_chat"): Route("cohere", model="command-r"),
    ("gemini", "generate_content"): _GEMINI,
    ("vertex_ai", "generate_content"): _GEMINI,
    ("ollama", "ollama_chat"): Route("ollama"),
    **{(provider, "chat_completions"): Route(provider) for provider in _CHATS.split()},
    **{(provider, "chat_completions"): _OPENAI for provider in _CHATS_LIKE_OPENAI.split()},
    **{(provider, "responses"): _RESPONSES for provider in _RESPONSES_LIKE_OPENAI.split()},
}

NO_CHAT = "not a chat API"
BY_ADAPTER = "litellm does not know the provider, an adapter of ours does"
"""Each of these recordings is replayed by the tests of `adapters/`, which know of no wrong one."""
NO_ROUTE = "litellm asks this provider over another API"


def route_of(record: Record) -> Route | str:
    """How to ask for `record`, or why it cannot be."""
    provider, api = record["provider"], record["api"]
    if record["status"] >= 400 and api == "invoke":
        api = "converse"  # it takes any model's name; failures are told alike
    if (route := ROUTES.get((provider, api))) is not None:
        return route
    # What is said of a failure does not depend on what was asked for.
    if record["status"] >= 400:
        return next(route for (known, _), route in ROUTES.items() if known == provider)
    if provider in {"aleph_alpha", "writer"}:
        return BY_ADAPTER
    return NO_ROUTE if api in {"other:interactions", "other:watsonx_generation"} else NO_CHAT


def is_asked(record: Record) -> bool:
    """Whether some provider of ours is made to read `record`."""
    route = route_of(record)
    return isinstance(route, Route) or route == BY_ADAPTER


def read_records(wild: Path = WILD) -> dict[str, list[Record]]:
    """All records, by provider."""
    return {path.name.removesuffix(".jsonl.gz"): _read(path) for path in sorted(wild.glob("*.jsonl.gz"))}


def _read(path: Path) -> list[Record]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Replay:
    """Providers that ask a local server, which answers what was recorded."""

    def __init__(self, loopback: Loopback, kind: type[LiteLLMProvider] = LiteLLMProvider) -> None:
        self._loopback, self._kind = loopback, kind
        self._providers: dict[str, LiteLLMProvider] = {}

    def close(self) -> None:
        """Close the providers' connections."""
        for provider in self._providers.values():
            provider.close()

    def differences(self, record: Record, *, pieces: int | None = None) -> Differences:
        """What our provider reads wrong, asked without an event loop."""
        provider, request = self.prepared(record, pieces)
        try:
            if record["stream"]:
                return _differences(record, merge_chunks(provider.complete_stream(request)).to_response())
            return _differences(record, provider.complete(request))
        except LLMError as error:
            return _failure_differences(record, error)

    async def adifferences(self, record: Record, *, pieces: int | None = None) -> Differences:
        """`differences`, asked from an event loop."""
        provider, request = self.prepared(record, pieces)
        try:
            if record["stream"]:
                chunks = [chunk async for chunk in provider.acomplete_stream(request)]
                return _differences(record, merge_chunks(chunks).to_response())
            return _differences(record, await provider.acomplete(request))
        except LLMError as error:
            return _failure_differences(record, error)

    def wrong(self, records: Iterable[Record], *, pieces: int | None = None) -> Iterator[tuple[str, Differences]]:
        """The ids of those that are read wrong, and what of them is."""
        for record in records:
            if found := self.differences(record, pieces=pieces):
                yield record["id"], found

    def awrong(self, records: Iterable[Record], *, pieces: int | None = None) -> list[tuple[str, Differences]]:
        """`wrong`, asked from an event loop."""

        async def ask_all() -> list[tuple[str, Differences]]:
            return [(record["id"], await self.adifferences(record, pieces=pieces)) for record in records]

        return [(record_id, found) for record_id, found in asyncio.run(ask_all()) if found]

    def prepared(self, record: Record, pieces: int | None = None) -> tuple[LiteLLMProvider, LLMRequest]:
        """Whom to ask, and what: the server then answers what was recorded, in pieces of that many bytes."""
        route = route_of(record)
        assert isinstance(route, Route), route
        if route.name not in self._providers:
            self._providers[route.name] = self._kind(
                route.name, KEY, base_url=self._loopback.url, api_version="2024-10-21"
            )
        wire = _body(record)
        headers = {"content-type": _MEDIA_TYPES[record["body_format"]], **(record["response_headers"] or {})}
        if pieces is None:
            self._loopback.always(body=wire, status=record["status"], headers=headers)
        else:
            cut = [wire[start : start + pieces] for start in range(0, len(wire), pieces)]
            self._loopback.always(chunks=cut, status=record["status"], headers=headers)
        request = LLMRequest(messages=[LLMMessage(role="user", content="Hi")], model=_model(record, route))
        return self._providers[route.name], request


_THOUGHT_TAGS = re.compile(r"^<(think|thinking)>|(?<=.)</(think|thinking)>", re.DOTALL)

_MEDIA_TYPES = {
    "json": "application/json",
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "aws_eventstream": "application/vnd.amazon.eventstream",
    "text": "text/plain",
    "empty": "text/plain",
}


def _body(record: Record) -> bytes:
    body: str = record["body"]
    return base64.b64decode(body) if record.get("body_encoding") == "base64" else body.encode()


def _model(record: Record, route: Route) -> str:
    path = urlsplit(record["url"] or "").path
    asked = record["request"] if isinstance(record["request"], dict) else {}
    if route.name == "bedrock":
        model = unquote(path.split("/model/")[1].split("/")[0]) if "/model/" in path else "amazon.nova-lite-v1:0"
    elif route.name == "gemini":
        model = route.model
    elif route.prefix == "responses/" and record["provider"] != "openai":
        model = route.model  # of models that are not OpenAI's, litellm believes that they cannot stream
    else:
        model = asked.get("model") or route.model
    # Cohere's two APIs have one name.
    return f"{route.prefix}{'v1/' if path == '/v1/chat' else ''}{model}"


def _differences(record: Record, answer: LLMResponse) -> Differences:
    expected = record["expected"]
    read: dict[str, object] = {
        "text": answer.content,
        "reasoning": answer.reasoning.text if answer.reasoning is not None else "",
        "tool_calls": [(call.name, call.arguments, call.invalid_arguments) for call in answer.tool_calls],
    }
    wanted: dict[str, Any] = {
        "text": expected.get("text", ""),
        "reasoning": expected.get("reasoning_text", ""),
        "tool_calls": [
            (call["name"], call["arguments"] or {}, call.get("arguments_raw"))
            for call in (*expected.get("tool_calls", []), *_legacy_calls(expected))
        ]
        + [(call["name"], {}, call["input"]) for call in expected.get("custom_tool_calls", [])],
    }
    if not wanted["reasoning"] and re.sub(_THOUGHT_TAGS, "", wanted["text"]) == f"{read['reasoning']}{read['text']}":
        # litellm takes thoughts out of the text that some models write between tags there.
        read["text"], read["reasoning"] = wanted["text"], ""
    if word := expected.get("finish_reason_raw"):
        read["finish_reason"] = (answer.metadata["finish_reason"], answer.finish_reason)
        finish = finish_reason_of(word)
        # Some APIs have one word for an answer and for a call of tools; where both came, both are true.
        if finish == "stop" and wanted["tool_calls"] and answer.finish_reason == "tool_calls":
            finish = "tool_calls"
        wanted["finish_reason"] = (word, finish)
    if "model" in expected:
        read["model"], wanted["model"] = answer.model, expected["model"]
    wanted["usage"] = _wanted_counts(record)
    read["usage"] = _counts(answer.usage, wanted["usage"])
    if "error" in expected:
        wanted["error"] = expected["error"]
    return {
        about: (read.get(about), wanted[about]) for about in wanted if about == "error" or read[about] != wanted[about]
    }


def _legacy_calls(expected: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    call = expected.get("function_call")
    # Snowflake sends an empty one with every answer.
    return [call] if call and call.get("name") else []


_KINDS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cached": "cached_tokens",
    "cache_write": "cache_write_tokens",
    "reasoning": "reasoning_tokens",
}


def _counts(usage: Usage | None, told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Our counts, of those kinds that the provider told."""
    if usage is None or told is None:
        return None if usage is None else dict(usage)
    return {kind: usage.get(name) for kind, name in _KINDS.items() if kind in told}


def _wanted_counts(record: Record) -> dict[str, int | None] | None:
    """The provider's counts in our terms: all input is input, and all output is output."""
    told = record["expected"].get("usage")
    if told is None:
        return None
    wanted = dict(told)
    if record["api"] in {"messages", "converse", "invoke"} and wanted.get("input") is not None:
        wanted["input"] += (told.get("cached") or 0) + (told.get("cache_write") or 0)
    if record["api"] == "generate_content":
        searched = re.findall(r'"toolUsePromptTokenCount":\s*(\d+)', record["body"])
        wanted["input"] += int(searched[-1]) if searched else 0
        if "output" in told or "reasoning" in told:
            wanted["output"] = (told.get("output") or 0) + (told.get("reasoning") or 0)
    if record["provider"] == "xai" and record["api"] == "chat_completions":
        wanted["output"] += told.get("reasoning") or 0
    return wanted


def _failure_differences(record: Record, error: LLMError) -> Differences:
    told = record["expected"].get("error")
    if told is None:
        return {"raised": (f"{type(error).__name__}: {error}", None)}
    found: Differences = {}
    message = told.get("message") or ""
    if message[:200] not in error.message:
        found["error"] = (error.message, message)
    # An error inside a good answer may name a status of its own.
    if record["status"] >= 400 and error.status_code != record["status"]:
        found["status"] = (error.status_code, record["status"])
    return found
