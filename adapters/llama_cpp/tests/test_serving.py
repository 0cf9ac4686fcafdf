"""The model as a server, for other programs and other tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from homeostasis_llm_llama_cpp import serve, smollm2

KEY = "test-key-of-nobody"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(api_key=KEY, context_tokens=1024, parallel=1, threads=1) as address:
        yield address


def post(url: str, path: str, body: dict[str, Any], key: str = KEY) -> httpx.Response:
    return httpx.post(url + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)


def test_it_listens_on_loopback_only(url: str) -> None:
    assert httpx.URL(url).host == "127.0.0.1"
    assert httpx.URL(url).port


def test_it_speaks_chat_completions(url: str) -> None:
    answer = post(url, "/v1/chat/completions", {"messages": QUESTION}).json()

    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["model"] == "smollm2-135m-instruct"
    assert answer["usage"]["completion_tokens"] > 0


def test_it_speaks_responses(url: str) -> None:
    answer = post(url, "/v1/responses", {"input": "What is the capital of France?"}).json()

    assert "Paris" in answer["output"][0]["content"][0]["text"]


def test_it_speaks_messages(url: str) -> None:
    body = {"model": "any", "max_tokens": 20, "messages": QUESTION}

    answer = httpx.post(f"{url}/v1/messages", json=body, headers={"x-api-key": KEY}, timeout=60).json()

    assert "Paris" in answer["content"][0]["text"]
    assert answer["stop_reason"] == "end_turn"


def test_it_streams(url: str) -> None:
    answer = post(url, "/v1/chat/completions", {"messages": QUESTION, "stream": True})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("data: ") > 5
    assert answer.text.rstrip().endswith("data: [DONE]")


def test_it_names_its_model_and_answers_whatever_model_is_asked(url: str) -> None:
    listed = httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {KEY}"}).json()
    answer = post(url, "/v1/chat/completions", {"model": "another", "messages": QUESTION, "max_tokens": 1}).json()

    assert [model["id"] for model in listed["data"]] == ["smollm2-135m-instruct"]
    assert answer["model"] == "smollm2-135m-instruct"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/models", "/props"])
def test_it_refuses_another_key(url: str, path: str) -> None:
    refused = post(url, path, {}, key="another")

    assert refused.status_code == 401
    assert refused.json()["error"] == {"message": "Invalid API Key", "type": "authentication_error", "code": 401}
    assert refused.headers.get("access-control-allow-origin") != "*"


def test_an_answer_of_no_given_length_ends_where_the_models_tuning_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "TUNING", replace(smollm2.TUNING, max_tokens=7))

    with serve(context_tokens=512, parallel=1, threads=1) as address:
        answer = post(address, "/v1/chat/completions", {"messages": QUESTION, "ignore_eos": True}).json()

    assert answer["usage"]["completion_tokens"] == 7
    assert answer["choices"][0]["finish_reason"] == "length"


def test_too_long_a_prompt_says_both_numbers(url: str) -> None:
    refused = post(url, "/v1/chat/completions", {"messages": [{"role": "user", "content": "word " * 2000}]})

    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "exceed_context_size_error"
    assert refused.json()["error"]["n_ctx"] == 1024


def test_without_a_key_it_asks_for_none_and_it_is_gone_afterwards() -> None:
    with serve(context_tokens=512, parallel=1, threads=1) as address:
        answer = httpx.post(f"{address}/v1/chat/completions", json={"messages": QUESTION, "max_tokens": 1}, timeout=60)
        assert answer.status_code == 200

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health")
