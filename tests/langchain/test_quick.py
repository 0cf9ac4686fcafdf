"""What is made without validation is what LangChain's own constructors make."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from langchain_core.load import dumps
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import BaseModel

from homeostasis_llm.langchain.quick import generation_piece, text_piece

BLOCKS: list[str | dict[Any, Any]] = [
    {"type": "reasoning", "reasoning": "hm", "index": 0},
    {"type": "text", "text": "a", "index": 1},
]


def everything(made: BaseModel) -> list[object]:
    """All that pydantic keeps in an object, and what others see of it."""
    inside = (vars(made), list(vars(made)), made.__pydantic_extra__, made.__pydantic_private__, made.model_fields_set)
    return [type(made), *inside, made.model_dump(), made.model_dump_json(), repr(made), dumps(made)]


def test_a_piece_of_text_is_as_the_constructor_makes_it() -> None:
    made = text_piece("a")

    assert everything(made) == everything(AIMessageChunk(content="a", tool_call_chunks=[]))
    assert made == copy.deepcopy(made) == pickle.loads(pickle.dumps(made))  # noqa: S301  # our own


@pytest.mark.parametrize("content", ["", "a", [], BLOCKS])
def test_a_generation_is_as_the_constructor_makes_it(content: str | list[str | dict[Any, Any]]) -> None:
    message = AIMessageChunk(content=content)

    made = generation_piece(message)

    assert everything(made) == everything(ChatGenerationChunk(message=message))
    assert made.message is message


def test_pieces_share_nothing_that_can_be_changed() -> None:
    one, other = text_piece("a"), text_piece("b")

    for name, of_one in vars(one).items():
        if isinstance(of_one, dict | list):
            assert of_one is not getattr(other, name)
    one.response_metadata["seen"] = True
    one.id = "1"

    assert (other.response_metadata, other.id, text_piece("c").response_metadata) == ({}, None, {})
    assert one.model_fields_set is not other.model_fields_set


def test_pieces_add_up() -> None:
    whole = text_piece("a") + text_piece("b")

    assert whole == AIMessageChunk(content="ab")
