"""Tell how many tokens a text has and how many a model takes, by litellm's tokenizers and price list. No network."""

from __future__ import annotations

from .pricing import row_of
from .runtime import load_litellm

_PIECE = 4096
"""Characters that are counted at once. Tokenizers take quadratic time for a long text without spaces."""


def context_window(model: str, litellm_name: str) -> int | None:
    """Tokens that the model reads at most; None where litellm's list does not know it. Does not import litellm."""
    row = row_of(model, litellm_name)
    window = None if row is None else row.get("max_input_tokens")
    return window if isinstance(window, int) and window > 0 else None


def count_tokens(text: str, model: str, litellm_name: str) -> int | None:
    """About as many tokens as the model reads in `text`: by its own tokenizer where litellm has that, else by another.

    None where litellm cannot count it. Imports litellm, and takes some 0.3 s for a million characters.
    """
    litellm = load_litellm()
    name = f"{litellm_name}/{model}"
    try:
        pieces = (text[begin : begin + _PIECE] for begin in range(0, len(text), _PIECE))
        return sum(int(litellm.token_counter(model=name, text=piece)) for piece in pieces)
    except Exception:  # noqa: BLE001  # it is only an estimate, and litellm raises whatever a tokenizer raises
        return None
