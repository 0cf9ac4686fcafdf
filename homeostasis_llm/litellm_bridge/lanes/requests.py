"""Build the request that `litellm.completion` would send, by litellm's own configuration of a provider.

Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

import copy
import json
import os
from functools import lru_cache
from typing import Any, NamedTuple

import httpx
from litellm.anthropic_beta_headers_manager import update_request_with_filtered_beta
from litellm.secret_managers.main import get_secret, get_secret_bool

from .converse_requests import converse_request
from .gemini_requests import body_for_google, google_address
from .plans import Arguments, Plan


class Ready(NamedTuple):
    """A request that can be sent. It holds the key, so its repr shows nothing."""

    url: httpx.URL
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return "<Ready>"


def built(plan: Plan, arguments: Arguments, messages: list[Any], options: dict[str, Any], *, stream: bool) -> Ready:
    """The request for `messages` with `options`, which are its own to change."""
    make = _by_sdk if plan.by_sdk else _BY_OWN_HANDLER.get(plan.provider, _by_handler)
    return make(plan, arguments, messages, options, stream=stream)


def _by_sdk(plan: Plan, arguments: Arguments, messages: list[Any], options: dict[str, Any], *, stream: bool) -> Ready:
    # litellm sets what it heeds on our client around the SDK, but the SDK is what sends.
    sdk = vars(arguments["client"]).get("_sdk", arguments["client"])
    headers = {
        **_as_whom(plan, sdk),
        "Content-Type": "application/json",
        "Accept": "application/json",
        **({"OpenAI-Organization": sdk.organization} if sdk.organization else {}),
        **({"OpenAI-Project": sdk.project} if sdk.project else {}),
        **plan.config.get_attribution_headers(),
        **arguments.get("extra_headers", {}),
    }
    extra = options.pop("extra_body", None) or {}
    options.pop("extra_headers", None)
    body = plan.config.transform_request(
        model=plan.model, messages=messages, optional_params=options, litellm_params=_told(plan), headers={}
    )
    if stream:
        body["stream"] = True
    return Ready(_place(plan, sdk, body["model"]), headers, _json({**body, **extra}))


def _as_whom(plan: Plan, sdk: Any) -> dict[str, str]:
    if plan.provider != "azure":
        return {"Authorization": f"Bearer {sdk.api_key}"}
    # The SDK takes it from the environment, and prefers it to a key.
    token = sdk._azure_ad_token  # noqa: SLF001  # it has no other name
    return {"api-key": sdk.api_key} if token is None else {"Authorization": f"Bearer {token}"}


def _place(plan: Plan, sdk: Any, model: str) -> httpx.URL:
    base = str(sdk.base_url).rstrip("/")
    if plan.provider != "azure":
        return _url(f"{base}/chat/completions")
    if "/deployments" not in sdk.base_url.path:
        base = f"{base}/deployments/{model}"
    return _url(f"{base}/chat/completions?{httpx.QueryParams(sdk.default_query)}")


def _to_google(
    plan: Plan, arguments: Arguments, messages: list[Any], options: dict[str, Any], *, stream: bool
) -> Ready:
    headers = {
        "Content-Type": "application/json",
        "x-goog-api-key": arguments["api_key"],
        **arguments.get("extra_headers", {}),
    }
    body = body_for_google(plan.model, messages, options)
    return Ready(google_address(plan.api_base, plan.model, stream=stream), headers, _json(body))


def _by_handler(
    plan: Plan, arguments: Arguments, messages: list[Any], options: dict[str, Any], *, stream: bool
) -> Ready:
    config = plan.config
    key = arguments.get("api_key") if plan.own_key is None else plan.own_key
    told = _told(plan)
    if plan.provider == "fireworks_ai":
        options = config.map_extra_body_params(optional_params=options, model=plan.model)
    extra = options.pop("extra_body", None)
    headers = config.validate_environment(
        api_key=key,
        headers={**_headers_of(plan.provider), **arguments.get("extra_headers", {})},
        model=plan.model,
        messages=messages,
        optional_params=options,
        api_base=plan.api_base,
        litellm_params=told,
    )
    url = config.get_complete_url(
        api_base=plan.api_base,
        api_key=key,
        model=plan.model,
        optional_params=options,
        stream=stream,
        litellm_params=told,
    )
    body = config.transform_request(
        model=plan.model, messages=messages, optional_params=options, litellm_params=told, headers=headers
    )
    if extra is not None:
        more = config.transform_extra_body(extra_body=extra, request=body, model=plan.model, litellm_params=told)
        body = {**body, **more}
    headers, signed = config.sign_request(
        headers=headers,
        optional_params=options,
        request_data=body,
        api_base=url,
        api_key=key,
        stream=stream,
        fake_stream=False,
        model=plan.model,
    )
    if stream and config.supports_stream_param_in_request_body:
        body["stream"] = True
    # Of all, Ollama alone is not told by litellm what it is sent.
    kind = {} if plan.provider == "ollama_chat" else {"Content-Type": "application/json"}
    return Ready(_url(url), {**kind, **headers}, signed or _json(body))


def _by_anthropics_handler(
    plan: Plan, arguments: Arguments, messages: list[Any], options: dict[str, Any], *, stream: bool
) -> Ready:
    base = plan.api_base or get_secret("ANTHROPIC_API_BASE") or get_secret("ANTHROPIC_BASE_URL")
    url = str(base or "https://api.anthropic.com/v1/messages")
    if not url.endswith("/v1/messages") and not get_secret_bool("LITELLM_ANTHROPIC_DISABLE_URL_SUFFIX"):
        url += "/v1/messages"
    options.pop("stream", None)
    told = _told(plan)
    headers = plan.config.validate_environment(
        api_key=arguments.get("api_key"),
        headers=dict(arguments.get("extra_headers", {})),
        model=plan.model,
        messages=messages,
        optional_params={**options, "is_vertex_request": False},
        litellm_params=told,
        api_base=url,
    )
    body = plan.config.transform_request(
        model=plan.model,
        messages=copy.deepcopy(messages),
        optional_params={**options, "is_vertex_request": False},
        litellm_params=told,
        headers=headers,
    )
    headers, body = update_request_with_filtered_beta(headers=headers, request_data=body, provider=plan.provider)
    if stream:
        body["stream"] = True
    return Ready(_url(url), headers, _json(body))


def _to_converse(
    plan: Plan, arguments: Arguments, messages: list[Any], options: dict[str, Any], *, stream: bool
) -> Ready:
    url, headers, body = converse_request(plan.config, plan.model, arguments, messages, options, stream=stream)
    return Ready(_url(url), headers, body)


_BY_OWN_HANDLER = {"anthropic": _by_anthropics_handler, "bedrock": _to_converse, "gemini": _to_google}
"""Those of providers that litellm asks in code of their own."""


def _told(plan: Plan) -> dict[str, Any]:
    return {"api_base": plan.api_base, "custom_llm_provider": plan.provider}


def _headers_of(provider: str) -> dict[str, str]:
    """What litellm sends beside a configuration's own headers."""
    if provider != "openrouter":
        return {}
    return {
        "HTTP-Referer": os.environ.get("OR_SITE_URL") or "https://litellm.ai",
        "X-Title": os.environ.get("OR_APP_NAME") or "liteLLM",
    }


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)


def _json(body: dict[str, Any]) -> bytes:
    return _ENCODER.encode(body).encode()


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
