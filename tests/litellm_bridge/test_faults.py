"""What goes wrong under litellm, as our errors."""

from __future__ import annotations

import asyncio
import copy
import pickle
import socket
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from homeostasis_llm import (
    AuthenticationError,
    ContextLengthError,
    FilePart,
    ImagePart,
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMError,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    Timeout,
    UnsuitableRequestError,
)
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.messages import ContentPart

from ..loopback import Loopback
from .wires import KEY, anthropic_answer, ask, openai_answer, openai_event

Call = Callable[[LLMProviderInterface], object]


def _complete(provider: LLMProviderInterface) -> object:
    return provider.complete(ask())


def _acomplete(provider: LLMProviderInterface) -> object:
    return asyncio.run(provider.acomplete(ask()))


both = pytest.mark.parametrize("call", [_complete, _acomplete], ids=["sync", "async"])


def _refused(name: str, call: Call, loopback: Loopback) -> LLMError:
    with pytest.raises(LLMError) as caught:
        call(LiteLLMProvider(name, KEY, base_url=loopback.url))
    return caught.value


@both
@pytest.mark.parametrize("name", ["openai", "anthropic", "groq", "mistral", "gemini", "openrouter", "cohere", "ollama"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, AuthenticationError),
        (402, QuotaExceededError),
        (403, PermissionDeniedError),
        (404, ModelNotFoundError),
        (429, RateLimitError),
        (500, ServerError),
        (503, OverloadedError),
        (529, OverloadedError),
    ],
)
def test_every_provider_speaks_our_errors_after_one_request(  # two tables and two fixtures
    name: str, status: int, kind: type[LLMError], call: Call, loopback: Loopback
) -> None:
    loopback.always(status=status, json={"error": {"message": "No."}}, headers={"retry-after": "7"})

    error = _refused(name, call, loopback)

    assert type(error) is kind
    assert (error.provider, error.model, error.status_code) == (name, "some-model", status)
    assert error.retry_after == 7.0
    assert "No." in str(error)
    assert "\n" not in str(error)
    assert len(loopback.requests) == 1


@both
@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_key_that_the_provider_echoes_is_nowhere_in_the_error(name: str, call: Call, loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": f"Incorrect API key provided: {KEY}.", "code": KEY}})

    error = _refused(name, call, loopback)

    seen = [str(error), repr(error), str(error.args), str(vars(error)), "".join(traceback.format_exception(error))]
    seen += [str(error.__cause__), str(pickle.dumps(error)), str(vars(copy.copy(error)))]
    assert not [text for text in seen if KEY in text]


@both
def test_an_errors_traceback_holds_no_frame_with_the_key(call: Call, loopback: Loopback) -> None:
    loopback.always(status=401, json={"error": {"message": "No."}})

    error = _refused("openai", call, loopback)

    # What an error tracker does: every frame's locals, along the whole chain.
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert KEY not in shown
    assert error.__context__ is None or KEY not in str(vars(error.__context__))


@both
def test_an_error_survives_pickle_with_its_facts_and_its_cause(call: Call, loopback: Loopback) -> None:
    loopback.always(status=429, json={"error": {"message": "Slow."}}, headers={"x-request-id": "r1"})

    error = _refused("openai", call, loopback)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes

    assert (type(again), again.args, vars(again)) == (type(error), error.args, vars(error))
    assert str(again.__cause__) == str(error.__cause__) != ""
    assert again.request_id == "r1"


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_litellm_knows_the_sentence_where_a_provider_has_no_code_for_a_long_prompt(
    name: str, loopback: Loopback
) -> None:
    sentence = "prompt is too long: 210000 tokens > 200000 maximum"
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": sentence}}
    loopback.always(status=400, json=said)

    error = _refused(name, _complete, loopback)

    assert type(error) is (ContextLengthError if name == "anthropic" else InvalidRequestError)


def test_a_context_that_is_too_small_is_told_with_both_numbers(loopback: Loopback) -> None:
    told = {"code": 400, "type": "exceed_context_size_error", "message": "x", "n_prompt_tokens": 900, "n_ctx": 512}
    loopback.always(status=400, json={"error": told})

    error = _refused("openai", _complete, loopback)

    assert isinstance(error, ContextLengthError)
    assert (error.prompt_tokens, error.context_tokens) == (900, 512)


@both
@pytest.mark.parametrize(
    "answer",
    [
        {"body": "<html><title>Welcome</title></html>", "headers": {"content-type": "text/html"}},
        {"body": ""},
        {"body": '{"id": "chatcmpl-1", "choices": [{"mess'},
        {"json": {"id": "chatcmpl-1"}},
        {"json": {"choices": "none"}},
        {"json": []},
    ],
    ids=["a web page", "nothing", "half an object", "no choices", "choices of the wrong type", "a list"],
)
def test_an_answer_that_cannot_be_read_is_said_to_be_so(answer: Any, call: Call, loopback: Loopback) -> None:
    loopback.always(**answer)

    error = _refused("openai", call, loopback)

    assert isinstance(error, InvalidResponseError)
    assert error.status_code == 200
    assert "\n" not in str(error)
    assert len(loopback.requests) == 1


def test_a_web_page_in_place_of_an_answer_points_at_the_base_url(loopback: Loopback) -> None:
    loopback.always(body="<html>", headers={"content-type": "text/html"})

    assert "base URL" in str(_refused("openai", _complete, loopback))


@both
def test_a_redirect_is_not_followed_with_the_key(call: Call, loopback: Loopback) -> None:
    with Loopback() as elsewhere:
        loopback.always(status=307, headers={"location": f"{elsewhere.url}/chat/completions"})

        error = _refused("openai", call, loopback)

        assert isinstance(error, InvalidRequestError)
        assert "redirect" in str(error)
        assert elsewhere.requests == []


@both
@pytest.mark.parametrize(
    ("name", "model", "asked", "told"),
    [
        (
            "fireworks_ai",
            "accounts/fireworks/models/gpt-oss-20b",
            [ImagePart(url="https://pictures.example/1.png")],
            "image inputs",
        ),
        ("fireworks_ai", "accounts/fireworks/models/gpt-oss-20b", [FilePart(data=b"x", media_type="a/b")], "file"),
    ],
)
def test_what_litellm_refuses_for_a_provider_another_may_take(  # noqa: PLR0917  # a table and two fixtures
    name: str, model: str, asked: list[ContentPart], told: str, call: Call, loopback: Loopback
) -> None:
    request = LLMRequest([LLMMessage(role="user", content=asked)], model=model)
    provider = LiteLLMProvider(name, KEY, base_url=loopback.url)

    with pytest.raises(UnsuitableRequestError, match=told):
        asyncio.run(provider.acomplete(request)) if call is _acomplete else provider.complete(request)

    assert loopback.requests == []


@both
def test_an_answer_that_breaks_off_is_a_lost_connection(call: Call, loopback: Loopback) -> None:
    loopback.always(json=openai_answer("Hello" * 100), cut=True)

    error = _refused("openai", call, loopback)

    assert isinstance(error, LLMConnectionError)
    assert len(loopback.requests) == 1


@both
@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_server_that_hangs_up_is_a_lost_connection(name: str, call: Call, loopback: Loopback) -> None:
    loopback.always(drop=True)

    error = _refused(name, call, loopback)

    assert isinstance(error, LLMConnectionError)
    assert error.retryable
    assert len(loopback.requests) == 1


@both
def test_a_port_that_nobody_listens_on_is_said_to_refuse(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening, so that nobody else can take it
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(LLMConnectionError, match="refused"):
            call(LiteLLMProvider("openai", KEY, base_url=url))


# The waits below are real: what is tested is that a socket's wait ends. The limits are a fraction of a second, the
# server's silence lasts far longer, and nobody measures the time in between.


@both
@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_silent_server_costs_no_more_than_the_time_to_the_first_byte(
    name: str, call: Call, loopback: Loopback
) -> None:
    loopback.always(json=openai_answer(), delay=60)

    with pytest.raises(LLMTimeoutError, match=r"no answer within 0\.2 s") as caught:
        call(LiteLLMProvider(name, KEY, base_url=loopback.url, timeout=Timeout(first_byte=0.2)))

    assert caught.value.retryable
    assert len(loopback.requests) == 1


def test_a_stalled_stream_costs_no_more_than_the_time_between_chunks(loopback: Loopback) -> None:
    loopback.always(chunks=[openai_event({"content": "Hel"}), 60.0, openai_event({"content": "lo"})])
    provider = LiteLLMProvider("openai", KEY, base_url=loopback.url, timeout=Timeout(between_chunks=0.2))

    with pytest.raises(LLMTimeoutError, match=r"stalled for 0\.2 s") as caught:
        list(provider.complete_stream(ask()))

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hel"


def test_a_stream_that_drips_for_ever_ends_with_the_total_time(loopback: Loopback) -> None:
    drops: list[Any] = [part for _ in range(600) for part in (openai_event({"content": "x"}), 0.02)]
    loopback.always(chunks=drops)

    with pytest.raises(LLMTimeoutError, match=r"within 0\.3 s"):
        list(LiteLLMProvider("openai", KEY, base_url=loopback.url, timeout=0.3).complete_stream(ask()))


def test_a_requests_own_time_counts_before_the_providers(loopback: Loopback) -> None:
    loopback.always(json=anthropic_answer(), delay=60)
    provider = LiteLLMProvider("anthropic", KEY, base_url=loopback.url, timeout=30)

    with pytest.raises(LLMTimeoutError):
        provider.complete(ask(timeout=0.2))
