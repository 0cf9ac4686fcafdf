"""Turn a provider's failed answer into an error: by its status, its headers and the structured part of its body.

Never by searching a sentence: those change, and a port number looks like a status.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from .errors import (
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
from .redaction import redact

_LONGEST_MESSAGE = 500
"""Characters of a provider's own words that an error repeats."""

# The words providers put into `code`, `type`, `status`, `reason` and the like, in lower case. These say exactly what is
# wrong, whatever the status. Sources: the error pages of the API references of OpenAI, Azure OpenAI, Anthropic, Google
# (google.rpc.Code and ErrorInfo), AWS Bedrock, Groq, Mistral, Moonshot, DeepSeek, Alibaba DashScope, GitHub Models, IBM
# watsonx, Hugging Face (TGI), and llama.cpp's server.
_EXACT: dict[str, type[LLMError]] = {
    **dict.fromkeys(
        ("context_length_exceeded", "exceed_context_size_error", "context_window_exceeded", "tokens_limit_reached"),
        ContextLengthError,
    ),
    **dict.fromkeys(
        (
            "insufficient_quota",
            "quota_exceeded",
            "billing_error",
            "billing_not_active",
            "billing_hard_limit_reached",
            "insufficient_balance",
            "payment_required",
            "servicequotaexceededexception",
            "exceeded_current_quota_error",
            "token_quota_reached",
            "arrearage",
        ),
        QuotaExceededError,
    ),
    **dict.fromkeys(
        (
            "invalid_api_key",
            "authentication_error",
            "invalid_authentication_error",
            "unauthenticated",
            "api_key_invalid",
            "invalidapikey",
            "account_deactivated",
            "unrecognizedclientexception",
            "invalidsignatureexception",
            "expiredtokenexception",
            "missingauthenticationtokenexception",
            "incompletesignatureexception",
        ),
        AuthenticationError,
    ),
    **dict.fromkeys(
        (
            "permission_error",
            "permission_denied",
            "permissiondenied",
            "accessdeniedexception",
            "service_disabled",
            "unsupported_country_region_territory",
        ),
        PermissionDeniedError,
    ),
    **dict.fromkeys(
        (
            "model_not_found",
            "model_decommissioned",
            "model_not_supported",
            "unknown_model",
            "invalid_model",
            "deploymentnotfound",
        ),
        ModelNotFoundError,
    ),
    "unknown_url": InvalidRequestError,
    **dict.fromkeys(("unsupported_parameter", "unsupported_value"), UnsuitableRequestError),  # OpenAI
    **dict.fromkeys(
        (
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "image_content_policy_violation",
            "invalid_prompt",  # OpenAI: the prompt was flagged
            "bio_policy",
            "moderation_blocked",
            "data_inspection_failed",
            "datainspectionfailed",
        ),
        ContentRefusedError,
    ),
    **dict.fromkeys(
        (
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate_limit_reached_error",
            "throttlingexception",
            "resource_exhausted",
        ),
        RateLimitError,
    ),
    **dict.fromkeys(
        (
            "overloaded_error",
            "engine_overloaded_error",
            "overloaded",
            "service_tier_capacity_exceeded",
            "unavailable",
            "unavailable_error",
            "serviceunavailableexception",
            "modelnotreadyexception",
        ),
        OverloadedError,
    ),
    **dict.fromkeys(("deadline_exceeded", "modeltimeoutexception", "timeout_error"), LLMTimeoutError),
}

# Words that say no more than a status does; they count where there is none, as in an error inside a stream.
_VAGUE: dict[str, type[LLMError]] = {
    **dict.fromkeys(
        (
            "invalid_request_error",
            "invalid_argument",
            "failed_precondition",
            "out_of_range",
            "request_too_large",
            "not_supported_error",
            "validation",
            "validationexception",
            # The OpenAI SDK's `ResponseError`: what a response that failed says of its input.
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "invalid_image_mode",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "image_file_too_large",
            "image_file_not_found",
            "empty_image_file",
            "unsupported_image_media_type",
            "failed_to_download_image",
        ),
        InvalidRequestError,
    ),
    **dict.fromkeys(("not_found_error", "not_found", "resourcenotfoundexception"), ModelNotFoundError),
    **dict.fromkeys(
        ("api_error", "server_error", "internal_server_error", "internal", "internalserverexception"), ServerError
    ),
}

_BY_STATUS: dict[int, type[LLMError]] = {
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    408: LLMTimeoutError,
    410: ModelNotFoundError,
    424: ServerError,  # AWS Bedrock: ModelErrorException
    429: RateLimitError,
    498: OverloadedError,  # Groq: the flex tier has no capacity
    501: UnsuitableRequestError,  # asking again will not teach it
    503: OverloadedError,
    504: LLMTimeoutError,
    529: OverloadedError,  # Anthropic: overloaded_error
}

_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "apim-request-id",
    "x-generation-id",
    "x-goog-request-id",
)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The structured part of a failed answer; empty where the body is a proxy's page, or nothing."""

    message: str = ""
    words: tuple[str, ...] = ()
    """What stood in `code`, `type`, `status`, `reason` and the like, as it was written, the most exact first."""
    status: int | None = None
    """An HTTP status told inside the body, for errors that come with status 200."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The object the error stood in, and what stood beside that."""

    @property
    def structured(self) -> bool:
        """Whether an API wrote this, and not a proxy in between."""
        return bool(self.message or self.words)


def error_from_answer(
    status: int | None,
    headers: Mapping[str, str],
    body: bytes | str | Mapping[str, Any] | None,
    *,
    provider: str,
    model: str | None = None,
    clock: Callable[[], float] = time.time,
) -> LLMError:
    """The error that a failed answer means. `status` is None for one that came inside a good answer or a stream.

    `headers` are looked up in lower case; `clock` gives Unix time, for a Retry-After that is a date.
    """
    told = read_error_body(body)
    headers = {name.lower(): found for name, found in headers.items()}
    amazon = headers.get("x-amzn-errortype", "").partition(":")[0]
    words = (*told.words, amazon) if amazon else told.words
    kind = _kind(status, words, told)
    in_band = status is None or status < 300
    facts: dict[str, Any] = {
        "provider": provider,
        "model": model,
        # OpenRouter tells the status that it would have answered with, had it known in time.
        "status_code": told.status or status if in_band else status,
        "retry_after": retry_after(headers, told, clock),
        "request_id": request_id(headers, told),
        "code": words[0] if words else None,
    }
    if kind is ContextLengthError:
        facts["prompt_tokens"] = _integer(told.fields.get("n_prompt_tokens"))
        facts["context_tokens"] = _integer(told.fields.get("n_ctx"))
    return kind(_sentence(status, told, provider), **facts)


def _kind(status: int | None, words: Iterable[str], told: ErrorBody) -> type[LLMError]:
    if status is not None and 300 <= status < 400:
        return InvalidRequestError  # a redirect is not followed: the key would go along
    if status is None or status < 300:
        status = told.status
    if isinstance(about := told.fields.get("metadata"), Mapping) and "flagged_input" in about:
        return ContentRefusedError  # OpenRouter: moderation said no, with the status of a missing permission
    words = [word.lower() for word in words]
    for word in words:
        if word in _EXACT:
            kind = _EXACT[word]
            # Two things are told by the same word as a limit per minute though waiting a little helps neither: a daily
            # quota, and (Groq, 413) one request that is larger than all of a minute's tokens.
            spent = kind is RateLimitError and (status == 413 or _per_day(told))
            return QuotaExceededError if spent else kind
    if status is None:
        return next((_VAGUE[word] for word in words if word in _VAGUE), ServerError)
    if status == 404 and not told.structured:
        return InvalidRequestError  # nothing of an API is at that address: the base URL is wrong, not the model
    return _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequestError)


def _per_day(told: ErrorBody) -> bool:
    """Google's QuotaFailure names the quota: `GenerateRequestsPerDayPerProjectPerModel-FreeTier`."""
    return any(
        "PerDay" in str(violation.get("quotaId", ""))
        for detail in _dicts(told.fields.get("details"))
        for violation in _dicts(detail.get("violations"))
    )


def _sentence(status: int | None, told: ErrorBody, provider: str) -> str:
    who = provider or "the provider"
    # Keys go before the cut, which might leave half of one; what moves a terminal's cursor or cannot be printed, too.
    said = redact(" ".join(told.message.split()) or ", ".join(told.words))
    said = "".join(character for character in said[: _LONGEST_MESSAGE + 1] if character.isprintable())
    if len(said) > _LONGEST_MESSAGE:
        said = said[:_LONGEST_MESSAGE] + "…"
    if status is not None and 300 <= status < 400:
        return f"{who} answered {status}, a redirect, which is not followed; check the base URL"
    if status is None or status < 400:
        return f"{who} reported an error inside its answer: {said or 'without saying which'}"
    if said:
        return f"{who} answered {status}: {said}"
    hint = "; check the base URL" if status == 404 else ""
    return f"{who} answered {status} with nothing that explains it{hint}"


def read_error_body(body: bytes | str | Mapping[str, Any] | None) -> ErrorBody:
    """What a body says of the error, in any of the forms that providers use."""
    parsed: Any = body
    if isinstance(body, (bytes, str)):
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            return ErrorBody()
    if isinstance(parsed, list):  # Google answers a stream's request with a list of one
        parsed = next(_dicts(parsed), {})
    if not isinstance(parsed, Mapping):
        return ErrorBody()
    if isinstance(response := parsed.get("response"), Mapping) and response.get("error"):
        parsed = response  # OpenAI's event `response.failed`
    inner = parsed.get("error")
    beside = {key: found for key, found in parsed.items() if key != "error"}
    fields = {**beside, **inner} if isinstance(inner, Mapping) else parsed
    status = next(
        (
            int(number)
            for key in ("status_code", "code", "status", "http_status", "httpCode", "raw_status_code")
            if (number := _number(fields.get(key))) is not None and 400 <= number < 600
        ),
        None,
    )
    return ErrorBody(_told(inner, beside), tuple(dict.fromkeys(_words(inner, beside))), status, fields)


def _told(inner: object, beside: Mapping[str, Any]) -> str:
    """The sentence, wherever it stands."""
    said = _message(inner) or _message(beside)
    about = inner.get("metadata") if isinstance(inner, Mapping) else None
    # OpenRouter says "Provider returned error" and keeps what the provider said apart.
    upstream = about.get("raw") if isinstance(about, Mapping) else None
    return f"{said}: {upstream}" if isinstance(upstream, str) and upstream else said


def _message(found: object, depth: int = 5) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list) and depth:
        return "; ".join(filter(None, (_message(item, depth - 1) for item in found)))
    if isinstance(found, Mapping) and depth:
        # `detail` is FastAPI's, which many gateways stand on: a sentence, or a list of objects with `loc` and `msg`.
        keys = ("message", "Message", "detail", "error_message", "msg", "errors", "error")
        said = next((said for key in keys if (said := _message(found.get(key), depth - 1))), "")
        place = found.get("loc")
        return f"{'.'.join(map(str, place))}: {said}" if said and isinstance(place, list) else said
    return ""


def _words(inner: object, beside: Mapping[str, Any]) -> Iterator[str]:
    fields = inner if isinstance(inner, Mapping) else beside
    exact = fields.get("innererror")  # Azure's, more exact than what is around it
    # `details` is Google's, `errors` IBM's.
    lists = (*_dicts(fields.get("details")), *_dicts(fields.get("errors")))
    for source in (*_dicts([exact]), *lists, fields, beside):
        for key in ("reason", "code", "status", "type", "__type", "error_type", "errorCode", "error_code"):
            word = source.get(key)
            if isinstance(word, str) and word and word != "error" and not word.startswith("type.googleapis.com"):
                yield word.rpartition("#")[2]  # AWS: `com.amazon.coral.service#AccessDeniedException`


def retry_after(headers: Mapping[str, str], told: ErrorBody, clock: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait as the provider said, by header or in the body; None when it did not. `headers` in lower case."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (said := headers.get("retry-after")) is not None:
        seconds = _number(said)
        seconds = seconds if seconds is not None else _until(said, headers.get("date"), clock)
        if seconds is not None:
            return seconds
    for detail in _dicts(told.fields.get("details")):  # google.rpc.RetryInfo: `"retryDelay": "17.5s"`
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and (seconds := _number(delay.removesuffix("s"))) is not None:
            return seconds
    for key in ("retry_after", "retry_after_seconds", "estimated_time"):
        if (seconds := _number(told.fields.get(key))) is not None:
            return seconds
    return None


def _until(date: str, server_now: str | None, clock: Callable[[], float]) -> float | None:
    """Seconds until an HTTP date, by the server's own clock where it tells the time."""
    moment = _unix_time(date)
    now = None if server_now is None else _unix_time(server_now)
    return None if moment is None else max(0.0, moment - (clock() if now is None else now))


def _unix_time(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # also of dates that no calendar has
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def request_id(headers: Mapping[str, str], told: ErrorBody | None = None) -> str | None:
    """The provider's number of a request, from `headers` (in lower case, or in any that they find) or the body."""
    found = next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), None)
    if found is None and told is not None:
        said = told.fields.get("request_id")
        found = said if isinstance(said, str) else None
    return found


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        return None
    if isinstance(found, str) and not re.fullmatch(r"\s*\d+(\.\d*)?\s*", found):
        return None
    try:
        number = float(found)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _integer(found: object) -> int | None:
    number = _number(found)
    return None if number is None else int(number)


def _dicts(found: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, Mapping))
