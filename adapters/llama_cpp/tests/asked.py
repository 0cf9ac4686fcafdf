"""What the tests ask."""

from __future__ import annotations

from typing import Any

from homeostasis_llm import LLMMessage, LLMRequest, Tool

CONTEXT_TOKENS = 2048
"""Of the provider that all tests share."""

CAPITAL = "What is the capital of France?"


def asked(text: str, **fields: Any) -> LLMRequest:
    """A request with one message of the user's."""
    return LLMRequest(messages=[LLMMessage(role="user", content=text)], **fields)


def tool(name: str, description: str, /, **types: str) -> Tool:
    """A tool whose arguments are all required, each given with its JSON type."""
    properties = {argument: {"type": type_} for argument, type_ in types.items()}
    return Tool(
        name=name,
        description=description,
        parameters={"type": "object", "properties": properties, "required": list(types)},
    )


WEATHER = tool("get_weather", "Get the weather at a location.", location="string")
ADDER = tool("my_adder_tool", "Takes two integers, a and b, and returns their sum.", a="integer", b="integer")
