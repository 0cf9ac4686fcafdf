"""A chat model over a manager, over real sockets: programs of LangChain go on while a provider fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelAPIError
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from pydantic import BaseModel

from homeostasis_llm import (
    AllProvidersFailedError,
    AuthenticationError,
    ChatHomeostasis,
    InvalidRequestError,
    LLMConnectionError,
    LLMManager,
    RetryConfig,
)
from tests.loopback import Loopback

from .test_over_http import ANSWER, events

KEYS = {"OPENAI_API_KEY": "key-of-openai-0123456789", "GROQ_API_KEY": "key-of-groq-0123456789"}
DOWN: dict[str, Any] = {"status": 500, "json": {"error": {"message": "out of order", "type": "server_error"}}}
PROMPT = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "The capital of {land}?")])


class City(BaseModel):
    """A city."""

    name: str


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def first(loopback: Loopback, monkeypatch: pytest.MonkeyPatch, home: Path) -> Loopback:
    """The server of openai, which is asked first and fails."""
    for variable, key in KEYS.items():
        monkeypatch.setenv(variable, key)
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
    folder = home / ".config" / "homeostasis-llm"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(
        'active_provider = "openai"\nfallback_order = ["groq"]\n[failover]\nmax_retries = 1\nbase_delay = 0.0\n'
        '[providers.groq]\ndefault_model = "llama-x"\n[providers.openai]\ndefault_model = "gpt-9"\n',
        encoding="utf-8",
    )
    loopback.always(**DOWN)
    return loopback


@pytest.fixture
def second(
    first: Loopback,  # noqa: ARG001  # what is set there is set here
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Loopback]:
    """The server of groq, which answers."""
    with Loopback() as server:
        monkeypatch.setenv("HOMEOSTASIS_GROQ_BASE_URL", f"{server.url}/v1")
        server.always(json=answer("Paris."))
        yield server


def answer(text: str, **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": text, **message}
    ended = "tool_calls" if "tool_calls" in message else "stop"
    return {**ANSWER, "model": "llama-x-1", "choices": [{"index": 0, "message": said, "finish_reason": ended}]}


def whole(pieces: Iterator[BaseMessage]) -> AIMessageChunk:
    first, *rest = pieces
    for piece in rest:
        first = first + piece  # type: ignore[assignment]  # chunks add up to a chunk
    assert isinstance(first, AIMessageChunk)
    return first


# --------------------------------------------------------------------------------------------------------- programs


def test_a_chain_is_answered_by_the_next_when_the_first_fails(first: Loopback, second: Loopback) -> None:
    chain = PROMPT | ChatHomeostasis() | StrOutputParser()

    assert chain.invoke({"land": "France"}) == "Paris."
    assert (len(first.requests), len(second.requests)) == (2, 1)
    assert second.requests[0].headers["authorization"] == f"Bearer {KEYS['GROQ_API_KEY']}"


async def test_a_chain_is_answered_for_async_callers_too(first: Loopback, second: Loopback) -> None:
    chain = PROMPT | ChatHomeostasis() | StrOutputParser()

    assert await chain.ainvoke({"land": "France"}) == "Paris."
    assert (len(first.requests), len(second.requests)) == (2, 1)


def test_a_batch_is_answered(first: Loopback, second: Loopback) -> None:
    chain = PROMPT | ChatHomeostasis() | StrOutputParser()

    assert chain.batch([{"land": "France"}] * 3) == ["Paris."] * 3
    assert len(second.requests) == 3
    assert first.requests


def test_an_answer_keeps_its_form(first: Loopback, second: Loopback) -> None:
    second.always(json=answer('{"name": "Paris"}'))
    chain = PROMPT | ChatHomeostasis().with_structured_output(City)

    assert chain.invoke({"land": "France"}) == City(name="Paris")
    assert first.requests[0].json["response_format"]["json_schema"]["schema"] == City.model_json_schema()
    assert '"properties": {"name": ' in json.dumps(second.requests[0].json)  # litellm makes a tool of it for groq


def test_an_answer_whose_form_comes_by_a_tool_keeps_it(first: Loopback, second: Loopback) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "City", "arguments": '{"name": "Paris"}'}}
    second.always(json=answer("", tool_calls=[call]))
    chain = PROMPT | ChatHomeostasis().with_structured_output(City, method="function_calling")

    assert chain.invoke({"land": "France"}) == City(name="Paris")
    assert first.requests


def test_tools_are_called_and_answered(first: Loopback, second: Loopback) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    second.reply(json=answer("", tool_calls=[call]))
    second.reply(json=answer("3"))
    agent = ChatHomeostasis().bind_tools([add], tool_choice="any")

    asked = agent.invoke("1 + 2?")
    result = add.invoke(asked.tool_calls[0])
    told = agent.invoke([HumanMessage("1 + 2?"), asked, result])

    assert isinstance(result, ToolMessage)
    assert told.text == "3"
    [*_, back] = second.requests
    assert [message["role"] for message in back.json["messages"]] == ["user", "assistant", "tool"]
    assert back.json["messages"][1]["tool_calls"][0]["function"]["name"] == "add"
    assert len(first.requests) >= 2


# ---------------------------------------------------------------------------------------------------------- streams


def test_a_stream_that_does_not_begin_is_begun_by_the_next(first: Loopback, second: Loopback) -> None:
    second.always(chunks=events({"content": "Par"}, {"content": "is."}))

    pieces = list(ChatHomeostasis().stream("Where?"))

    assert [piece.text for piece in pieces] == ["Par", "is.", ""]
    told = [piece.response_metadata.get("attempts") for piece in pieces]
    assert told[:-1] == [None, None]
    assert [attempt["outcome"] for attempt in told[-1] or []] == ["failed", "failed", "answered"]
    assert len(first.requests) == 2


async def test_an_async_stream_that_does_not_begin_is_begun_by_the_next(first: Loopback, second: Loopback) -> None:
    second.always(chunks=events({"content": "Par"}, {"content": "is."}))

    pieces = [piece async for piece in ChatHomeostasis().astream("Where?")]

    assert [piece.text for piece in pieces] == ["Par", "is.", ""]
    assert pieces[-1].response_metadata["provider"] == "groq"
    assert len(first.requests) == 2


def test_a_stream_of_a_chain_goes_through(first: Loopback, second: Loopback) -> None:
    second.always(chunks=events({"content": "Par"}, {"content": "is."}))
    chain = PROMPT | ChatHomeostasis() | StrOutputParser()

    assert "".join(chain.stream({"land": "France"})) == "Paris."
    assert first.requests


def test_a_stream_that_breaks_is_an_error_with_what_had_come(first: Loopback, second: Loopback) -> None:
    first.always(chunks=events({"content": "Par"})[:1], cut=True)
    pieces = ChatHomeostasis().stream("Where?")

    assert next(pieces).text == "Par"
    with pytest.raises(LLMConnectionError) as caught:
        next(pieces)

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Par"
    assert [attempt.outcome for attempt in caught.value.attempts] == ["broke"]
    assert second.requests == []


def test_a_stream_that_breaks_is_gone_on_with_where_that_is_wanted(first: Loopback, second: Loopback) -> None:
    first.always(chunks=events({"content": "The capital of France is Par"})[:1], cut=True)
    second.always(chunks=events({"content": "is."}))
    model = ChatHomeostasis(manager=LLMManager(providers=["openai", "groq"], on_break="continue"))

    message = whole(model.stream("Where?"))

    assert message.text == "The capital of France is Paris."
    attempts = message.response_metadata["attempts"]
    assert [(attempt["provider"], attempt["outcome"]) for attempt in attempts] == [
        ("openai", "broke"),
        ("groq", "answered"),
    ]
    assert message.response_metadata["provider"] == "groq"


async def test_an_answer_that_would_begin_anew_is_refused_before_anybody_is_asked(
    first: Loopback, second: Loopback
) -> None:
    model = ChatHomeostasis(manager=LLMManager(providers=["openai", "groq"], on_break="restart"))

    with pytest.raises(InvalidRequestError, match=r"^on_break: is 'restart', which LangChain's chunks") as caught:
        list(model.stream("Where?"))
    with pytest.raises(InvalidRequestError, match=r"^on_break: is 'restart'"):
        await anext(model.astream("Where?"))

    assert "\n" not in str(caught.value)
    assert first.requests == second.requests == []
    assert model.invoke("Where?").text == "Paris."


# --------------------------------------------------------------------------------------------- what is told of the way


@pytest.mark.usefixtures("second")
def test_a_message_says_who_answered_and_whom_that_took() -> None:
    message = ChatHomeostasis().invoke("Where?")

    told = message.response_metadata
    assert (told["provider"], told["model_name"]) == ("groq", "llama-x-1")
    failed, again, answered = told["attempts"]
    assert (failed["provider"], failed["outcome"], failed["status"]) == ("openai", "failed", 500)
    assert again["error"] == "server_error"
    assert (answered["provider"], answered["outcome"]) == ("groq", "answered")
    assert AIMessage.model_validate(json.loads(message.model_dump_json())).response_metadata == told


def test_when_all_fail_the_error_is_langchains_too_and_has_each_ones_own(first: Loopback, second: Loopback) -> None:
    second.always(status=401, json={"error": {"message": "wrong key"}})
    model = ChatHomeostasis(
        manager=LLMManager(providers=["openai", "groq"], retry_config=RetryConfig(max_retries=0), on_break="raise")
    )

    with pytest.raises(AllProvidersFailedError) as caught:
        model.invoke("Where?")

    assert isinstance(caught.value.errors["groq"], AuthenticationError)
    assert [attempt.provider for attempt in caught.value.attempts] == ["openai", "groq"]
    assert "\n" not in str(caught.value)
    assert len(first.requests) == 1


def test_the_error_of_the_only_provider_is_its_own(first: Loopback) -> None:
    manager = LLMManager(providers=["openai"], retry_config=RetryConfig(max_retries=0))

    with pytest.raises(ModelAPIError, match="out of order"):
        ChatHomeostasis(manager=manager).invoke("Where?")

    assert len(first.requests) == 1


# ------------------------------------------------------------------------------------------------------ who is asked


def test_retries_can_be_given_without_a_manager(first: Loopback, second: Loopback) -> None:
    ChatHomeostasis(max_retries=0).invoke("Where?")

    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_the_model_of_a_call_may_say_who_is_asked_first(first: Loopback, second: Loopback) -> None:
    message = ChatHomeostasis().invoke("Where?", model="groq:llama-y")

    assert message.text == "Paris."
    assert second.requests[0].json["model"] == "llama-y"
    assert first.requests == []


def test_whoever_is_preferred_is_not_asked_alone(first: Loopback, second: Loopback) -> None:
    manager = LLMManager(providers=["groq", "openai"], retry_config=RetryConfig(max_retries=0))
    model = ChatHomeostasis(manager=manager, model="openai:gpt-y")

    assert model.invoke("Where?").text == "Paris."
    assert first.requests[0].json["model"] == "gpt-y"
    assert second.requests[0].json["model"] == "llama-x"


def test_whoever_is_named_without_a_manager_is_asked_alone(first: Loopback, second: Loopback) -> None:
    with pytest.raises(ModelAPIError):
        ChatHomeostasis(model="openai:gpt-9").invoke("Where?")

    assert (len(first.requests), second.requests) == (1, [])


# ----------------------------------------------------------------------------------- what belongs to one provider only


def test_thoughts_and_signatures_of_one_are_not_sent_to_another(first: Loopback, second: Loopback) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "add", "arguments": "{}"},
        "provider_specific_fields": {"thought_signature": "signed-by-openai"},
    }
    thinking = {"reasoning_content": "private thoughts", "tool_calls": [call]}
    first.reply(json=answer("", **thinking))
    model = ChatHomeostasis().bind_tools([add])

    asked = model.invoke("1 + 2?")
    model.invoke([HumanMessage("1 + 2?"), asked, ToolMessage("3", tool_call_id="c1")])

    assert asked.response_metadata["provider"] == "openai"
    assert "signed-by-openai" in first.requests[1].body.decode()
    assert second.requests
    for secret in ("signed-by-openai", "private thoughts"):
        assert secret not in second.requests[-1].body.decode()


def test_cache_markers_of_one_are_not_sent_to_another(first: Loopback, second: Loopback) -> None:
    marked: list[str | dict[Any, Any]] = [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
    ]
    model = ChatHomeostasis(extra={"prompt_cache_key": "mine"})

    model.invoke([SystemMessage(marked), HumanMessage("Where?")])

    assert first.requests[0].json["prompt_cache_key"] == "mine"
    sent = second.requests[0].body.decode()
    assert "Be brief." in sent
    assert "cache" not in sent
