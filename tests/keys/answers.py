"""How providers answer a key that is good, wrong, or short of something.

Whose each body is, stands beside it; where nothing else is said, from the provider's API reference. Those of
`../shared/wild` are what a provider really sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from homeostasis_llm.keys.check import KeyOutcome


@dataclass(frozen=True)
class Case:
    """One provider's answer to a key, and what it means."""

    provider: str
    outcome: KeyOutcome
    status: int
    body: Any
    said: str = ""
    """What is repeated of the provider's own words; nothing for an empty one."""
    headers: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def id(self) -> str:
        return f"{self.provider}-{self.outcome}-{self.status}{'-' + self.note if self.note else ''}"

    @property
    def scripted(self) -> dict[str, Any]:
        """For `Loopback.reply`."""
        kind = "body" if isinstance(self.body, str) else "json"
        return {"status": self.status, "headers": self.headers, kind: self.body}


HTML = {"content-type": "text/html; charset=utf-8"}
TEXT = {"content-type": "text/plain"}

_GOOGLE_INVALID = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            }
        ],
    }
}

V, R, E = KeyOutcome.VERIFIED, KeyOutcome.REJECTED, KeyOutcome.EXPIRED
PERMISSION, CREDIT, LIMITED = KeyOutcome.NO_PERMISSION, KeyOutcome.NO_CREDIT, KeyOutcome.RATE_LIMITED
DOWN, UNCLEAR = KeyOutcome.PROVIDER_DOWN, KeyOutcome.COULD_NOT_TELL


def _error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


CASES = [
    # ------------------------------------------------------------------------------------------- accepted
    Case(
        "openai", V, 200, {"object": "list", "data": [{"id": "gpt-4.1-mini", "object": "model", "owned_by": "openai"}]}
    ),
    Case("anthropic", V, 200, {"data": [{"type": "model", "id": "claude-haiku-4-5"}], "has_more": False}),
    Case("gemini", V, 200, {"models": [{"name": "models/gemini-2.5-flash", "version": "001"}]}),
    Case("cohere", V, 200, {"models": [{"name": "command-r7b-12-2024", "endpoints": ["chat"]}]}),
    Case("together_ai", V, 200, [{"id": "openai/gpt-oss-20b", "object": "model"}]),
    Case("groq", V, 200, {"object": "list", "data": []}, note="no models"),
    Case("openrouter", V, 200, {"data": {"label": "sk-or-v1-au7...890", "limit": 100, "limit_remaining": 74.5}}),
    Case(
        "openrouter",
        V,
        200,
        {"data": {"label": "sk-or-v1-au7...890", "limit": None, "limit_remaining": None}},
        note="free",
    ),
    Case("huggingface", V, 200, {"type": "user", "name": "somebody", "auth": {"type": "access_token"}}),
    Case("vercel_ai_gateway", V, 200, {"balance": "95.50", "total_used": "4.50"}),
    Case("novita", V, 200, {"availableBalance": "1000000", "cashBalance": "800000"}),
    Case("deepinfra", V, 200, {"uid": "1", "display_name": "somebody"}),
    Case("xai", V, 200, {"redacted_api_key": "xai-...b14o", "team_blocked": False, "api_key_blocked": False}),
    # ------------------------------------------------------------------------------------------- refused
    Case(
        "openai",
        R,
        401,
        _error("Incorrect API key provided: {key}.", type="invalid_request_error", param=None, code="invalid_api_key"),
        "Incorrect API key provided: [key removed]",
    ),
    Case(
        "anthropic",
        R,
        401,
        {
            "type": "error",
            "error": {"type": "authentication_error", "message": "invalid x-api-key"},
            "request_id": "req_1",
        },
        "invalid x-api-key",
    ),
    Case("gemini", R, 400, _GOOGLE_INVALID, "API key not valid. Please pass a valid API key."),
    Case("mistral", R, 401, {"message": "Unauthorized", "request_id": "0"}, "Unauthorized"),
    Case("cohere", R, 401, {"id": "0", "message": "invalid api token"}, "invalid api token"),
    Case(
        "deepseek",
        R,
        401,
        _error("Authentication Fails (no such user)", type="authentication_error", code="invalid_request_error"),
        "Authentication Fails (no such user)",
    ),
    # As seen in issue 447 of github.com/i-am-bee/beeai-framework.
    Case(
        "xai",
        R,
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: ba***na."},
        "Incorrect API key provided: ba***na.",
    ),
    Case("xai", R, 200, {"redacted_api_key": "xai-...b14o", "api_key_disabled": True}, note="disabled"),
    Case(
        "groq",
        R,
        401,
        _error("Invalid API Key", type="invalid_request_error", code="invalid_api_key"),
        "Invalid API Key",
    ),
    Case("openrouter", R, 401, _error("User not found.", code=401), "User not found."),
    Case("huggingface", R, 401, {"error": "Invalid username or password."}, "Invalid username or password."),
    # As seen in issue 281 of github.com/perplexityai/api-discussion.
    Case(
        "perplexity",
        R,
        401,
        "<html>\r\n<head><title>401 Authorization Required</title></head>\r\n<body></body>\r\n</html>",
        "401 Authorization Required",
        HTML,
    ),
    Case(
        "fireworks_ai",
        R,
        403,
        _error("The API key you provided is invalid.", param=None, code="UNAUTHORIZED", type="error"),
        "The API key you provided is invalid.",
    ),
    Case("deepinfra", R, 401, {"detail": "User is not authorized to access this resource"}, "User is not authorized"),
    Case("zai", R, 401, _error("Authentication Failed", code="1000"), "Authentication Failed"),
    # ------------------------------------------------------------------------------------------- over
    # LiteLLM's proxy, which many gateways are. Source: litellm/proxy/auth/user_api_key_auth.py
    Case(
        "openai", E, 401, _error("Authentication Error - Expired Key.", type="expired_key", code="401"), "Expired Key"
    ),
    Case(
        "openai", E, 400, _error("Authentication Error", type="expired_key", code="400"), "Authentication", note="older"
    ),
    Case("scaleway", E, 401, {"type": "denied_authentication", "method": "api_key", "reason": "expired"}, "expired"),
    # ------------------------------------------------------------------------------------------- may not
    # Source: the community pages of OpenAI, for a restricted key without the permission to read models.
    Case(
        "openai",
        PERMISSION,
        403,
        _error(
            "You have insufficient permissions for this operation. Missing scopes: api.model.read.",
            type="invalid_request_error",
            param=None,
            code=None,
        ),
        "Missing scopes: api.model.read.",
    ),
    Case(
        "anthropic",
        PERMISSION,
        403,
        {"type": "error", "error": {"type": "permission_error", "message": "Your API key may not use this resource."}},
        "may not use",
    ),
    Case(
        "gemini",
        PERMISSION,
        403,
        {
            "error": {
                "code": 403,
                "message": "Generative Language API has not been used in project 0 before or it is disabled.",
                "status": "PERMISSION_DENIED",
                "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}],
            }
        },
        "has not been used in project",
    ),
    Case("xai", PERMISSION, 200, {"redacted_api_key": "xai-...b14o", "team_blocked": True}, note="team blocked"),
    # ------------------------------------------------------------------------------------------- no credit
    Case(
        "openai",
        CREDIT,
        429,
        _error("You exceeded your current quota.", type="insufficient_quota", param=None, code="insufficient_quota"),
        "You exceeded your current quota",
    ),
    Case(
        "deepseek",
        CREDIT,
        402,
        _error("Insufficient Balance", type="unknown_error", code="invalid_request_error"),
        "Balance",
    ),
    Case("openrouter", CREDIT, 402, _error("Insufficient credits", code=402), "Insufficient credits"),
    Case(
        "openrouter",
        CREDIT,
        200,
        {"data": {"label": "sk-or-v1-au7...890", "limit": 5, "limit_remaining": 0}},
        note="spent",
    ),
    Case(
        "moonshot", CREDIT, 429, _error("Your account is suspended", type="exceeded_current_quota_error"), "suspended"
    ),
    # ------------------------------------------------------------------------------------------- too fast
    Case(
        "anthropic",
        LIMITED,
        429,
        {
            "type": "error",
            "error": {"type": "rate_limit_error", "message": "Number of requests has exceeded your limit"},
        },
        "exceeded your limit",
        {"retry-after": "12"},
    ),
    Case("mistral", LIMITED, 429, {"message": "Requests rate limit exceeded"}, "Requests rate limit exceeded"),
    # ------------------------------------------------------------------------------------------- it fails
    Case(
        "anthropic",
        DOWN,
        500,
        {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}},
        "Int",
    ),
    Case(
        "anthropic",
        DOWN,
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        "Over",
    ),
    Case("openai", DOWN, 503, "<html><head><title>503 Service Unavailable</title></head></html>", "503", HTML),
    Case(
        "gemini", DOWN, 504, {"error": {"code": 504, "message": "Deadline", "status": "DEADLINE_EXCEEDED"}}, "Deadline"
    ),
    Case("groq", DOWN, 502, "", note="nothing"),
    # ------------------------------------------------------------------------------------------- who knows
    Case(
        "openai",
        UNCLEAR,
        200,
        "<html><title>Welcome to the airport</title></html>",
        "Welcome to the airport",
        HTML,
        "portal",
    ),
    Case("openai", UNCLEAR, 200, {"status": "ok"}, note="no list"),
    Case("openai", UNCLEAR, 200, "OK", headers=TEXT, note="text"),
    Case("openrouter", UNCLEAR, 200, "<html></html>", headers=HTML, note="portal"),
    Case("openrouter", UNCLEAR, 200, "17", headers=TEXT, note="a number"),
    Case("openai", UNCLEAR, 302, "", headers={"location": "https://login.example/?next=1"}, note="portal"),
    Case("openai", UNCLEAR, 511, "<html><title>Log in</title></html>", "Log in", HTML),
    Case(
        "openai",
        UNCLEAR,
        403,
        "<html><title>Attention Required!</title></html>",
        "Attention Required!",
        HTML,
        "firewall",
    ),
    Case("openai", UNCLEAR, 429, "<html><title>Slow down</title></html>", "Slow down", HTML, "firewall"),
    Case(
        "openai",
        UNCLEAR,
        401,
        "<html><title>Intranet</title></html>",
        "Intranet",
        {**HTML, "www-authenticate": 'Basic realm="intranet"'},
        "login",
    ),
    Case("openai", UNCLEAR, 404, "404 page not found\n", "404 page not found", TEXT),
    Case(
        "openai",
        UNCLEAR,
        404,
        _error("Invalid URL (GET /modles)", type="invalid_request_error"),
        "Invalid URL",
        note="path",
    ),
    Case("openai", UNCLEAR, 400, _error("Bad request", type="invalid_request_error"), "Bad request"),
    Case("openai", UNCLEAR, 418, "", note="nothing"),
]
