"""Say what one call asks: the settings of the model, and over them the parameters of the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import BaseMessage

from ..errors import InvalidRequestError
from ..provider import LLMProviderInterface
from ..request import LLMRequest
from .inputs import to_llm_messages
from .names import refuse_unknown
from .source import name_of, own_model
from .structured import Schema, response_format
from .tools import as_tool_choice, as_tools

SETTINGS = ("model", "max_tokens", "temperature", "top_p", "stop", "seed", "reasoning_effort", "timeout")
"""What a model has as fields and a request under the same names."""

ALIASES = {"model_name": "model", "stop_sequences": "stop"}
"""Other names that LangChain's users know."""

_PER_CALL = {*SETTINGS, "max_retries", "extra", "tools", "tool_choice", "parallel_tool_calls", "response_format"}

_OF_THE_MODEL = {"provider", "api_key", "base_url"}

# LangChain's own signals to itself, which it hands on with a call.
_LANGCHAINS_OWN = {"stream", "ls_structured_output_format", "structured_output_format"}

_KNOWN = _PER_CALL | ALIASES.keys() | _LANGCHAINS_OWN


def request_for(
    messages: Sequence[BaseMessage],
    stop: Sequence[str] | None,
    given: Mapping[str, Any],
    *,
    settings: Mapping[str, Any],
    provider: str | LLMProviderInterface | None,
) -> LLMRequest:
    """What is asked of `provider`, or of a manager where it is None.

    `stop` and `given` come with the call, `settings` are the model's.
    None leaves the model's setting. Raises `InvalidRequestError` for an unknown parameter, and for one that cannot be.
    """
    if of_the_model := sorted(_OF_THE_MODEL & given.keys()):
        raise InvalidRequestError(f"{of_the_model[0]} is said once for all calls: give it to ChatHomeostasis(…)")
    refuse_unknown(
        given,
        _KNOWN,
        what="ChatHomeostasis has no parameter",
        otherwise="parameters of one provider's own go into extra={…}",
    )
    called = {ALIASES.get(name, name): choice for name, choice in given.items() if choice is not None}
    said = {name: called.get(name, settings[name]) for name in SETTINGS}
    if stop is not None:
        said["stop"] = stop
    tools = as_tools(called.get("tools", []))
    form = called.get("response_format")
    return LLMRequest(
        messages=to_llm_messages(messages, provider=None if provider is None else name_of(provider)),
        **{
            **said,
            "model": own_model(said["model"], provider),
            # An empty list says that nothing shall stop the answer; providers refuse to be sent one.
            "stop": None if said["stop"] == [] else said["stop"],
            "tools": tools or None,
            "tool_choice": as_tool_choice(called.get("tool_choice"), tools),
            "parallel_tool_calls": called.get("parallel_tool_calls"),
            "response_format": response_format(cast("Schema", form)) if isinstance(form, type | Mapping) else form,
            "extra": {**settings["extra"], **called.get("extra", {})},
        },
    )
