"""Build the request that `litellm.completion` would send, by litellm's own configuration of a provider.

Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import httpx
import litellm
from litellm.main import _drop_anthropic_only_tool_keys, responses_api_bridge_check
from litellm.types.utils import LlmProviders, is_litellm_owned_kwarg
from litellm.utils import (
    ProviderConfigManager,
    get_optional_params,
    peek_reasoning_summary_aliases,
    validate_and_fix_openai_messages,
    validate_and_fix_openai_tools,
    validate_and_fix_thinking_param,
    validate_chat_completion_tool_choice,
    validate_openai_optional_params,
)

Arguments = Mapping[str, Any]

_OURS = frozenset(
    """
    model messages custom_llm_provider api_key api_base api_version timeout client extra_headers _skip_mcp_handler
    """.split()  # noqa: SIM905  # a list of quoted words would be a screen long
)
"""What says whom to ask, and how."""

_STEERING = frozenset(
    """
    stream stream_options deployment_id model_list base_url default_headers organization request_timeout shared_session
    drop_params additional_drop_params
    """.split()  # noqa: SIM905  # as above
)
"""What `litellm.completion` heeds in ways of its own."""

_STANDS_FOR_A_KEY = "a-key"
"""What is computed once for all keys must hold none."""


class Ready(NamedTuple):
    """A request that can be sent. It holds the key, so its repr shows nothing."""

    url: httpx.URL
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return "<Ready>"


class Plan(NamedTuple):
    """What is the same for all requests to one model."""

    model: str
    """Without what only told litellm the way."""
    provider: str
    api_base: str | None
    own_key: str | None
    """litellm's, where it does not want the one it is given."""
    config: Any
    suits: bool
    """Whether this lane knows the way that litellm takes."""
    by_sdk: bool
    """Whether litellm sends it through OpenAI's SDK instead of a client of its own."""
    tells_by_request: bool
    """Whether that depends on the request as well."""


def suits(arguments: Arguments) -> bool:
    """Whether this lane can make of `arguments` what `litellm.completion` would."""
    if any(name in _STEERING or is_litellm_owned_kwarg(name) for name in arguments.keys() - _OURS):
        return False
    if _steered() or any(map(_has_file, arguments["messages"])):
        return False
    plan = _plan_of(arguments)
    return plan.suits and not (plan.tells_by_request and _bridged(plan, arguments))


def built(arguments: Arguments, *, stream: bool) -> Ready:
    """The request for `arguments`."""
    plan = _plan_of(arguments)
    messages = validate_and_fix_openai_messages(arguments["messages"])
    messages = plan.config.translate_developer_role_to_system_role(messages=messages)
    options = _options(plan, arguments, messages, stream=stream)
    make = _by_sdk if plan.by_sdk else _by_handler
    return make(plan, arguments, messages, options, stream=stream)


def config_of(arguments: Arguments) -> Any:
    """litellm's configuration of the provider."""
    return _plan_of(arguments).config


def _by_sdk(plan: Plan, arguments: Arguments, messages: list[Any], options: dict[str, Any], *, stream: bool) -> Ready:
    sdk = arguments["client"]
    headers = {
        "Authorization": f"Bearer {sdk.api_key}",
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
    return Ready(_url(f"{str(sdk.base_url).rstrip('/')}/chat/completions"), headers, _json({**body, **extra}))


def _by_handler(
    plan: Plan, arguments: Arguments, messages: list[Any], options: dict[str, Any], *, stream: bool
) -> Ready:
    key = arguments.get("api_key") if plan.own_key is None else plan.own_key
    told = _told(plan)
    extra = options.pop("extra_body", None)
    options.pop("json_mode", None)
    headers = plan.config.validate_environment(
        api_key=key,
        headers={**_headers_of(plan.provider), **arguments.get("extra_headers", {})},
        model=plan.model,
        messages=messages,
        optional_params=options,
        api_base=plan.api_base,
        litellm_params=told,
    )
    url = plan.config.get_complete_url(
        api_base=plan.api_base,
        api_key=key,
        model=plan.model,
        optional_params=options,
        stream=stream,
        litellm_params=told,
    )
    body = plan.config.transform_request(
        model=plan.model, messages=messages, optional_params=options, litellm_params=told, headers=headers
    )
    if extra is not None:
        body = {
            **body,
            **plan.config.transform_extra_body(extra_body=extra, request=body, model=plan.model, litellm_params=told),
        }
    headers, signed = plan.config.sign_request(
        headers=headers,
        optional_params=options,
        request_data=body,
        api_base=url,
        api_key=key,
        stream=stream,
        fake_stream=False,
        model=plan.model,
    )
    if stream and plan.config.supports_stream_param_in_request_body:
        body["stream"] = True
    return Ready(_url(url), {"Content-Type": "application/json", **headers}, signed or _json(body))


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


def _options(plan: Plan, arguments: Arguments, messages: list[Any], *, stream: bool) -> dict[str, Any]:
    """The parameters in the provider's words."""
    given = {name: told for name, told in arguments.items() if name not in _OURS}
    key = (plan.provider, plan.model, stream, litellm.drop_params, litellm.modify_params, json.dumps(given))
    known = _mapped.get(key)
    if known is None:
        known = _map(plan, given, messages, stream=stream)
        if len(_mapped) >= _MOST_MAPPED:
            _mapped.clear()
        _mapped[key] = known
    return copy.deepcopy(known) if given else dict(known)


_MOST_MAPPED = 256
_mapped: dict[tuple[Any, ...], dict[str, Any]] = {}


def _map(plan: Plan, given: dict[str, Any], messages: list[Any], *, stream: bool) -> dict[str, Any]:
    said = copy.deepcopy(given)
    if "tools" in said:
        said["tools"] = _drop_anthropic_only_tool_keys(validate_and_fix_openai_tools(said["tools"]))
    if "tool_choice" in said:
        said["tool_choice"] = validate_chat_completion_tool_choice(said["tool_choice"], plan.model)
    if "stop" in said:
        said["stop"] = validate_openai_optional_params(stop=said["stop"])
    if "thinking" in said:
        said["thinking"] = validate_and_fix_thinking_param(said["thinking"])
    if stream:
        # Without being asked, most providers send no usage in a stream.
        said |= {"stream": True, "stream_options": {"include_usage": True}}
    options: dict[str, Any] = get_optional_params(
        model=plan.model, custom_llm_provider=plan.provider, messages=messages, **said
    )
    options.pop("max_retries", None)
    if options.get("stream") is False:
        del options["stream"]
    return options


def _bridged(plan: Plan, arguments: Arguments) -> bool:
    """Whether litellm asks for this over OpenAI's Responses API, though the model has chat completions, too."""
    told, _ = responses_api_bridge_check(
        model=plan.model,
        custom_llm_provider=plan.provider,
        web_search_options=arguments.get("web_search_options"),
        tools=arguments.get("tools"),
        reasoning_effort=arguments.get("reasoning_effort"),
        reasoning_summary=peek_reasoning_summary_aliases(dict(arguments)),
        api_base=plan.api_base,
    )
    return bool(told.get("mode") == "responses")


def _plan_of(arguments: Arguments) -> Plan:
    return _plan(arguments["model"], arguments["custom_llm_provider"], arguments.get("api_base"))


@lru_cache(maxsize=256)
def _plan(model: str, provider: str, api_base: str | None) -> Plan:
    named, found, key, base = litellm.get_llm_provider(model, provider, api_base, _STANDS_FOR_A_KEY)
    mode, named = responses_api_bridge_check(model=named, custom_llm_provider=found, api_base=base)
    known = found in _BY_SDK or found in _BY_HANDLER
    return Plan(
        model=named,
        provider=found,
        api_base=base,
        own_key=None if key in {None, _STANDS_FOR_A_KEY} else key,
        config=ProviderConfigManager.get_provider_chat_config(model=named, provider=LlmProviders(found))
        if known
        else None,
        suits=known and mode.get("mode") != "responses" and not any(word in named for word in _LEADS_ASTRAY),
        by_sdk=found in _BY_SDK,
        tells_by_request=found in {"openai", "azure", "xai"},
    )


_BY_SDK = frozenset({"openai", "perplexity"})
_BY_HANDLER = frozenset({"deepseek", "fireworks_ai", "groq", "mistral", "openrouter", "together_ai", "xai"})

_LEADS_ASTRAY = ("ft:babbage-002", "ft:davinci-002", "ft:gpt-3.5-turbo", "replicate", "clarifai")
"""In a model's name, each has litellm take another way than its provider's."""


def _steered() -> bool:
    """Whether a host application set what litellm heeds in every call."""
    return bool(
        litellm.api_base
        or litellm.headers
        or litellm.proxy_auth
        or litellm.model_alias_map
        or litellm.model_fallbacks
        or litellm.route_all_chat_openai_to_responses
    )


def _has_file(message: Mapping[str, Any]) -> bool:
    # litellm fetches some, which must not be waited for in an event loop.
    parts = message.get("content")
    return isinstance(parts, list) and any(part.get("type") == "file" for part in parts)


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
