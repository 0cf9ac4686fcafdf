"""Make LangChain's objects for a piece of a stream without validating what is ours: a stream has thousands of them.

They are what the constructors make, down to the fields that count as set; a test compares the two.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


class _Mold(Generic[M]):
    """Casts objects like one that the constructor has made, each with containers of its own."""

    def __init__(self, made: M) -> None:
        self._kind = type(made)
        self._fields = vars(made)
        self._containers = [(name, type(one)) for name, one in vars(made).items() if isinstance(one, dict | list)]
        self._set = made.model_fields_set
        self._extra = made.__pydantic_extra__

    def cast(self, **given: Any) -> M:
        fields = self._fields.copy()
        for name, kind in self._containers:
            fields[name] = kind()
        fields.update(given)
        cast = self._kind.__new__(self._kind)
        # As pydantic's own model_construct ends.
        object.__setattr__(cast, "__dict__", fields)
        object.__setattr__(cast, "__pydantic_fields_set__", self._set.copy())
        object.__setattr__(cast, "__pydantic_extra__", None if self._extra is None else {})
        object.__setattr__(cast, "__pydantic_private__", None)
        return cast


_text = _Mold(AIMessageChunk(content="", tool_call_chunks=[]))
_generation = _Mold(ChatGenerationChunk(message=AIMessageChunk(content="")))


def text_piece(text: str) -> AIMessageChunk:
    """A piece of a message that is nothing but text."""
    return _text.cast(content=text)


def generation_piece(message: AIMessageChunk) -> ChatGenerationChunk:
    """What LangChain wraps a piece in. Blocks in it are to have a type each."""
    return _generation.cast(message=message, text=message.text)
