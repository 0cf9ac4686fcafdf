"""The embedded model: what asking it through us takes off llama.cpp's own speed.

    python -m benchmarks.embedded ROUNDS TOKENS

All ask the same model, which is loaded once, for the same text: a temperature of 0 and nothing kept of earlier prompts.
llama.cpp itself says how fast it was, in a loop that knows nothing of Python.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from homeostasis_llm_llama_cpp import LlamaCppProvider
from homeostasis_llm_llama_cpp.engine import engine_for

from homeostasis_llm import ChatHomeostasis, LLMMessage, LLMRequest

OWN = "llama.cpp's own loop"
_QUESTION = "Tell a long story about a lighthouse keeper and the sea."


def _pace(pieces: Iterator[Any]) -> float:
    """Pieces per second, from the first to the last: the prompt is read before that. A piece is a token."""
    next(pieces)
    began, number = time.perf_counter(), 0
    for _ in pieces:
        number += 1
    return number / (time.perf_counter() - began)


def speeds(rounds: int, tokens: int) -> dict[str, list[float]]:
    """Tokens per second of each answer, by who was asked."""
    provider = LlamaCppProvider()
    extra = {"ignore_eos": True, "cache_prompt": False}
    request = LLMRequest(
        messages=[LLMMessage(role="user", content=_QUESTION)], temperature=0, max_tokens=tokens, extra=extra
    )
    chat = ChatHomeostasis(provider=provider, temperature=0, max_tokens=tokens, extra=extra)
    list(provider.complete_stream(request))  # loads the model
    engine = engine_for(provider._loading(provider.default_model), provider)  # noqa: SLF001  # the very model that the provider asks
    body = {"messages": [{"role": "user", "content": _QUESTION}], "temperature": 0, "max_tokens": tokens, **extra}
    found: dict[str, list[float]] = {OWN: [], "LlamaCppProvider": [], "ChatHomeostasis(provider)": []}

    for _ in range(rounds):
        told: list[float] = []

        def hear(chunk: dict[str, Any], told: list[float] = told) -> bool:
            if "timings" in chunk:
                told.append(chunk["timings"]["predicted_per_second"])
            return False

        engine.ask(body, hear)
        found[OWN].append(told[-1])
        found["LlamaCppProvider"].append(_pace(piece for piece in provider.complete_stream(request) if piece.text))
        found["ChatHomeostasis(provider)"].append(_pace(piece for piece in chat.stream(_QUESTION) if piece.content))
    return found


if __name__ == "__main__":
    json.dump(speeds(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
