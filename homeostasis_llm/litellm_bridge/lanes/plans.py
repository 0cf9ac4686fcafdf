"""Compute once what is the same for many requests: for all to one model, and for all with the same parameters.

Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

import copy
import json
import marshal
from collections.abc import Mapping
from typing import Any, NamedTuple

import litellm
from litellm.main import _drop_anthropic_only_tool_keys, _is_claude_tool_target, responses_api_bridge_check
from litellm.types.utils import LlmProviders, is_litellm_owned_kwarg
from litellm.utils import (
    ProviderConfigManager,
    get_optional_params,
    peek_reasoning_summary_aliases,
    validate_and_fix_openai_tools,
    validate_and_fix_thinking_param,
    validate_chat_completion_tool_choice,
    validate_openai_optional_params,
)

from .converse_requests import asks_converse
from .dialect import Dialect
from .dialects import dialect_of
from .full import STREAMED

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
    drop_params additional_drop_params cache_control_injection_points
    """.split()  # noqa: SIM905  # as above
)
"""What `litellm.completion` heeds in ways of its own."""

_BY_SDK = frozenset(
    """
    azure baseten cerebras dashscope deepinfra featherless_ai hyperbolic lambda_ai lm_studio moonshot nebius novita
    nscale nvidia_nim openai perplexity sambanova zai
    """.split()  # noqa: SIM905  # as above
)
_BY_HANDLER = frozenset(
    """
    anthropic cohere_chat deepseek fireworks_ai groq mistral ollama_chat openrouter together_ai xai
    """.split()  # noqa: SIM905  # as above
)
_OF_THEIR_OWN = frozenset({"bedrock", "gemini"})
"""Whose requests litellm builds outside of its configurations."""

_ADDRESSES = {"cohere_chat": "https://api.cohere.com/v2/chat", "openrouter": "https://openrouter.ai/api/v1"}
"""What litellm 1.106.2 adds outside of its configurations; without it, the request and its key would go to OpenAI."""

_GATEWAY = "gateway.ai.cloudflare.com"
"""In an Azure account's base URL, it has litellm leave the model out of the body."""

_LEADS_ASTRAY = ("ft:babbage-002", "ft:davinci-002", "ft:gpt-3.5-turbo", "replicate", "clarifai")
"""In a model's name, each has litellm take another way than its provider's."""

_TOLD_BY_REQUEST = frozenset({"azure", "openai", "xai"})
"""Whose models litellm asks over one API or another, as the request is."""

_STANDS_FOR_A_KEY = "a-key"
"""What is computed once for all keys must hold none."""

_MOST_KEPT = 256


class Plan(NamedTuple):
    """What is the same for all requests to one model."""

    model: str
    """Without what only told litellm the way."""
    provider: str
    api_base: str | None
    own_key: str | None
    """litellm's, where it does not want the one it is given."""
    config: Any
    """litellm's configuration of the provider."""
    by_sdk: bool
    """Whether litellm sends the request through OpenAI's SDK instead of a client of its own."""
    dialect: Dialect
    """How the answer is read."""


class Plans:
    """The plans and parameters of one provider's requests."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, str | None], Plan | None] = {}
        self._options: dict[tuple[Any, ...], bytes | dict[str, Any] | None] = {}

    def plan(self, arguments: Arguments) -> Plan | None:
        """That for the model that is asked for; None where the direct lane does not know litellm's way there."""
        model, api_base = arguments["model"], arguments.get("api_base")
        if (model, api_base) not in self._plans:
            if len(self._plans) >= _MOST_KEPT:
                self._plans.clear()
            self._plans[model, api_base] = _planned(model, arguments["custom_llm_provider"], api_base)
        return self._plans[model, api_base]

    def options(self, plan: Plan, arguments: Arguments, messages: list[Any], *, stream: bool) -> dict[str, Any] | None:
        """The parameters in the provider's words; None where only `litellm.completion` knows to say them."""
        given = {name: told for name, told in arguments.items() if name not in _OURS}
        version = arguments.get("api_version")  # Azure's knows some parameters, or not yet
        said = json.dumps(given) if given else ""
        key = (plan.model, stream, litellm.drop_params, litellm.modify_params, version, said)
        if key not in self._options:
            if len(self._options) >= _MOST_KEPT:
                self._options.clear()
            self._options[key] = _kept(_mapped(plan, given, messages, version, stream=stream))
        kept = self._options[key]
        return marshal.loads(kept) if isinstance(kept, bytes) else copy.deepcopy(kept)  # noqa: S302  # our own bytes


def _planned(model: str, provider: str, api_base: str | None) -> Plan | None:
    if provider not in _BY_SDK | _BY_HANDLER | _OF_THEIR_OWN or (provider == "azure" and _GATEWAY in (api_base or "")):
        return None
    named, found, key, base = litellm.get_llm_provider(model, provider, api_base, _STANDS_FOR_A_KEY)
    base = base or _ADDRESSES.get(provider)
    mode, named = responses_api_bridge_check(model=named, custom_llm_provider=found, api_base=base)
    if found != provider or mode.get("mode") == "responses" or any(word in named for word in _LEADS_ASTRAY):
        return None
    if provider == "bedrock" and not asks_converse(named):
        return None
    if provider == "cohere_chat":
        named = named.replace("v2/", "")
    if (dialect := dialect_of(provider, named)) is None:
        return None
    return Plan(
        model=named,
        provider=provider,
        api_base=base,
        own_key=None if key in {None, _STANDS_FOR_A_KEY} else key,
        config=ProviderConfigManager.get_provider_chat_config(model=named, provider=LlmProviders(provider)),
        by_sdk=provider in _BY_SDK,
        dialect=dialect,
    )


def _mapped(
    plan: Plan, given: dict[str, Any], messages: list[Any], version: str | None, *, stream: bool
) -> dict[str, Any] | None:
    if any(name in _STEERING or is_litellm_owned_kwarg(name) for name in given) or _bridged(plan, given):
        return None
    said = copy.deepcopy(given)
    if "tools" in said:
        said["tools"] = validate_and_fix_openai_tools(said["tools"])
        if not _is_claude_tool_target(plan.provider, plan.model):
            said["tools"] = _drop_anthropic_only_tool_keys(said["tools"])
    if "tool_choice" in said:
        said["tool_choice"] = validate_chat_completion_tool_choice(said["tool_choice"], plan.model)
    if "stop" in said:
        said["stop"] = validate_openai_optional_params(stop=said["stop"])
    if "thinking" in said:
        said["thinking"] = validate_and_fix_thinking_param(said["thinking"])
    if stream:
        said |= STREAMED
    options: dict[str, Any] = get_optional_params(
        model=plan.model, custom_llm_provider=plan.provider, messages=messages, api_version=version, **said
    )
    options.pop("max_retries", None)
    if options.get("stream") is False:
        del options["stream"]
    read = plan.dialect.takes(options) and not plan.config.should_fake_stream(plan.model, stream, plan.provider)
    return options if read else None


def _bridged(plan: Plan, given: Mapping[str, Any]) -> bool:
    """Whether litellm asks for this over OpenAI's Responses API, though the model has chat completions, too."""
    if plan.provider not in _TOLD_BY_REQUEST:
        return False
    told, _ = responses_api_bridge_check(
        model=plan.model,
        custom_llm_provider=plan.provider,
        web_search_options=given.get("web_search_options"),
        tools=given.get("tools"),
        reasoning_effort=given.get("reasoning_effort"),
        reasoning_summary=peek_reasoning_summary_aliases(dict(given)),
        api_base=plan.api_base,
    )
    return bool(told.get("mode") == "responses")


def _kept(options: dict[str, Any] | None) -> bytes | dict[str, Any] | None:
    """`options` so that they can be had again and again, unchanged; as bytes where that is quicker."""
    try:
        return None if options is None else marshal.dumps(options)
    except ValueError:  # something of litellm's own is among them
        return options


def steered() -> bool:
    """Whether a host application has litellm do something around every call, or heed something in it."""
    return any(getattr(litellm, name, None) for name in _SWITCHES) or any(
        _concerns_us(callback) for name in _CALLBACKS for callback in getattr(litellm, name, ())
    )


def _concerns_us(callback: object) -> bool:
    # A Router adds methods of its own to all calls, to count those that it made; and "cache" is for litellm's cache.
    return callback != "cache" and type(getattr(callback, "__self__", None)).__module__ != "litellm.router"


_SWITCHES = """
    api_base headers organization proxy_auth model_alias_map model_fallbacks route_all_chat_openai_to_responses
    cache max_budget use_litellm_proxy secret_manager_client enable_preview_features
    enable_anthropic_prompt_caching
    """.split()  # noqa: SIM905  # as above
_CALLBACKS = """
    callbacks input_callback success_callback failure_callback _async_success_callback _async_failure_callback
    """.split()  # noqa: SIM905  # as above
