"""Bring LangChain's many forms of a tool, and of the choice of one, to ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from ..errors import InvalidRequestError

ToolLike = Mapping[str, Any] | type | Callable[..., Any] | BaseTool
"""A function, a pydantic class, a `TypedDict`, a tool, or a dict in one of many forms."""


def as_tools(tools: Sequence[ToolLike], *, strict: bool | None = None) -> list[dict[str, Any]]:
    """`tools` as dicts in the chat-completions form; a provider's own built-in tools stay as they are.

    Raises `InvalidRequestError`, naming its place, for what is no tool.
    """
    return [_as_tool(tool, place, strict) for place, tool in enumerate(tools)]


def _as_tool(tool: ToolLike, place: int, strict: bool | None) -> dict[str, Any]:
    if isinstance(tool, Mapping):
        if _is_built_in(tool):
            return dict(tool)
        # Chat completions wrap the function, OpenAI's newer API does not.
        if tool.get("type") == "function":
            wrapped = tool.get("function")
            tool = dict(wrapped) if isinstance(wrapped, Mapping) else {k: v for k, v in tool.items() if k != "type"}
        else:
            tool = dict(tool)
    try:
        return convert_to_openai_tool(tool, strict=strict)
    except ValueError as error:
        raise InvalidRequestError(
            f"tools[{place}]: {_first_line(error)} (a tool is a function with a docstring, a pydantic class, a "
            "BaseTool, or a dict with a name and a JSON schema)"
        ) from None


def _is_built_in(tool: Mapping[str, Any]) -> bool:
    """Whether `tool` is run by the provider: `{"type": "web_search_20250305", …}` or `{"google_search": {}}`."""
    if tool.keys() & {"input_schema", "parameters", "toolSpec", "properties"}:
        return False
    if "type" in tool:
        return tool["type"] not in {"function", "object"}
    return not tool.keys() & {"name", "title"}


def _first_line(error: ValueError) -> str:
    return str(error).partition("\n")[0].rstrip(". ")


def as_tool_choice(choice: object, tools: Sequence[Mapping[str, Any]]) -> str | None:
    """`choice` as `auto`, `none`, `required`, a tool's name, or None where nothing is chosen.

    Understands LangChain's words and the dicts of OpenAI and Anthropic. Raises `InvalidRequestError` for a tool that is
    not among `tools`, as `as_tools` gives them.
    """
    match choice:
        case None | False | "":  # LangChain's ways to leave it open
            return None
        case True | "any" | "required" | {"type": "any" | "required"}:
            return "required"
        case "auto" | "none":
            return str(choice)
        case {"type": ("auto" | "none") as word}:
            return str(word)
        case {"function": {"name": str(name)}} | {"name": str(name)} | str(name):
            return _offered(name, tools)
    raise InvalidRequestError(
        f"tool_choice: must be 'auto', 'none', 'any', a tool's name or a dict that names one, got {choice!r}"
    )


def _offered(name: str, tools: Sequence[Mapping[str, Any]]) -> str:
    functions = [tool["function"]["name"] for tool in tools if "function" in tool]
    # How a provider's own tools are called is the provider's affair.
    if name in functions or len(functions) < len(tools):
        return name
    raise InvalidRequestError(f"tool_choice: there is no tool {name!r} among {functions}")
