"""Make one prompt of a conversation. `/complete` knows no roles, and each family of models was taught its own form.

- `plain`, for models that were taught none: one message of the user's goes as it is. More become a transcript, each
  turn behind the name of its role, and the answer ends where the model would go on with the user's next turn.
- `control`, for `luminous-…-control`: `### Instruction:`, `### Input:` and `### Response:`. The system prompt is the
  instruction, and without one the user's message; what else was said is the input. Source: "Control Models Prompting"
  at docs.aleph-alpha.com.
- `pharia`, for `pharia-…`: the roles between the special tokens of Llama's form. Source: "Using the models" at
  docs.aleph-alpha.com.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from homeostasis_llm import ImagePart, InvalidRequestError, LLMMessage, TextPart, UnsuitableRequestError

FORMS = ("plain", "control", "pharia")

_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}
_SPECIAL = re.compile(r"<\|(?:begin_of_text|start_header_id|end_header_id|eot_id|endoftext)\|>")

Item = dict[str, Any]
Piece = str | Item
"""Text, or an item of a prompt that is none."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is to go on with."""

    items: list[Item]
    stops: tuple[str, ...] = ()
    """Where the form itself wants the answer to end."""


def form_of(model: str, given: str | None) -> str:
    """`given`, or the form that `model` was taught. Raises `InvalidRequestError` for one that is none."""
    if given is not None:
        if given not in FORMS:
            raise InvalidRequestError(f"AlephAlphaProvider.prompt_format: must be one of {FORMS}, got {given!r}")
        return given
    name = model.lower()
    if name.startswith("pharia"):
        return "pharia"
    return "control" if "control" in name else "plain"


def prompt_of(messages: Sequence[LLMMessage], form: str) -> Prompt:
    """The prompt. Raises `UnsuitableRequestError` for what it cannot hold."""
    for message in messages:
        if message.role == "tool" or message.tool_calls:
            raise UnsuitableRequestError("aleph_alpha: its prompts know no tools")
    messages = [message for message in messages if message.role != "system" or message.content]
    if form == "pharia":
        return Prompt(_items(_pharia(messages)))
    if form == "control":
        return Prompt(_items(_control(messages)))
    if len(messages) == 1 and messages[0].role == "user":
        return Prompt(_items(_pieces(messages[0])))
    return Prompt(_items([*_transcript(messages), "\n\nAssistant:"]), stops=("\n\nUser:",))


def _pharia(messages: Sequence[LLMMessage]) -> Iterable[Piece]:
    yield "<|begin_of_text|>"
    for place, message in enumerate(messages):
        if found := _SPECIAL.search(message.text):
            # The model would take it for the end of the message, and what follows for somebody else's.
            raise UnsuitableRequestError(
                f"aleph_alpha: messages[{place}] holds {found[0]}, which is a command to this model; take it out"
            )
        yield f"<|start_header_id|>{message.role}<|end_header_id|>\n"
        yield from _pieces(message)
        yield "<|eot_id|>"
    yield "<|start_header_id|>assistant<|end_header_id|>\n"


def _control(messages: Sequence[LLMMessage]) -> Iterable[Piece]:
    instructions = [message for message in messages if message.role == "system"]
    others = [message for message in messages if message.role != "system"]
    if not instructions and len(others) == 1:
        instructions, others = others, []
    yield "### Instruction:\n"
    if not instructions:
        yield "Go on with the conversation."
    for place, message in enumerate(instructions):
        yield "\n\n" if place else ""
        yield from _pieces(message)
    if others:
        yield "\n\n### Input:\n"
        yield from _pieces(others[0]) if len(others) == 1 else _transcript(others)
    yield "\n\n### Response:\n"


def _transcript(messages: Sequence[LLMMessage]) -> Iterable[Piece]:
    for place, message in enumerate(messages):
        yield ("\n\n" if place else "") + f"{_NAMES[message.role]}: "
        yield from _pieces(message)


def _pieces(message: LLMMessage) -> Iterable[Piece]:
    if isinstance(message.content, str):
        yield message.content
        return
    for part in message.content:
        match part:
            case TextPart():
                yield part.text
            case ImagePart(data=bytes(data)):
                yield {"type": "image", "data": base64.b64encode(data).decode()}
            case _:
                raise UnsuitableRequestError("aleph_alpha: it fetches no images; give their bytes")


def _items(pieces: Iterable[Piece]) -> list[Item]:
    """Adjacent texts become one item: between two, the model sees a seam."""
    items: list[Item] = []
    for piece in pieces:
        if not isinstance(piece, str):
            items.append(piece)
        elif items and items[-1]["type"] == "text":
            items[-1]["data"] += piece
        elif piece:
            items.append({"type": "text", "data": piece})
    return items
