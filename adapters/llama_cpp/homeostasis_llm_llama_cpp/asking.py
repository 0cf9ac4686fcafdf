"""From a request to what llama.cpp is asked, in its form of chat completions; what it cannot do is refused."""

from __future__ import annotations

import difflib
import json
from typing import Any

from homeostasis_llm import InvalidRequestError, LLMMessage, LLMRequest, TextPart, Tool, UnsuitableRequestError

from .engine import Engine

Body = dict[str, Any]

# llama.cpp keeps seeds in 32 bits, and takes the last one for "any".
_SEEDS = range(2**32 - 1)

# What LLMRequest has a field for, and what decides in which form the answer comes.
_OURS = frozenset(
    {
        "messages", "model", "stream", "stream_options", "return_progress", "n", "max_tokens", "max_completion_tokens",
        "n_predict", "temperature", "top_p", "seed", "stop", "tools", "tool_choice", "parallel_tool_calls",
        "response_format", "json_schema", "reasoning_effort", "logprobs", "top_logprobs", "n_probs",
    }
)  # fmt: skip
# Parameters of a request that llama.cpp does not list among a model's defaults.
# Source: tools/server/README.md of llama.cpp, `POST /completion` and `POST /v1/chat/completions`.
_UNLISTED = frozenset(
    {
        "cache_prompt", "chat_template_kwargs", "dry_sequence_breakers", "grammar", "id_slot", "logit_bias",
        "n_cache_reuse", "n_indent", "parse_tool_calls", "reasoning_budget_message", "reasoning_budget_tokens",
        "t_max_predict_ms", "thinking_budget_tokens",
    }
)  # fmt: skip


def check(request: LLMRequest) -> None:
    """Raise for what no model can be asked here, before one is loaded.

    It is an `UnsuitableRequestError` where other providers may be asked the same, else an `InvalidRequestError`.
    """
    for index, message in enumerate(request.messages):
        for part in [] if isinstance(message.content, str) else message.content:
            if not isinstance(part, TextPart):
                raise UnsuitableRequestError(
                    f"LLMRequest.messages[{index}].content: has {part.type!r}, and only text can be read here"
                )
    for index, tool in enumerate(request.tools or []):
        if not isinstance(tool, Tool):
            raise UnsuitableRequestError(
                f"LLMRequest.tools[{index}]: is no function, and there are no other tools here"
            )
    if request.seed is not None and request.seed not in _SEEDS:
        raise InvalidRequestError(f"LLMRequest.seed: must be between 0 and {_SEEDS[-1]}, got {request.seed}")
    if ours := sorted(_OURS & request.extra.keys()):
        raise InvalidRequestError(
            f"LLMRequest.extra: {ours[0]!r} is not for extra; LLMRequest has fields for what it does"
        )
    if "grammar" in request.extra and (request.tools or request.response_format not in {None, "text"}):
        raise InvalidRequestError("LLMRequest.extra: a grammar cannot be kept together with tools or a response format")


def sampling(request: LLMRequest, engine: Engine, *, json: bool) -> Body:
    """How the answer is to be found, without what is asked. Raises as `check` does."""
    known = engine.parameters | _UNLISTED
    for name in request.extra:
        if name not in known:
            near = difflib.get_close_matches(name, known - _OURS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InvalidRequestError(f"LLMRequest.extra: llama.cpp knows no parameter {name!r}{hint}")
    tuning = engine.tuning
    penalty = tuning.json_frequency_penalty if json else tuning.frequency_penalty
    asked = {
        "temperature": tuning.temperature if request.temperature is None else request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "stop": request.stop,
        "max_tokens": tuning.max_tokens if request.max_tokens is None else request.max_tokens,
        "frequency_penalty": penalty,
        "cache_prompt": tuning.cache_prompt,
        **_effort(request, engine),
    }
    return {**{name: value for name, value in asked.items() if value is not None}, **request.extra}


def _effort(request: LLMRequest, engine: Engine) -> Body:
    if request.reasoning_effort is None:
        return {}
    if engine.knows_effort:
        return {"reasoning_effort": request.reasoning_effort}
    if request.reasoning_effort == "none":
        return {"chat_template_kwargs": {"enable_thinking": False}} if engine.knows_tools else {}
    raise UnsuitableRequestError(f"LLMRequest.reasoning_effort: {engine.name} cannot be told how hard to think")


def message(role: str, content: str) -> Body:
    return {"role": role, "content": content}


def with_tools(request: LLMRequest) -> Body:
    """Tools and messages for a model whose template has a place for tools: llama.cpp does the rest."""
    asked: Body = {"messages": [_native(each) for each in request.conversation()]}
    offered = [tool for tool in request.tools or [] if isinstance(tool, Tool)]
    if not offered:
        return asked
    choice = request.tool_choice or "auto"
    if choice not in {"auto", "none", "required"}:
        offered, choice = [tool for tool in offered if tool.name == choice], "required"
    asked |= {"tools": [{"type": "function", "function": describe(tool)} for tool in offered], "tool_choice": choice}
    if request.parallel_tool_calls is not None:
        asked["parallel_tool_calls"] = request.parallel_tool_calls
    return asked


def describe(tool: Tool) -> Body:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


def _native(each: LLMMessage) -> Body:
    told = message(each.role, each.text)
    if each.name is not None:
        told["name"] = each.name
    if each.tool_call_id is not None:
        told["tool_call_id"] = each.tool_call_id
    if each.tool_calls:
        told["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments_object, ensure_ascii=False)},
            }
            for call in each.tool_calls
        ]
    if each.reasoning is not None and each.reasoning.text:
        told["reasoning_content"] = each.reasoning.text
    return told
