"""From a failed answer to an error: its class, and every fact that a status, a header or a body tells."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm import (
    AuthenticationError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    LLMError,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    UnsuitableRequestError,
)
from homeostasis_llm.error_facts import ErrorBody, error_from_answer, request_id, retry_after
from homeostasis_llm.redaction import MASK, remember

from . import wild

NOW = 1_445_412_480.0
"""Wed, 21 Oct 2015 07:28:00 GMT."""


def clock() -> float:
    return NOW


def fail(
    status: int | None, body: Any = None, *, provider: str = "openai", headers: Mapping[str, str] | None = None
) -> LLMError:
    """What a failed answer means; a body that is no text or bytes is sent as JSON."""
    sent = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
    return error_from_answer(status, headers or {}, sent, provider=provider, model="some-model", clock=clock)


def openai(code: str | None, kind: str | None = "invalid_request_error", said: str = "No.") -> dict[str, Any]:
    return {"error": {"message": said, "type": kind, "param": None, "code": code}}


def anthropic(kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "req_011"}


def google(code: int, status: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": "No.", "status": status, "details": list(details)}}


def google_reason(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def google_quota(quota: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}


def google_retry(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


class Case(NamedTuple):
    """A failed answer and what it means."""

    status: int | None
    body: Any
    kind: type[LLMError]
    code: str | None = None
    wait: float | None = None
    headers: Mapping[str, str] = {}


PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
OURS = "invalid_request_error"

CASES: dict[str, Case] = {
    # OpenAI.
    "OpenAI, wrong key": Case(401, openai("invalid_api_key"), AuthenticationError, "invalid_api_key"),
    "OpenAI, key of nobody": Case(401, openai(None), AuthenticationError, OURS),
    "OpenAI, region": Case(
        403,
        openai("unsupported_country_region_territory", "request_forbidden"),
        PermissionDeniedError,
        "unsupported_country_region_territory",
    ),
    "OpenAI, no such model": Case(404, openai("model_not_found"), ModelNotFoundError, "model_not_found"),
    "OpenAI, no such model, responses": Case(400, openai("model_not_found"), ModelNotFoundError, "model_not_found"),
    "OpenAI, no such URL": Case(404, openai("unknown_url"), InvalidRequestError, "unknown_url"),
    "OpenAI, too long": Case(400, openai("context_length_exceeded"), ContextLengthError, "context_length_exceeded"),
    "OpenAI, bad parameter": Case(400, openai("unknown_parameter"), InvalidRequestError, "unknown_parameter"),
    "OpenAI, too fast": Case(
        429, openai("rate_limit_exceeded", "tokens"), RateLimitError, "rate_limit_exceeded", 7.0, {"Retry-After": "7"}
    ),
    "OpenAI, out of credit": Case(
        429, openai("insufficient_quota", "insufficient_quota"), QuotaExceededError, "insufficient_quota"
    ),
    "OpenAI, out of credit, by its type alone": Case(
        429, openai(None, "insufficient_quota"), QuotaExceededError, "insufficient_quota"
    ),
    "OpenAI, flagged prompt": Case(400, openai("invalid_prompt"), ContentRefusedError, "invalid_prompt"),
    "OpenAI, policy": Case(
        400,
        openai("content_policy_violation", "image_generation_user_error"),
        ContentRefusedError,
        "content_policy_violation",
    ),
    "OpenAI, its own fault": Case(500, openai(None, "server_error"), ServerError, "server_error"),
    "OpenAI, overloaded": Case(503, openai(None, "server_error"), OverloadedError, "server_error"),
    "OpenAI, in a stream": Case(
        None,
        {"type": "error", "code": "rate_limit_exceeded", "message": "No.", "param": None},
        RateLimitError,
        "rate_limit_exceeded",
    ),
    "OpenAI, a response that failed": Case(
        200,
        {
            "type": "response.failed",
            "response": {"status": "failed", "error": {"code": "insufficient_quota", "message": "No."}},
        },
        QuotaExceededError,
        "insufficient_quota",
    ),
    "OpenAI, a response that failed on its input": Case(
        200,
        {"type": "response.failed", "response": {"error": {"code": "image_too_large", "message": "No."}}},
        InvalidRequestError,
        "image_too_large",
    ),
    # Azure.
    "Azure, wrong key": Case(
        401,
        {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}},
        AuthenticationError,
        "401",
    ),
    "Azure, no token": Case(401, {"statusCode": 401, "message": "Access token is missing."}, AuthenticationError),
    "Azure, no right": Case(
        401, {"error": {"code": "PermissionDenied", "message": "No."}}, PermissionDeniedError, "PermissionDenied"
    ),
    "Azure, no such deployment": Case(404, openai("DeploymentNotFound"), ModelNotFoundError, "DeploymentNotFound"),
    "Azure, filtered prompt": Case(
        400,
        {
            "error": {
                "message": "The response was filtered.",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
                },
            }
        },
        ContentRefusedError,
        "ResponsibleAIPolicyViolation",
    ),
    "Azure, filtered, inside a good answer": Case(
        200, {"error": {"code": "content_filter", "message": "No."}}, ContentRefusedError, "content_filter"
    ),
    "Azure, too fast": Case(
        429, {"error": {"code": "429", "message": "No."}}, RateLimitError, "429", 1.5, {"retry-after-ms": "1500"}
    ),
    # Anthropic.
    "Anthropic, bad request": Case(400, anthropic("invalid_request_error"), InvalidRequestError, OURS),
    "Anthropic, wrong key": Case(401, anthropic("authentication_error"), AuthenticationError, "authentication_error"),
    "Anthropic, out of credit": Case(402, anthropic("billing_error"), QuotaExceededError, "billing_error"),
    "Anthropic, no right": Case(403, anthropic("permission_error"), PermissionDeniedError, "permission_error"),
    "Anthropic, no such model": Case(404, anthropic("not_found_error"), ModelNotFoundError, "not_found_error"),
    "Anthropic, too large": Case(413, anthropic("request_too_large"), InvalidRequestError, "request_too_large"),
    "Anthropic, too fast": Case(
        429, anthropic("rate_limit_error"), RateLimitError, "rate_limit_error", 12.0, {"retry-after": "12"}
    ),
    "Anthropic, its own fault": Case(500, anthropic("api_error"), ServerError, "api_error"),
    "Anthropic, too slow": Case(504, anthropic("timeout_error"), LLMTimeoutError, "timeout_error"),
    "Anthropic, overloaded": Case(529, anthropic("overloaded_error"), OverloadedError, "overloaded_error"),
    "Anthropic, overloaded, in a stream": Case(200, anthropic("overloaded_error"), OverloadedError, "overloaded_error"),
    "Anthropic, bad request, in a stream": Case(None, anthropic("invalid_request_error"), InvalidRequestError, OURS),
    # Google.
    "Google, wrong key": Case(
        400,
        google(400, "INVALID_ARGUMENT", google_reason("API_KEY_INVALID")),
        AuthenticationError,
        "API_KEY_INVALID",
    ),
    "Google, no key": Case(403, google(403, "PERMISSION_DENIED"), PermissionDeniedError, "PERMISSION_DENIED"),
    "Google, old token": Case(
        401,
        google(401, "UNAUTHENTICATED", google_reason("ACCESS_TOKEN_EXPIRED")),
        AuthenticationError,
        "ACCESS_TOKEN_EXPIRED",
    ),
    "Google, service off": Case(
        403,
        google(403, "PERMISSION_DENIED", google_reason("SERVICE_DISABLED")),
        PermissionDeniedError,
        "SERVICE_DISABLED",
    ),
    "Google, bad request": Case(400, google(400, "INVALID_ARGUMENT"), InvalidRequestError, "INVALID_ARGUMENT"),
    "Google, no such model": Case(404, google(404, "NOT_FOUND"), ModelNotFoundError, "NOT_FOUND"),
    "Google, too fast": Case(
        429,
        google(429, "RESOURCE_EXHAUSTED", google_quota(PER_MINUTE), google_retry("34.4s")),
        RateLimitError,
        "RESOURCE_EXHAUSTED",
        34.4,
    ),
    "Google, no more today": Case(
        429,
        google(429, "RESOURCE_EXHAUSTED", google_quota(PER_DAY), google_retry("12s")),
        QuotaExceededError,
        "RESOURCE_EXHAUSTED",
        12.0,
    ),
    "Google, too slow": Case(504, google(504, "DEADLINE_EXCEEDED"), LLMTimeoutError, "DEADLINE_EXCEEDED"),
    "Google, overloaded": Case(503, google(503, "UNAVAILABLE"), OverloadedError, "UNAVAILABLE"),
    "Google, its own fault": Case(500, google(500, "INTERNAL"), ServerError, "INTERNAL"),
    "Google, in a list of one": Case(400, [google(400, "INVALID_ARGUMENT")], InvalidRequestError, "INVALID_ARGUMENT"),
    "Google, in a stream": Case(200, [google(429, "RESOURCE_EXHAUSTED")], RateLimitError, "RESOURCE_EXHAUSTED"),
    # AWS.
    "AWS, too fast": Case(
        429,
        {"message": "Too many tokens."},
        RateLimitError,
        "ThrottlingException",
        None,
        {"x-amzn-ErrorType": "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/"},
    ),
    "AWS, no right": Case(
        403,
        {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "No."},
        PermissionDeniedError,
        "AccessDeniedException",
    ),
    "AWS, wrong key": Case(
        403,
        {"message": "No."},
        AuthenticationError,
        "UnrecognizedClientException",
        None,
        {"x-amzn-errortype": "UnrecognizedClientException"},
    ),
    "AWS, wrong secret": Case(
        403, {"__type": "InvalidSignatureException"}, AuthenticationError, "InvalidSignatureException"
    ),
    "AWS, old token": Case(403, {"__type": "ExpiredTokenException"}, AuthenticationError, "ExpiredTokenException"),
    "AWS, bad request": Case(
        400,
        {"message": "No."},
        InvalidRequestError,
        "ValidationException",
        None,
        {"x-amzn-errortype": "ValidationException"},
    ),
    "AWS, no such model": Case(
        404, {"__type": "ResourceNotFoundException"}, ModelNotFoundError, "ResourceNotFoundException"
    ),
    "AWS, out of quota": Case(
        400, {"__type": "ServiceQuotaExceededException"}, QuotaExceededError, "ServiceQuotaExceededException"
    ),
    "AWS, the model failed": Case(424, {"__type": "ModelErrorException"}, ServerError, "ModelErrorException"),
    "AWS, the model is too slow": Case(
        408, {"__type": "ModelTimeoutException"}, LLMTimeoutError, "ModelTimeoutException"
    ),
    "AWS, the model is not there yet": Case(
        429, {"__type": "ModelNotReadyException"}, OverloadedError, "ModelNotReadyException"
    ),
    "AWS, in a stream": Case(
        None, {"__type": "throttlingException", "message": "No."}, RateLimitError, "throttlingException"
    ),
    # The others, by what makes them different.
    "Groq, one request too large for a minute": Case(
        413, openai("rate_limit_exceeded", "tokens"), QuotaExceededError, "rate_limit_exceeded"
    ),
    "Groq, no room in the flex tier": Case(498, openai("capacity_exceeded", "x"), OverloadedError, "capacity_exceeded"),
    "Groq, a call that does not fit": Case(400, openai("tool_use_failed"), InvalidRequestError, "tool_use_failed"),
    "Groq, a call that does not fit, in a stream": Case(
        200,
        {"error": {"message": "No.", "type": OURS, "code": "tool_use_failed", "status_code": 400}},
        InvalidRequestError,
        "tool_use_failed",
    ),
    "DeepSeek, out of credit": Case(
        402, openai("invalid_request_error", "unknown_error"), QuotaExceededError, "invalid_request_error"
    ),
    "DeepSeek, bad parameter": Case(422, openai("invalid_request_error"), InvalidRequestError, "invalid_request_error"),
    "OpenRouter, out of credit": Case(402, {"error": {"code": 402, "message": "No."}}, QuotaExceededError),
    "OpenRouter, out of credit, in a good answer": Case(
        200, {"error": {"code": 402, "message": "No."}}, QuotaExceededError
    ),
    "OpenRouter, flagged prompt": Case(
        403,
        {"error": {"code": 403, "message": "No.", "metadata": {"reasons": ["violence"], "flagged_input": "…"}}},
        ContentRefusedError,
    ),
    "OpenRouter, the model's provider is down": Case(200, {"error": {"code": 502, "message": "No."}}, ServerError),
    "OpenRouter, nobody is there": Case(503, {"error": {"code": 503, "message": "No."}}, OverloadedError),
    "OpenRouter, too slow": Case(408, {"error": {"code": 408, "message": "No."}}, LLMTimeoutError),
    "Mistral, no such model": Case(
        400,
        {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "param": None, "code": "1500"},
        ModelNotFoundError,
        "1500",
    ),
    "YandexGPT, wrong key, within a good answer": Case(
        200,
        {"error": {"grpcCode": 16, "httpCode": 401, "message": "No.", "httpStatus": "Unauthorized", "details": []}},
        AuthenticationError,
    ),
    "a status in words, within a good answer": Case(200, {"error": {"httpCode": "429"}}, RateLimitError),
    "Mistral, wrong key": Case(401, {"message": "Unauthorized", "request_id": "r_1"}, AuthenticationError),
    "Mistral, wrong key, otherwise": Case(401, {"detail": "Unauthorized"}, AuthenticationError),
    "Mistral, bad parameter": Case(
        422,
        {
            "object": "error",
            "message": {"detail": [{"type": "less_than_equal", "loc": ["body", "temperature"], "msg": "Too hot."}]},
            "type": "invalid_request_error",
            "code": None,
            "raw_status_code": 422,
        },
        InvalidRequestError,
        OURS,
    ),
    "Mistral, no room": Case(
        429,
        {"object": "error", "message": "No.", "type": "service_tier_capacity_exceeded", "code": "3505"},
        OverloadedError,
        "3505",
    ),
    "Cohere, wrong key": Case(401, {"message": "invalid api token"}, AuthenticationError),
    "Cohere, no such model": Case(404, {"id": "8bd5", "message": "model 'x' not found"}, ModelNotFoundError),
    "Cohere, too fast": Case(429, {"data": "too many requests", "message": "No."}, RateLimitError),
    "Moonshot, out of credit": Case(
        429, openai(None, "exceeded_current_quota_error"), QuotaExceededError, "exceeded_current_quota_error"
    ),
    "Moonshot, overloaded": Case(
        429, openai(None, "engine_overloaded_error"), OverloadedError, "engine_overloaded_error"
    ),
    "DashScope, out of credit": Case(
        400, {"code": "Arrearage", "message": "No.", "request_id": "r_1"}, QuotaExceededError, "Arrearage"
    ),
    "DashScope, wrong key": Case(
        401, {"code": "InvalidApiKey", "message": "No."}, AuthenticationError, "InvalidApiKey"
    ),
    "DashScope, filtered": Case(
        400, {"code": "DataInspectionFailed", "message": "No."}, ContentRefusedError, "DataInspectionFailed"
    ),
    "Hugging Face, loading": Case(
        503, {"error": "Model x is currently loading", "estimated_time": 20.5}, OverloadedError, None, 20.5
    ),
    "Hugging Face, several complaints": Case(400, {"error": ["temperature: no", "top_p: no"]}, InvalidRequestError),
    "Hugging Face, overloaded": Case(
        429, {"error": "Model is overloaded", "error_type": "overloaded"}, OverloadedError, "overloaded"
    ),
    "Hugging Face, bad request, in a stream": Case(
        200, {"error": "Input validation error", "error_type": "validation"}, InvalidRequestError, "validation"
    ),
    "IBM, out of quota": Case(
        403,
        {"errors": [{"code": "token_quota_reached", "message": "No."}], "trace": "t", "status_code": 403},
        QuotaExceededError,
        "token_quota_reached",
    ),
    "GitHub, too large": Case(413, openai("tokens_limit_reached"), ContextLengthError, "tokens_limit_reached"),
    "llama.cpp, too long": Case(
        400,
        {
            "error": {
                "code": 400,
                "message": "No.",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 5000,
                "n_ctx": 4096,
            }
        },
        ContextLengthError,
        "exceed_context_size_error",
    ),
    "llama.cpp, loading": Case(
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        OverloadedError,
        "unavailable_error",
    ),
    "llama.cpp, cannot do that": Case(
        501,
        {"error": {"code": 501, "message": "No.", "type": "not_supported_error"}},
        UnsuitableRequestError,
        "not_supported_error",
    ),
    "Ollama, no such model": Case(404, {"error": "model 'x' not found"}, ModelNotFoundError),
    "Ollama, in a stream": Case(200, {"error": "an error was encountered while running the model"}, ServerError),
    "xAI, no right": Case(
        403,
        {"code": "The caller does not have permission", "error": "No."},
        PermissionDeniedError,
        "The caller does not have permission",
    ),
    "FastAPI, a sentence": Case(403, {"detail": "Not enough permissions"}, PermissionDeniedError),
    "Cloudflare": Case(
        400, {"success": False, "errors": [{"code": 5006, "message": "No."}], "result": None}, InvalidRequestError
    ),
    "Databricks": Case(
        403, {"error_code": "PERMISSION_DENIED", "message": "No."}, PermissionDeniedError, "PERMISSION_DENIED"
    ),
    # What is no API's answer.
    "a proxy's page": Case(502, "<html><head><title>502 Bad Gateway</title></head></html>", ServerError),
    "a page at a wrong address": Case(404, "<!doctype html><title>Not found</title>", InvalidRequestError),
    "nothing at a wrong address": Case(404, b"", InvalidRequestError),
    "nothing, unavailable": Case(503, b"", OverloadedError),
    "nothing, unauthorised": Case(401, None, AuthenticationError),
    "a gateway's timeout": Case(504, "upstream request timeout", LLMTimeoutError),
    "a redirect": Case(302, "", InvalidRequestError, None, None, {"location": "https://example.org/login"}),
    "a redirect that says something": Case(307, {"error": {"message": "No.", "code": 503}}, InvalidRequestError),
    "half a JSON": Case(429, '{"error": {"message": "slow', RateLimitError),
    "bytes that are no text": Case(500, b"\xff\xfe\x00{", ServerError),
    "a number": Case(429, b"429", RateLimitError),
    "null": Case(500, b"null", ServerError),
    "a word": Case(400, b'"no"', InvalidRequestError),
    "an empty list": Case(400, b"[]", InvalidRequestError),
    "a list of words": Case(400, b'["no"]', InvalidRequestError),
    "an empty object": Case(404, b"{}", InvalidRequestError),
    "an error that is null": Case(500, b'{"error": null}', ServerError),
    "an error that is empty": Case(500, b'{"error": {}}', ServerError),
    "nothing, in a stream": Case(None, None, ServerError),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_failed_answer_becomes_the_error_it_means(case: Case) -> None:
    error = fail(case.status, case.body, headers=case.headers)

    assert type(error) is case.kind
    assert error.code == case.code
    assert error.retry_after == case.wait
    assert error.retryable is case.kind.default_retryable
    assert (error.provider, error.model) == ("openai", "some-model")
    assert len(str(error).splitlines()) == 1
    assert str(error).startswith("openai ")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, AuthenticationError),
        (402, QuotaExceededError),
        (403, PermissionDeniedError),
        (404, ModelNotFoundError),
        (405, InvalidRequestError),
        (408, LLMTimeoutError),
        (409, InvalidRequestError),
        (410, ModelNotFoundError),
        (413, InvalidRequestError),
        (415, InvalidRequestError),
        (422, InvalidRequestError),
        (424, ServerError),
        (429, RateLimitError),
        (498, OverloadedError),
        (500, ServerError),
        (501, UnsuitableRequestError),
        (502, ServerError),
        (503, OverloadedError),
        (504, LLMTimeoutError),
        (520, ServerError),
        (529, OverloadedError),
        (599, ServerError),
    ],
)
@pytest.mark.parametrize("told_in", ["the status", "the body", "the body of a good answer"])
def test_a_status_means_the_same_wherever_it_is_told(status: int, kind: type[LLMError], told_in: str) -> None:
    if told_in == "the status":
        error = fail(status, {"error": {"message": "No."}})
    else:
        error = fail(None if told_in == "the body" else 200, {"error": {"message": "No.", "code": status}})

    assert type(error) is kind
    assert error.status_code == status


def test_a_good_status_is_told_where_the_body_tells_no_other() -> None:
    assert fail(200, {"error": {"message": "No."}}).status_code == 200
    assert fail(None, {"error": {"message": "No."}}).status_code is None


def test_a_failed_status_counts_more_than_one_in_the_body() -> None:
    error = fail(400, {"error": {"message": "No.", "code": 503}})

    assert (type(error), error.status_code) == (InvalidRequestError, 400)


def test_a_port_or_an_id_in_a_sentence_is_no_status() -> None:
    error = fail(400, openai(None, said="no connection to 10.0.0.1:5000, request 429 of 503, error 401: rate limit"))

    assert type(error) is InvalidRequestError


def test_the_context_error_has_both_numbers() -> None:
    case = CASES["llama.cpp, too long"]

    error = fail(case.status, case.body)

    assert isinstance(error, ContextLengthError)
    assert (error.prompt_tokens, error.context_tokens) == (5000, 4096)


@pytest.mark.parametrize("numbers", [{}, {"n_ctx": None}, {"n_ctx": "many", "n_prompt_tokens": True}, {"n_ctx": -1}])
def test_the_context_error_makes_no_number_up(numbers: dict[str, Any]) -> None:
    error = fail(400, {"error": {"type": "exceed_context_size_error", **numbers}})

    assert isinstance(error, ContextLengthError)
    assert (error.prompt_tokens, error.context_tokens) == (None, None)


# The sentence.


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, openai("x", said="Too hot."), "openai answered 400: Too hot."),
        (400, {"message": "Too hot."}, "openai answered 400: Too hot."),
        (400, {"Message": "Too hot."}, "openai answered 400: Too hot."),
        (400, {"error": "Too hot."}, "openai answered 400: Too hot."),
        (400, {"error": {"code": "hot"}, "message": "Too hot."}, "openai answered 400: Too hot."),
        (400, {"detail": "Too hot."}, "openai answered 400: Too hot."),
        (400, {"detail": {"message": "Too hot."}}, "openai answered 400: Too hot."),
        (400, {"detail": {"error": {"message": "Too hot."}}}, "openai answered 400: Too hot."),
        (
            400,
            {"errors": [{"message": "Too hot."}, {"message": "Too long."}]},
            "openai answered 400: Too hot.; Too long.",
        ),
        (
            422,
            {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Field required", "type": "missing"}]},
            "openai answered 422: body.messages.0.role: Field required",
        ),
        (400, CASES["Mistral, bad parameter"].body, "openai answered 400: body.temperature: Too hot."),
        (400, {"error": {"message": "Too\n\n  hot.\t"}}, "openai answered 400: Too hot."),
        (400, {"error": {"message": "", "code": "too_hot"}}, "openai answered 400: too_hot"),
        (400, {"error": {"code": "too_hot", "type": "bad"}}, "openai answered 400: too_hot, bad"),
        (500, "", "openai answered 500 with nothing that explains it"),
        (404, "<html>", "openai answered 404 with nothing that explains it; check the base URL"),
        (302, "", "openai answered 302, a redirect, which is not followed; check the base URL"),
        (200, {"error": {"message": "Too hot."}}, "openai reported an error inside its answer: Too hot."),
        (None, None, "openai reported an error inside its answer: without saying which"),
        (
            429,
            {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "slow down"}}},
            "openai answered 429: Provider returned error: slow down",
        ),
    ],
)
def test_the_providers_own_words_are_repeated(status: int | None, body: Any, said: str) -> None:
    assert str(fail(status, body)) == said


def test_an_error_of_nobody_in_particular_reads_well() -> None:
    assert str(fail(500, "", provider="")) == "the provider answered 500 with nothing that explains it"


def test_a_long_sentence_is_cut() -> None:
    said = str(fail(400, openai(None, said="x" * 1_000_000)))

    assert said.endswith("xxx…")
    assert len(said) < 600


def test_what_cannot_be_printed_is_left_out() -> None:
    said = str(fail(400, openai(None, said="a\x1b[31mb\x00c\ud83dd\u202ee 😀 é")))

    assert said == "openai answered 400: a[31mbcde 😀 é"
    assert said.isprintable()


@pytest.mark.parametrize("before", range(480, 505))
def test_a_key_is_removed_before_the_sentence_is_cut(before: int) -> None:
    """Half a key would no longer be known as one."""
    remember("madeupkeyofthecutsentence")

    said = str(fail(401, openai(None, said="." * before + " madeupkeyofthecutsentence is wrong")))

    assert "madeup" not in said
    assert MASK[0] in said or "." * 499 in said


def test_a_key_that_the_provider_repeats_is_in_no_fact() -> None:
    key = "made-up+key/of=a-fact"
    remember(key)
    body = {
        "error": {"message": f"Wrong key: {key}", "code": f"bad_{key}", "type": base64.b64encode(key.encode()).decode()}
    }

    error = fail(401, body)

    facts = repr((str(error), error.args, error.facts()))
    assert "made-up" not in facts
    assert base64.b64encode(key.encode()).decode()[:12] not in facts


def test_a_key_of_a_well_known_shape_is_removed_though_nobody_knew_it() -> None:
    error = fail(401, openai("invalid_api_key", said="Incorrect API key provided: sk-proj-****************wxy9."))

    assert str(error) == f"openai answered 401: Incorrect API key provided: {MASK}"


# How long to wait.


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "7.5"}, 7.5),
        ({"RETRY-AFTER": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        # Dates: by our clock, by the server's, gone by, of old forms, without or with another zone.
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:20 GMT"}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "yesterday"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:27:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:29:00 GMT"}, 0.0),
        ({"retry-after": "Wednesday, 21-Oct-15 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed Oct 21 07:28:30 2015"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 -0000"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 09:28:30 +0200"}, 30.0),
        # Nonsense.
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "0x10"}, None),
        ({"retry-after": "5, 5"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:30 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 +99999999999999999999"}, None),
        ({"retry-after-ms": "-1"}, None),
        ({"date": "Wed, 21 Oct 2015 07:28:30 GMT"}, None),
    ],
)
def test_headers_say_how_long_to_wait(headers: dict[str, str], wait: float | None) -> None:
    assert fail(429, "", headers=headers).retry_after == wait


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_date_means_the_same_everywhere(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        wait = fail(429, "", headers={"retry-after": "Wed, 21 Oct 2015 07:28:30 -0000"}).retry_after
    finally:
        monkeypatch.undo()
        time.tzset()

    assert wait == 30.0


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        (google(429, "RESOURCE_EXHAUSTED", google_retry("34.4s")), 34.4),
        (google(429, "RESOURCE_EXHAUSTED", google_retry("0s")), 0.0),
        (google(429, "RESOURCE_EXHAUSTED", google_retry("soon"), google_retry("5s")), 5.0),
        (google(429, "RESOURCE_EXHAUSTED", google_retry("-5s")), None),
        ({"error": {"message": "No.", "retry_after": 3}}, 3.0),
        ({"error": {"message": "No."}, "retry_after": 3}, 3.0),
        ({"error": {"message": "No.", "retry_after": "3.5"}}, 3.5),
        ({"error": {"message": "No.", "retry_after": 0}}, 0.0),
        ({"error": {"message": "No.", "retry_after_seconds": 3}}, 3.0),
        ({"error": "loading", "estimated_time": 20.5}, 20.5),
        ({"error": {"message": "No.", "retry_after": True}}, None),
        ({"error": {"message": "No.", "retry_after": -3}}, None),
        ({"error": {"message": "No.", "retry_after": None}}, None),
        ({"error": {"message": "No.", "retry_after": [3]}}, None),
        (b'{"error": {"retry_after": Infinity}}', None),
        (b'{"error": {"retry_after": 1' + b"0" * 400 + b"}}", None),
        ({"error": {"message": "Please try again in 20s."}}, None),
    ],
)
def test_bodies_say_how_long_to_wait(body: Any, wait: float | None) -> None:
    assert fail(429, body).retry_after == wait


def test_a_header_counts_more_than_a_body_unless_it_is_nonsense() -> None:
    body = google(429, "RESOURCE_EXHAUSTED", google_retry("34.4s"))

    assert fail(429, body, headers={"retry-after": "0"}).retry_after == 0.0
    assert fail(429, body, headers={"retry-after": "soon"}).retry_after == 34.4


def test_without_a_clock_the_days_own_time_counts() -> None:
    long_ago = retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, ErrorBody())

    assert long_ago == 0.0


# Which request it was.


@pytest.mark.parametrize(
    ("headers", "body", "number"),
    [
        ({"x-request-id": "r_1"}, None, "r_1"),
        ({"Request-Id": "r_1"}, None, "r_1"),
        ({"x-amzn-RequestId": "r_1"}, None, "r_1"),
        ({"apim-request-id": "r_1"}, None, "r_1"),
        ({"x-goog-request-id": "r_1"}, None, "r_1"),
        ({}, anthropic("api_error"), "req_011"),
        ({}, {"error": {"message": "No.", "request_id": "r_1"}}, "r_1"),
        ({}, {"code": "Arrearage", "request_id": "r_1"}, "r_1"),
        ({"request-id": "r_1"}, anthropic("api_error"), "r_1"),
        ({}, {"error": {"message": "No.", "request_id": 5}}, None),
        ({}, None, None),
    ],
)
def test_the_providers_number_of_the_request_is_found(headers: dict[str, str], body: Any, number: str | None) -> None:
    assert fail(500, body, headers=headers).request_id == number


def test_a_good_answers_number_is_in_its_headers() -> None:
    assert request_id({"x-request-id": "r_1"}) == "r_1"
    assert request_id({}) is None


# Whatever comes.

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "errors", "code", "type", "status", "reason", "details"])
            | st.sampled_from(["innererror", "metadata", "raw", "violations", "quotaId", "retryDelay", "retry_after"])
            | st.sampled_from(["request_id", "response", "loc", "msg", "n_ctx", "status_code"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
statuses = st.none() | st.integers(100, 999)
headers_of_any_kind = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "date", "x-amzn-errortype", "x-request-id", "Retry-After"]),
    st.text() | st.from_regex(r"\A\w{3}, \d{1,4} Oct \d{1,6} \d\d:\d\d:\d\d [-+]?\w{3,9}\Z"),
)


@given(statuses, headers_of_any_kind, st.binary() | anything.map(lambda body: json.dumps(body).encode()))
def test_whatever_an_answer_holds_it_becomes_one_error_of_one_line(
    status: int | None, headers: dict[str, str], body: bytes
) -> None:
    error = fail(status, body, headers=headers)

    assert isinstance(error, LLMError)
    assert str(error).isprintable()
    assert error.retry_after is None or 0 <= error.retry_after < float("inf")
    assert error.code is None or isinstance(error.code, str)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_body_may_also_come_as_what_it_was_read_to(case: Case) -> None:
    if isinstance(case.body, dict):
        error = error_from_answer(case.status, case.headers, case.body, provider="openai")

        assert (type(error), error.code, error.retry_after) == (case.kind, case.code, case.wait)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"error":' * 200_000,
        b'{"message":' * 900 + b'"deep"' + b"}" * 900,
        b'{"error": {"details": ' + b"[" * 500 + b"]" * 500 + b"}}",
        b'{"error": {"message": "' + b"x" * 5_000_000 + b'"}}',
        b"\x00" * 100_000,
        b"1" * 100_000,
        "é".encode("latin-1"),
        '{"error": {"message": "é"}}'.encode("utf-16"),
        b'\xef\xbb\xbf{"error": {"message": "with a mark"}}',
    ],
    ids=["lists", "errors", "messages", "details", "huge", "zeroes", "ones", "latin-1", "utf-16", "utf-8 with a mark"],
)
def test_a_body_of_any_size_and_depth_is_survived(body: bytes) -> None:
    assert type(fail(500, body)) is ServerError


# What providers really send.

# By hand, from reading the bodies: the class, the records, and what is the matter with them.
READ_BY_A_PERSON = """
InvalidRequestError | 12328e3018c0 | Anthropic: an effort that the model lacks
ModelNotFoundError | 54252377afce | Anthropic
ModelNotFoundError | 00ccccc7c624 | Azure: no such deployment
AuthenticationError | 91127026f8a5 | Azure: the key of another resource
InvalidRequestError | 2212211ddefa 26d676d463cc 36f128f1b685 50660d0bbadf | AWS: parameters that a model does not take
InvalidRequestError | 9d68629973c0 b069de403581 f633589e7fa6 | AWS: the same
InvalidRequestError | 8c1588e33937 9350c3d8ec1e 97764966716e db969c66c710 | AWS: videos that a model does not watch
InvalidRequestError | 25b1f980c353 479c5859c30a | AWS: says in a sentence alone that there is no such model
ModelNotFoundError | 57a041a454a7 c8254b965d73 | Cohere: not there, and no longer there
InvalidRequestError | 03b8c833800d | DeepSeek: a tool's result is missing
ModelNotFoundError | 13770466f793 5fd3bd439890 e47dca19c4c9 | Google
RateLimitError | 26d70bae8f68 | Google: a limit per minute
InvalidRequestError | 225067eafaf8 de65f9fa2bad f965b2d73212 | Google: a temperature, a URL, a role
ModelNotFoundError | 5671e308c6ac dfc88811b27b | Groq
InvalidRequestError | a9be67e4be00 c7ce74011ca3 | Groq: a call that does not fit its schema, once inside a stream
InvalidRequestError | 014ad54ec7ab 6996441805ec 9e2ffac0a878 d2e59c7922c7 e40a5996d7ff | OpenAI: parts it does not take
InvalidRequestError | 32b43b64d169 5f0fa0d699a1 6ed0273468fc | OpenAI: files it does not take
InvalidRequestError | 0bcb5ed729b6 27892bff4b45 2b44e81d2d5b ca4e5d138188 | OpenAI: parameters it does not take
InvalidRequestError | 0f56249edfd9 | OpenAI: an item is missing
InvalidRequestError | 14d47e143d36 | OpenAI: an image it cannot fetch
ModelNotFoundError | 48adcdb8b9d0 5a743d7a11eb a14fdbbd3e0b b8c8800d36f6 d80b5e656035 | OpenAI: not there
ModelNotFoundError | f6114d4c6834 | OpenAI: no longer there
QuotaExceededError | 62be56342712 | OpenAI: no credit, inside a stream
RateLimitError | d78aa681d6f9 | OpenRouter: the limit of the model's own provider
InvalidRequestError | 6316b73607ce | OpenRouter: more tokens than it may write, inside a stream
"""
BY_HAND: dict[str, str] = {
    record: kind.strip()
    for kind, records, _ in (line.split("|") for line in READ_BY_A_PERSON.strip().splitlines())
    for record in records.split()
}


def failed() -> list[wild.Record]:
    return [r for r in wild.records() if r["status"] >= 400 or "error_inside_200" in r["tags"]]


def told(record: wild.Record) -> Any:
    """What is read of a failed answer: the body, or of a stream the event that tells the error."""
    if record["body_format"] != "sse":
        return wild.body(record)
    return next(event for event in reversed(wild.events(record)) if event.get("error") or "response" in event)


@wild.needs_the_wild
def test_every_recorded_failure_has_been_read_by_a_person() -> None:
    assert {record["id"] for record in failed()} == set(BY_HAND)


@wild.needs_the_wild
@pytest.mark.parametrize("record", failed(), ids=lambda record: f"{record['provider']}-{record['id']}")
def test_a_recorded_failure_becomes_the_error_it_means(record: wild.Record) -> None:
    expected = record["expected"]["error"]

    error = error_from_answer(
        record["status"],
        record["response_headers"] or {},
        told(record),
        provider=record["provider"],
        model="some-model",
    )

    assert type(error).__name__ == BY_HAND[record["id"]]
    assert " ".join(expected["message"].split())[:400] in str(error)
    assert error.code in {expected.get("type"), expected.get("code"), None}
    assert (error.code is None) == (not {"type", "code"} & {k for k in expected if isinstance(expected[k], str)})
    if record["provider"] == "anthropic":
        assert (error.request_id or "").startswith("req_")
    if record["id"] == "26d70bae8f68":
        assert error.retry_after == 34.4
