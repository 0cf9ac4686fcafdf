"""Say what is asked of a model: the messages, and how to answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ._value import Value, check_json, value
from .errors import InvalidRequestError
from .messages import LLMMessage, NonEmpty, Text

_LONGEST_MESSAGE = 300
"""Characters of what is told about a wrong schema."""

Seconds = Annotated[float, Field(gt=0)]


@value
class Timeout(Value):
    """How long to wait, in seconds; None leaves the provider's setting."""

    connect: Seconds | None = None
    """Until the connection stands."""
    first_byte: Seconds | None = None
    """From sending the request until the answer begins: models think before they speak."""
    between_chunks: Seconds | None = None
    """For each next piece of a stream."""
    total: Seconds | None = None
    """For the whole answer."""


@value
class Tool(Value):
    """A function the model may ask for."""

    name: NonEmpty
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    """Its arguments, as a JSON schema of type `object`."""
    strict: bool | None = None
    """Whether the provider shall hold the model to the schema; None leaves its default."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_schema(self.parameters, f"Tool.parameters of {self.name!r}")


@value
class JSONSchema(Value):
    """The form an answer must have."""

    schema: dict[str, Any]
    name: str = "answer"
    """What the schema is called towards the provider: letters, digits, `_` and `-`."""
    strict: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_schema(self.schema, "JSONSchema.schema")


def check_schema(schema: Mapping[str, Any], owner: str) -> None:
    """Raise `InvalidRequestError`, naming `owner`, if `schema` is no JSON schema (draft 2020-12)."""
    # Costs some 50 ms to import, and most requests have no schema.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, best_match

    error = best_match(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
    if isinstance(error, SchemaError) or error is not None:
        # The message repeats the part that is wrong, which may be long, and the path keys that may have line breaks.
        told, place = error.message[:_LONGEST_MESSAGE], " ".join(error.json_path.splitlines())
        raise InvalidRequestError(f"{owner}: is no JSON schema: {told} (at {place})")
    check_json(schema, owner)


def _tool(given: object) -> object:
    """A tool in the chat-completions form becomes a `Tool`."""
    if isinstance(given, Mapping) and given.get("type") == "function" and isinstance(given.get("function"), Mapping):
        known = {"name", "description", "parameters", "strict"}
        return Tool(**{key: found for key, found in given["function"].items() if key in known and found is not None})
    return given


def _stops(given: object) -> object:
    return [given] if isinstance(given, str) else given


_SCHEMA_FIELDS = {"schema", "name", "strict"}


def _response_format(given: object) -> object:
    """A bare dict is a schema, unless it is the chat-completions form of one, or that of a `JSONSchema`."""
    if not isinstance(given, Mapping):
        return given
    match given.get("type"):
        case "json_schema" if isinstance(given.get("json_schema"), Mapping):
            found = {key: found for key, found in given["json_schema"].items() if key in _SCHEMA_FIELDS}
            return JSONSchema(**{key: told for key, told in found.items() if told is not None})
        case "json_object":
            return "json"
        case "text":
            return "text"
    if isinstance(given.get("schema"), Mapping) and given.keys() <= _SCHEMA_FIELDS:
        return JSONSchema(**given)
    return JSONSchema(schema=dict(given))


@value
class LLMRequest(Value):
    """What a model is asked. None is absence, and leaves the provider's default; 0, 0.0, "" and False are choices.

    Made to be extended: a plain `@dataclass` subclass with further fields reaches its provider as it is. Raises
    `InvalidRequestError`, naming the field, for what no provider could take.
    """

    messages: Annotated[list[LLMMessage], Field(min_length=1)]
    model: NonEmpty | None = None
    """As the provider calls it; None for the provider's default."""
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    """Tokens the answer may have at the most, reasoning included where the provider counts it so."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    system_prompt: Text | None = None
    """Said before all messages, as a system message of its own."""
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop: Annotated[list[NonEmpty], BeforeValidator(_stops)] | None = None
    """Texts at which the answer ends; they are not part of it."""
    seed: int | None = None
    tools: list[Annotated[Tool | dict[str, Any], BeforeValidator(_tool)]] | None = None
    """What the model may call. A dict in the chat-completions form or with a `Tool`'s own fields becomes a `Tool`; any
    other is a tool of the provider's own and goes there as it is."""
    tool_choice: str | None = None
    """`auto`, `none`, `required`, or the name of the one tool that must be called."""
    parallel_tool_calls: bool | None = None
    """Whether one answer may call several tools."""
    response_format: Annotated[Literal["text", "json"] | JSONSchema, BeforeValidator(_response_format)] | None = None
    """`json` for any JSON object, a `JSONSchema` (or the schema as a dict) for one of that form."""
    reasoning_effort: NonEmpty | None = None
    """How hard to think, in the provider's words: none, minimal, low, medium, high, …"""
    timeout: Timeout | Seconds | None = None
    """Seconds for the whole answer, or each wait by itself."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Parameters that only some providers know, by the provider's own names."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tool_choice not in {None, "auto", "none"} and not self.tools:
            raise InvalidRequestError(
                f"LLMRequest.tool_choice: is {self.tool_choice!r}, but there are no tools to choose from"
            )
        named = [tool.name for tool in self.tools or [] if isinstance(tool, Tool)]
        if self.tool_choice not in {None, "auto", "none", "required", *named} and len(named) == len(self.tools or []):
            raise InvalidRequestError(
                f"LLMRequest.tool_choice: must be auto, none, required or one of {named}, got {self.tool_choice!r}"
            )
        check_json(self.extra, "LLMRequest.extra")
        for index, tool in enumerate(self.tools or []):
            if not isinstance(tool, Tool):
                check_json(tool, f"LLMRequest.tools[{index}]")

    def conversation(self) -> list[LLMMessage]:
        """The messages, the system prompt before them where there is one."""
        if self.system_prompt is None:
            return list(self.messages)
        return [LLMMessage(role="system", content=self.system_prompt), *self.messages]
