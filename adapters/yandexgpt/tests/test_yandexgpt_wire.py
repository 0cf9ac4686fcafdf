"""What Yandex Cloud is sent, and how its streams and numbers are read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from homeostasis_llm_yandexgpt import YandexGPTProvider

from homeostasis_llm import InvalidRequestError, InvalidResponseError, LLMMessage, LLMRequest, ToolCall, merge_chunks
from tests.loopback import Loopback

KEY = "not-a-real-key-0123456789"
HI = LLMMessage(role="user", content="Hi")


def _event(text: str, status: str = "PARTIAL", **message: Any) -> dict[str, Any]:
    told = {"role": "assistant", "text": text, **message}
    alternative = {"message": told, "status": f"ALTERNATIVE_STATUS_{status}"}
    usage = {"inputTextTokens": "12", "completionTokens": "3", "totalTokens": "15"}
    return {"result": {"alternatives": [alternative], "usage": usage, "modelVersion": "07.03.2024"}}


def _provider(loopback: Loopback, **options: Any) -> YandexGPTProvider:
    return YandexGPTProvider(KEY, base_url=loopback.url, **{"folder_id": "b1gmadeup", **options})


def test_a_request_has_the_form_of_the_reference(loopback: Loopback) -> None:
    loopback.reply(json=_event("Hello.", "FINAL"))
    call = ToolCall(name="weather", arguments={"city": "Moscow"}, id="c1")
    conversation = [
        HI,
        LLMMessage(role="assistant", content="", tool_calls=[call]),
        LLMMessage(role="tool", tool_call_id="c1", content="-5"),
    ]

    with _provider(loopback) as provider:
        answer = provider.complete(
            LLMRequest(messages=conversation, system_prompt="Be brief.", max_tokens=9, temperature=0.0)
        )

    sent = loopback.requests[0]
    assert sent.path == "/foundationModels/v1/completion"
    assert sent.headers["authorization"] == f"Api-Key {KEY}"
    assert sent.json == {
        "modelUri": "gpt://b1gmadeup/yandexgpt",
        "completionOptions": {"stream": False, "temperature": 0.0, "maxTokens": 9},
        "messages": [
            {"role": "system", "text": "Be brief."},
            {"role": "user", "text": "Hi"},
            {
                "role": "assistant",
                "toolCallList": {"toolCalls": [{"functionCall": {"name": "weather", "arguments": {"city": "Moscow"}}}]},
            },
            {
                "role": "assistant",
                "toolResultList": {"toolResults": [{"functionResult": {"name": "weather", "content": "-5"}}]},
            },
        ],
    }
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (12, 3, 15)


def test_a_stream_grows_and_what_is_new_is_told(loopback: Loopback) -> None:
    events = [_event("Hel"), _event("Hello."), _event("Hello.", "FINAL")]
    loopback.reply(chunks=[json.dumps(event).encode() + b"\n" for event in events])

    with _provider(loopback) as provider:
        chunks = list(provider.complete_stream(LLMRequest(messages=[HI])))

    assert [chunk.text for chunk in chunks] == ["Hel", "lo.", ""]
    assert merge_chunks(chunks).to_response().finish_reason == "stop"
    assert loopback.requests[0].json["completionOptions"]["stream"] is True


def test_a_stream_that_changes_what_it_has_said_is_no_answer(loopback: Loopback) -> None:
    loopback.reply(chunks=[json.dumps(event).encode() + b"\n" for event in (_event("Hel"), _event("Bye"))])

    with _provider(loopback) as provider, pytest.raises(InvalidResponseError, match="changed what it had said"):
        list(provider.complete_stream(LLMRequest(messages=[HI])))


def test_the_folder_comes_from_the_environment_or_the_models_own_address(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.always(json=_event("Hello.", "FINAL"))
    with _provider(loopback, folder_id="") as provider:
        with pytest.raises(InvalidRequestError, match="no folder is known"):
            provider.complete(LLMRequest(messages=[HI]))
        provider.complete(LLMRequest(messages=[HI], model="ds://tuned"))
        monkeypatch.setenv("YC_FOLDER_ID", "b1gfromenv")
        provider.complete(LLMRequest(messages=[HI], model="yandexgpt-lite"))

    assert [request.json["modelUri"] for request in loopback.requests] == [
        "ds://tuned",
        "gpt://b1gfromenv/yandexgpt-lite",
    ]
