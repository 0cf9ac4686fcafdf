"""Ask for an answer of a given form, and read it: the two halves of `with_structured_output`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from ..errors import InvalidRequestError
from .tools import as_tools

Method = Literal["function_calling", "json_schema", "json_mode"]
Schema = dict[str, Any] | type

_UNNAMED = "answer"


def asked_for(schema: Schema | None, method: Method, strict: bool | None) -> dict[str, Any]:
    """The parameters of a call that ask for an answer of the form `schema`."""
    if schema is None and method != "json_mode":
        raise InvalidRequestError(f"with_structured_output: method {method!r} needs a schema")
    if schema is None or method == "json_mode":
        return {"response_format": {"type": "json_object"}}
    if method == "json_schema":
        return {"response_format": response_format(schema, strict)}
    tool = _as_tool(schema, strict)
    return {"tools": [tool], "tool_choice": tool["function"]["name"]}


def _as_tool(schema: Schema, strict: bool | None = None) -> dict[str, Any]:
    """The tool whose arguments are the answer."""
    if isinstance(schema, Mapping):
        wrapped = schema.get("json_schema", schema)
        if isinstance(wrapped.get("schema"), Mapping):
            schema = {"title": wrapped.get("name") or _UNNAMED, **wrapped["schema"]}
        if schema.get("type", "object") not in {"object", "function"}:
            raise InvalidRequestError(
                f"schema: the arguments of a function are an object, not of type {schema['type']!r}; use json_schema"
            )
    [tool] = as_tools([_titled(schema)], strict=strict)
    return tool


def response_format(schema: Schema, strict: bool | None = None) -> dict[str, Any]:
    """`schema` as a response format of the chat-completions form. Raises `InvalidRequestError` for what is none."""
    if isinstance(schema, Mapping):
        if schema.get("type") in {"json_schema", "json_object", "text"}:  # it is one already
            return dict(schema)
        if isinstance(schema.get("schema"), Mapping):  # OpenAI's name and schema side by side
            return _json_schema(
                schema.get("name"), schema["schema"], schema.get("strict") if strict is None else strict
            )
        if not schema.keys() & {"function", "parameters", "input_schema", "toolSpec"}:
            # LangChain's own conversion knows objects only; a list or a union is a form too.
            return _json_schema(schema.get("title"), schema if not strict else _converted(schema, strict), strict)
    if isinstance(schema, type) and issubclass(schema, BaseModel) and not strict:
        # LangChain's own conversion leaves out where a class refers to itself.
        return _json_schema(schema.__name__, schema.model_json_schema(), strict)
    converted = _converted(schema, strict)
    return _json_schema(converted.get("title"), converted, strict)


def _json_schema(name: object, schema: Mapping[str, Any], strict: bool | None) -> dict[str, Any]:
    # Providers allow letters, digits, _ and - only; a generic class is called `Page[int]`.
    allowed = re.sub(r"[^\w-]+", "_", str(name or _UNNAMED), flags=re.ASCII).strip("_")[:64] or _UNNAMED
    described: dict[str, Any] = {"name": allowed, "schema": dict(schema)}
    if strict is not None:
        described["strict"] = strict
    return {"type": "json_schema", "json_schema": described}


def _converted(schema: Schema, strict: bool | None) -> dict[str, Any]:
    try:
        return convert_to_json_schema(_titled(schema), strict=strict)
    except ValueError as error:
        raise InvalidRequestError(
            f"schema: {str(error).partition(chr(10))[0].rstrip('. ')} (a schema is a pydantic class, a TypedDict or a "
            "JSON schema)"
        ) from None


def _titled(schema: Schema) -> Schema:
    """A bare JSON schema has no name, but a tool needs one."""
    if isinstance(schema, Mapping) and not schema.keys() & {"title", "name", "function", "toolSpec"}:
        return {"title": _UNNAMED, **schema}
    return schema


def parser_for(schema: Schema | None, method: Method) -> BaseOutputParser[Any]:
    """What reads the answer: into `schema` where that is a pydantic class, otherwise into a dict."""
    is_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    if method == "function_calling":
        if is_class:
            return PydanticToolsParser(tools=[cast("type", schema)], first_tool_only=True)
        name = _as_tool(cast("Schema", schema))["function"]["name"]
        return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
    if is_class:
        return PydanticOutputParser(pydantic_object=cast("type", schema))
    return JsonOutputParser()
