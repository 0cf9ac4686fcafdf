"""Say in another way what litellm would leave out of a request without a word, or refuse it before it is sent.

A setting without effect would be believed in. The table holds for litellm 1.106. What litellm refuses itself is in it
only where the provider's API knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import UnsuitableRequestError
from ..request import JSONSchema, LLMRequest

Body = Mapping[str, Any]
"""Fields of the body that the provider is sent, in its own words."""


class Dropped(NamedTuple):
    """What litellm leaves out for one provider."""

    what: str
    """A field of `LLMRequest`, or the type of a message's part."""
    whose: re.Pattern[str]
    """Found in litellm's name of the provider, a slash and the model."""
    advice: str
    """What to do instead."""
    is_lost: Callable[[Any], bool] = lambda _: True
    """Whether it is this value that is left out, and would have meant something."""
    said: Callable[[LLMRequest], Body] = lambda _: {}
    """How the provider's API says it; empty where it cannot."""


def carried(request: LLMRequest, arguments: Mapping[str, Any], litellm_name: str, provider: str) -> dict[str, Any]:
    """`arguments` of `litellm.completion` for `request`, with what litellm would leave out in `extra_body`.

    Raises `UnsuitableRequestError` for what the provider cannot be told.
    """
    asked = {name: value for name, value in _asked(request) if value is not None}
    model = str(arguments["model"])
    lost = [
        row
        for row in _DROPPED
        if row.what in asked and row.is_lost(asked[row.what]) and row.whose.search(f"{litellm_name}/{model}")
    ]
    body: dict[str, Any] = {}
    for row in lost:
        if not (told := row.said(request)):
            what = f"{row.what} parts" if row.what in _PARTS else f"LLMRequest.{row.what}={asked[row.what]!r:.80}"
            raise UnsuitableRequestError(
                f"{provider} cannot be told {what} for {model}: {row.advice}", provider=provider, model=model
            )
        body.update(told)
    if not body:
        return dict(arguments)
    given = arguments.get("extra_body")
    return {
        **{name: value for name, value in arguments.items() if name not in body},
        "extra_body": {**(given if isinstance(given, Mapping) else {}), **body},
    }


_PARTS = frozenset({"image", "audio", "file"})


def _asked(request: LLMRequest) -> Iterator[tuple[str, Any]]:
    """What a row may be about. What steers the use of tools means nothing where there are none."""
    yield "temperature", request.temperature
    yield "response_format", request.response_format
    yield "extra", request.extra or None
    if request.tools:
        yield "tool_choice", request.tool_choice
        yield "parallel_tool_calls", request.parallel_tool_calls
    for message in request.messages:
        for part in message.content if isinstance(message.content, list) else []:
            yield part.type, part


def _is_a_tool(choice: str) -> bool:
    return choice not in {"auto", "none", "required"}


def _cohere_choice(request: LLMRequest) -> Body:
    """By name there is none. Source: docs.cohere.com/reference/chat."""
    choice = str(request.tool_choice)
    return {} if _is_a_tool(choice) else {"tool_choice": choice.upper()}


def _cohere_form(request: LLMRequest) -> Body:
    """litellm tells of none. Sources: docs.cohere.com/reference/chat; structured outputs there, not beside tools."""
    match request.response_format:
        case "text":
            return {"response_format": {"type": "text"}}
        case "json" if not request.tools:
            return {"response_format": {"type": "json_object"}}
        case JSONSchema() as wanted if not request.tools:
            return {"response_format": {"type": "json_object", "json_schema": wanted.schema}}
    return {}


def _zais_form(request: LLMRequest) -> Body:
    """litellm tells of none. Source: docs.z.ai/api-reference/llm/chat-completion."""
    known = {"text": "text", "json": "json_object"}
    form = request.response_format
    return {"response_format": {"type": known[form]}} if isinstance(form, str) else {}


def _mistral_choice(request: LLMRequest) -> Body:
    """litellm says `any` instead of the name. Source: docs.mistral.ai/api, ToolChoice."""
    choice = {"tool_choice": {"type": "function", "function": {"name": request.tool_choice}}}
    # litellm would put it into the same place, and finds that taken.
    return choice if request.seed is None else {**choice, "random_seed": request.seed}


def _googles(extra: Mapping[str, Any]) -> Body:
    """What of `extra` litellm does not know to place. Source: ai.google.dev/api/generate-content."""
    return {name: given for name, given in extra.items() if not _is_placed(name) and given is not None}


def _is_placed(name: str) -> bool:
    # litellm takes Google's names in snake_case and in camelCase; `vertex_…` is Google's account and place.
    return name.replace("_", "").lower() in _PLACED_FOR_GOOGLE or name.startswith("vertex_")


_PLACED_FOR_GOOGLE = frozenset(
    word.replace("_", "").lower()
    for word in """
    top_k n candidate_count max_output_tokens stop_sequences presence_penalty frequency_penalty top_p temperature seed
    response_mime_type response_schema response_json_schema responseFormat responseLogprobs logprobs top_logprobs
    responseModalities modalities audio imageConfig thinkingConfig thinking mediaResolution speechConfig functions
    web_search_options include_server_side_tool_invocations service_tier safety_settings cached_content
    extra_body metadata tags cache drop_params additional_drop_params allowed_openai_params
    """.split()  # noqa: SIM905  # a list of quoted words would be a screen long
)
"""What litellm 1.106.2 puts into Google's requests itself (llms/vertex_ai/gemini), and names that steer litellm."""

_ANY_JSON = "it has no mode for any JSON object; give the form as a JSONSchema"
_NO_SOUND = "it takes no sound; send what was said as text, or ask another provider"
_NO_FILES = "it takes no files; send what is in them as text, or ask another provider"

_GEMINI = re.compile("^gemini/|^vertex_ai.*/gemini")

_DROPPED = (
    Dropped(
        "extra", _GEMINI, "", is_lost=lambda extra: bool(_googles(extra)), said=lambda request: _googles(request.extra)
    ),
    Dropped(
        "tool_choice",
        re.compile("^cohere"),
        "it can be told required or none, but no tool by its name; give that tool alone, and choose required",
        is_lost=lambda choice: choice != "auto",
        said=_cohere_choice,
    ),
    Dropped(
        "response_format",
        re.compile("^cohere"),
        "it keeps to a form only where it has no tools to call; ask for one of the two",
        said=_cohere_form,
    ),
    Dropped(
        "response_format",
        re.compile("^zai/"),
        "it knows any JSON, but no schema; describe the form in the prompt, and ask for json",
        said=_zais_form,
    ),
    Dropped("tool_choice", re.compile("^mistral/"), "", is_lost=_is_a_tool, said=_mistral_choice),
    Dropped(
        "tool_choice",
        # Source: docs.ollama.com/api/chat, which has no such field.
        re.compile("^ollama"),
        "its model chooses for itself; leave tool_choice out, or the tools where none shall be called",
        is_lost=lambda choice: choice != "auto",
    ),
    Dropped(
        "parallel_tool_calls",
        # Source: ai.google.dev/gemini-api/docs/function-calling. Claude's models at Vertex AI have a field for it.
        _GEMINI,
        "its model may always call several tools; take the first call of an answer, or ask another provider",
        is_lost=lambda several: several is False,
    ),
    Dropped(
        "parallel_tool_calls",
        # The models that litellm tells, by a field of Anthropic's; in InvokeModel it is told to any of Claude's.
        re.compile("^bedrock(?!.*(claude-[a-z]+-(4-[5-9]|[5-9])|/invoke/))"),
        "only Claude 4.5 and later can be told there; take the first call of an answer, or ask another model",
        is_lost=lambda several: several is False,
    ),
    # Sources: docs.claude.com, structured outputs; docs.aws.amazon.com/bedrock, structured outputs: both want a schema.
    Dropped(
        "response_format", re.compile("^anthropic/|^bedrock|/claude"), _ANY_JSON, is_lost=lambda form: form == "json"
    ),
    Dropped("audio", re.compile("^anthropic/|^bedrock|^ollama|^deepseek/|^sambanova/|/claude"), _NO_SOUND),
    Dropped("audio", re.compile("^mistral/"), "litellm sends Mistral no sound; send what was said as text"),
    Dropped("file", re.compile("^ollama|^deepseek/|^sambanova/"), _NO_FILES),
    Dropped("image", re.compile("^sambanova/"), "litellm sends SambaNova no images; ask another provider"),
    Dropped("image", re.compile("^deepseek/(?!deepseek-(v4-)?flash)"), "this model sees no images; ask deepseek-flash"),
    Dropped(
        "temperature",
        # Source: platform.moonshot.ai/docs/api/chat; litellm leaves it out of what Kimi is asked since K2.5.
        re.compile(r"^moonshot/kimi-k(2\.[5-9]|[3-9])"),
        "this model takes no other than 1; leave it out, or ask one of moonshot-v1's",
        is_lost=lambda warmth: warmth != 1,
    ),
    Dropped(
        "temperature", re.compile("^moonshot/"), "Moonshot takes those from 0 to 1", is_lost=lambda warmth: warmth > 1
    ),
)
