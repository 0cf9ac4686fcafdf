"""Which way litellm is called. The direct lane is told from the full one by the name that it gives itself."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from homeostasis_llm import (
    InvalidRequestError,
    InvalidResponseError,
    LLMMessage,
    LLMRequest,
    OverloadedError,
    ServerError,
)
from homeostasis_llm.litellm_bridge import lanes
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.litellm_bridge.runtime import load_litellm
from homeostasis_llm.request import JSONSchema, Tool
from homeostasis_llm.response import merge_chunks

from ..lanes.both import on
from ..lanes.requests import environment_of
from ..loopback import Loopback
from .wires import DONE, KEY, anthropic_answer, ask, openai_answer, openai_event, tool_call


@pytest.fixture
def force(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Whoever runs the tests may have forced a lane."""
    monkeypatch.delenv(lanes.VARIABLE, raising=False)
    return monkeypatch


def lane_of(provider: str, loopback: Loopback, **fields: Any) -> str:
    """The lane that a call took."""
    loopback.reply(json=anthropic_answer() if provider == "anthropic" else openai_answer())
    with suppress(InvalidResponseError):  # some answer in forms of their own
        LiteLLMProvider(provider, KEY, base_url=loopback.url).complete(ask(**fields))
    return "direct" if loopback.requests[-1].headers["user-agent"].startswith("homeostasis-llm/") else "full"


def test_whoever_is_not_proven_takes_the_full_lane(force: pytest.MonkeyPatch, loopback: Loopback) -> None:
    force.setattr(lanes, "proven", lambda: frozenset({"groq"}))

    assert lane_of("openai", loopback) == "full"
    assert lane_of("groq", loopback) == "direct"


@pytest.mark.parametrize(
    ("said", "openai", "groq"),
    [
        ("direct", "direct", "direct"),
        ("full", "full", "full"),
        ("openai=direct", "direct", "full"),
        ("full, openai=direct", "direct", "full"),
        ("groq=direct,openai=full", "full", "direct"),
    ],
)
def test_the_environment_has_the_last_word(
    said: str, openai: str, groq: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setattr(lanes, "proven", frozenset)
    force.setenv(lanes.VARIABLE, said)

    assert (lane_of("openai", loopback), lane_of("groq", loopback)) == (openai, groq)


@pytest.mark.parametrize("said", ["quick", "openai=", "openai=quick", "=direct,openai"])
def test_a_lane_that_is_none_is_an_error(said: str, force: pytest.MonkeyPatch, loopback: Loopback) -> None:
    force.setenv(lanes.VARIABLE, said)

    with pytest.raises(InvalidRequestError, match="HOMEOSTASIS_LITELLM_LANE: must be direct, full, or"):
        lane_of("openai", loopback)

    assert loopback.requests == []


def test_a_provider_whose_answers_have_another_form_takes_the_full_lane_even_where_it_is_forced(
    force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, "direct")

    assert lane_of("cloudflare", loopback) == "full"


@pytest.mark.parametrize(
    ("extra", "lane"),
    [
        ({"litellm_metadata": {"a": 1}}, "full"),
        ({"cache": {"no-cache": True}}, "full"),
        ({"drop_params": True}, "full"),
        ({"a_field_of_its_own": 1}, "direct"),
    ],
)
def test_what_only_litellm_as_a_whole_heeds_takes_the_full_lane(
    extra: dict[str, object], lane: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, "direct")

    assert lane_of("openai", loopback, extra=extra) == lane


@pytest.mark.parametrize(
    ("model", "fields", "lane"),
    [
        ("claude-sonnet-4-5", {"tools": [Tool(name="a_b")]}, "direct"),
        ("claude-sonnet-4-5", {"tools": [Tool(name="a/b")]}, "full"),
        ("claude-sonnet-4-5", {"response_format": JSONSchema(schema={"type": "object"})}, "direct"),
        ("claude-3-haiku-20240307", {"response_format": JSONSchema(schema={"type": "object"})}, "full"),
        ("claude-opus-4-6", {"extra": {"speed": "fast"}}, "full"),
    ],
)
def test_where_litellm_would_turn_what_anthropic_answers_back_it_is_asked_whole(
    model: str, fields: dict[str, object], lane: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, "direct")

    assert lane_of("anthropic", loopback, model=model, **fields) == lane


def test_a_host_application_that_has_litellm_report_its_calls_is_told_of_ours(
    force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, "direct")
    force.setattr(load_litellm(), "success_callback", [lambda *_: None])

    assert lane_of("openai", loopback) == "full"


def refusal(said: str) -> dict[str, object]:
    """An answer with status 400."""
    return {"error": {"message": said, "type": "invalid_request_error"}}


def test_messages_that_a_server_wants_in_turns_are_sent_so_by_both_lanes(
    force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    both = [LLMMessage(role="user", content="one"), LLMMessage(role="user", content="two")]
    sent = []
    for lane, refusals in (("full", 1), ("direct", 2)):
        force.setenv(lanes.VARIABLE, lane)
        for _ in range(refusals):
            loopback.reply(status=400, json=refusal("Conversation roles must alternate user/assistant/..."))
        loopback.reply(json=openai_answer())
        provider = LiteLLMProvider("openai", KEY, base_url=loopback.url)
        assert provider.complete(LLMRequest(messages=both, model="some-model")).content == "Hello"
        sent.append([message["role"] for message in loopback.requests[-1].json["messages"]])

    assert sent == [["user", "assistant", "user"]] * 2


@pytest.mark.parametrize("lane", ["full", "direct"])
def test_one_message_that_is_refused_for_not_being_in_turns_is_an_error(
    lane: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, lane)
    loopback.always(status=400, json=refusal("Conversation roles must alternate user/assistant/..."))

    with pytest.raises(InvalidRequestError, match="roles must alternate"):
        LiteLLMProvider("openai", KEY, base_url=loopback.url).complete(ask())


@pytest.mark.parametrize("lane", ["full", "direct"])
def test_a_model_that_had_no_room_for_a_word_has_answered_with_none(
    lane: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, lane)
    said = "Could not finish the message because max_tokens or model output limit was reached."
    loopback.always(status=400, json=refusal(said))

    answer = LiteLLMProvider("openai", KEY, base_url=loopback.url).complete(ask(max_tokens=1))

    assert (answer.content, answer.finish_reason) == ("", "length")


@pytest.mark.parametrize("lane", ["full", "direct"])
def test_what_came_in_one_piece_with_an_error_after_it_is_not_lost(
    lane: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, lane)
    error = json.dumps({"error": {"message": "too busy", "type": "overloaded_error"}})
    loopback.reply(
        chunks=["".join([openai_event({"content": "Hel"}), openai_event({"content": "lo"}), f"data: {error}\n\n"])]
    )

    with pytest.raises(OverloadedError) as caught:
        list(LiteLLMProvider("openai", KEY, base_url=loopback.url).complete_stream(ask()))

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hello"


each_lane = pytest.mark.parametrize("lane", ["full", "direct"])


@each_lane
@pytest.mark.parametrize("model", ["gpt-4o", "o3-mini"])
def test_azure_is_asked_once_where_it_fails(
    model: str, lane: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, lane)
    loopback.always(status=500, json={"error": {"message": "Oops"}})

    with pytest.raises(ServerError):
        LiteLLMProvider("azure", KEY, base_url=loopback.url).complete(ask(model=model))

    assert len(loopback.requests) == 1


@each_lane
@pytest.mark.parametrize(
    ("given", "variable", "sent"),
    [("2024-10-21", "2024-06-01", "2024-10-21"), (None, "2024-06-01", "2024-06-01"), (None, "", "2025-02-01-preview")],
)
def test_azures_version_is_the_one_given_or_the_environments_or_litellms(
    given: str | None, variable: str, sent: str, lane: str, loopback: Loopback
) -> None:
    loopback.reply(json=openai_answer())

    with on(lane), environment_of({"AZURE_API_VERSION": variable}):
        LiteLLMProvider("azure", KEY, base_url=loopback.url, api_version=given).complete(ask())

    assert loopback.requests[-1].query == {"api-version": [sent]}


@each_lane
@pytest.mark.parametrize("streamed", [False, True])
def test_a_signature_that_google_puts_beside_a_call_comes_back_with_it(
    streamed: bool, lane: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, lane)
    signed = {"google": {"thought_signature": "c2ln"}}
    call = {**tool_call("weather", "{}"), "extra_content": signed}
    if streamed:
        loopback.reply(chunks=[openai_event({"tool_calls": [{"index": 0, **call}]}), openai_event({}, "stop"), DONE])
    else:
        loopback.reply(json=openai_answer(None, tool_calls=[call]))
    loopback.reply(json=openai_answer())
    provider = LiteLLMProvider("openai", KEY, base_url=loopback.url)
    asked = ask().messages
    answer = merge_chunks(provider.complete_stream(ask())).to_response() if streamed else provider.complete(ask())
    result = LLMMessage(role="tool", tool_call_id=answer.tool_calls[0].id, content="Rain.")

    provider.complete(LLMRequest(messages=[*asked, answer.to_message(), result], model="some-model"))

    [sent] = loopback.requests[-1].json["messages"][1]["tool_calls"]
    assert sent["extra_content"] == signed
    assert "provider_specific_fields" not in sent
