"""Have a model call tools whose template has no place for them: choose one, and have its arguments written.

A model of 135 million parameters does not decide in words. Told of tools and asked whether one is needed, in six
different ways, its "yes" was worth hardly more than a coin. What it does know is which words go together. So the
question is turned round: how much more likely does the user's message become when somebody is imagined who wants the
tool? On 40 messages, half of them in need of a tool, this was right in 38 cases, and it also says which tool.

When it is settled that a tool is called, and which, its arguments are the whole answer, held to their schema.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from homeostasis_llm import LLMMessage, LLMRequest, Tool

from .asking import Body, describe, message

# Natural logarithms per token of the message: of those that need no tool the highest was 0.25, and of those that need
# one all but two were above 0.27.
NEEDED = 0.26
JUDGED_TOKENS = 24
"""Tokens of a message that are judged; each takes one step of the model."""
_JUDGED_CHARACTERS = 200


def offered(request: LLMRequest) -> list[Tool]:
    """The tools among which a call is chosen; none where the answer is to be text."""
    tools = [tool for tool in request.tools or [] if isinstance(tool, Tool)]
    match request.tool_choice:
        case "none":
            return []
        case None | "auto":
            # Who has just called a tool is to say what came of it. A model this small would call it for ever.
            return tools if question(request) and request.messages[-1].role != "tool" else []
        case "required":
            return tools
        case name:
            return [tool for tool in tools if tool.name == name]


def question(request: LLMRequest) -> str:
    """What the user asked last, as far as it is judged."""
    asked = next((each.text for each in reversed(request.messages) if each.role == "user"), "")
    return " ".join(asked.split())[:_JUDGED_CHARACTERS]


def imagine(wish: str) -> list[Body]:
    """A conversation in which the model is asked for a message like the user's."""
    return [message("user", f"Write a message that somebody sends to an assistant who can {wish}.")]


IDLE = "chat about anything"


def wish(tool: Tool) -> str:
    """What somebody wants who needs `tool`, to stand within a sentence."""
    told = (tool.description or tool.name.replace("_", " ")).rstrip(". ")
    return told[:1].lower() + told[1:] if told[1:2].islower() else told


def literally(text: str) -> str:
    """A grammar that allows no other answer than `text`."""
    return f"%llguidance {{}}\nstart: {json.dumps(text, ensure_ascii=False)}"


def arguments_of(tool: Tool, request: LLMRequest) -> list[Body]:
    """A conversation whose answer is the arguments for `tool`."""
    task = "You write the arguments of a function call as JSON."
    told = [each.text for each in request.conversation() if each.role == "system"]
    rest = [each for each in request.messages if each.role != "system"]
    return [message("system", "\n".join([task, json.dumps(describe(tool)), *told])), *as_text(rest)]


def as_text(messages: Sequence[LLMMessage]) -> list[Body]:
    """`messages` for a template that knows of no tools: calls as the JSON they were, results as the user's words."""
    told: list[Body] = []
    for each in messages:
        if each.role == "tool":
            word = "error" if each.is_error else "result"
            told.append(message("user", f"The {word} is: {each.text}"))
        else:
            calls = [
                json.dumps({"name": call.name, "arguments": call.arguments_object}, ensure_ascii=False)
                for call in each.tool_calls
            ]
            told.append(message(each.role, "\n".join([each.text, *calls] if each.text else calls)))
    if messages and messages[-1].role == "tool":
        # Without this it repeats the call that stands before.
        told[-1]["content"] += "\nTell me the answer in one sentence."
    return told
