"""The ways in which a thing is copied, one of which every program uses somewhere."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest


def pickled(original: Any) -> Any:
    """`original`, sent to another process and back."""
    return pickle.loads(pickle.dumps(original))  # noqa: S301  # what we have just pickled ourselves


WAYS: dict[str, Callable[[Any], Any]] = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": pickled}

in_every_way = pytest.mark.parametrize("copied", WAYS.values(), ids=WAYS.keys())
