"""How OpenAI and Anthropic word an error of each status.

Sources: the error pages of both API references, and recorded exchanges. OpenAI has no 402:
that one is DeepSeek's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from .about import About
from .steps import Failure, Reason


class Worded(NamedTuple):
    """An error's parts. Anthropic's have neither code nor parameter."""

    message: str
    type: str
    code: str | None = None
    param: str | None = None


Table: TypeAlias = Mapping[tuple[int, Reason | None], Worded]

_QUOTA = "You exceeded your current quota, please check your plan and billing details."

OPENAI: Table = {
    (400, None): Worded(
        "Invalid type for 'temperature': expected a decimal, but got a string instead.",
        "invalid_request_error",
        "invalid_type",
        "temperature",
    ),
    (400, "context_length"): Worded(
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 10010 tokens.",
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
    ),
    (400, "content_filter"): Worded(
        "Your request was rejected by the safety system.", "invalid_request_error", "content_policy_violation"
    ),
    (401, None): Worded("Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key"),
    (402, None): Worded("Insufficient Balance", "unknown_error", "invalid_request_error"),
    (402, "insufficient_quota"): Worded(_QUOTA, "insufficient_quota", "insufficient_quota"),
    (403, None): Worded(
        "Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"
    ),
    (404, None): Worded(
        "The model `{model}` does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    ),
    (408, None): Worded("Request timed out.", "timeout"),
    (409, None): Worded("The resource was updated by another request.", "invalid_request_error", "conflict"),
    (413, None): Worded("Request body is too large.", "invalid_request_error", "request_too_large"),
    (422, None): Worded("The request could not be processed.", "invalid_request_error", "unprocessable_entity"),
    (429, None): Worded(
        "Rate limit reached for {model} on requests per min (RPM): Limit 500, Used 500, Requested 1.",
        "requests",
        "rate_limit_exceeded",
    ),
    (429, "insufficient_quota"): Worded(_QUOTA, "insufficient_quota", "insufficient_quota"),
    (500, None): Worded("The server had an error while processing your request.", "server_error"),
    (502, None): Worded("Bad gateway.", "cf_bad_gateway"),
    (503, None): Worded("The engine is currently overloaded, please try again later.", "server_error"),
    (504, None): Worded("The server did not answer in time.", "server_error", "timeout"),
    (529, None): Worded("The model is overloaded.", "server_error"),
}

_CREDIT = "Your credit balance is too low to access the Anthropic API."

ANTHROPIC: Table = {
    (400, None): Worded("temperature: Input should be a valid number", "invalid_request_error"),
    (400, "context_length"): Worded("prompt is too long: 210000 tokens > 200000 maximum", "invalid_request_error"),
    (400, "content_filter"): Worded("Output blocked by content filtering policy", "invalid_request_error"),
    (400, "insufficient_quota"): Worded(_CREDIT, "invalid_request_error"),
    (401, None): Worded("invalid x-api-key", "authentication_error"),
    (402, None): Worded(_CREDIT, "billing_error"),
    (403, None): Worded("Your API key does not have permission to use the specified resource.", "permission_error"),
    (404, None): Worded("model: {model}", "not_found_error"),
    (408, None): Worded("Request timed out", "timeout_error"),
    (409, None): Worded("The resource was changed by another request", "conflict_error"),
    (413, None): Worded("Request exceeds the maximum size", "request_too_large"),
    (422, None): Worded("The request could not be processed", "invalid_request_error"),
    (429, None): Worded("This request would exceed your organization's rate limit", "rate_limit_error"),
    (429, "insufficient_quota"): Worded(_CREDIT, "billing_error"),
    (500, None): Worded("Internal server error", "api_error"),
    (502, None): Worded("Bad gateway", "api_error"),
    (503, None): Worded("Service unavailable", "api_error"),
    (504, None): Worded("The request took too long to process", "timeout_error"),
    (529, None): Worded("Overloaded", "overloaded_error"),
}


def worded(table: Table, failure: Failure, about: About) -> Worded:
    """The words for an error: by its reason rather than by its status; of a status not listed, those of its hundred."""
    by_reason = [said for (_, reason), said in table.items() if reason is not None and reason == failure.reason]
    found = (
        table.get((failure.status, failure.reason))
        or (by_reason[0] if by_reason else table.get((failure.status, None)))
        or table[500 if failure.status >= 500 else 400, None]
    )
    return found._replace(message=found.message.format(model=about.model, key=about.key))
