"""Ask that bad input is refused the way all of it must be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from homeostasis_llm import InvalidRequestError, LLMError

LONGEST = 1000
"""Characters of a refusal: whatever was refused, it is no screenful."""


def refusal(make: Callable[[], object]) -> str:
    """What `make` is refused with: one line, and nothing else hangs on it."""
    with pytest.raises(InvalidRequestError) as caught:
        make()
    error = caught.value
    assert isinstance(error, LLMError)
    assert isinstance(error, ValueError)
    assert not error.retryable
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    assert not any("pydantic" in type(link).__module__ for link in (error.__context__,) if link is not None)
    said = str(error)
    assert len(said.splitlines()) == 1
    assert len(said) < LONGEST
    return said
