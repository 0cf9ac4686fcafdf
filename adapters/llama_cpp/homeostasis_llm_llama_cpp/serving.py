"""Offer a model to other programs of this machine, over HTTP in the dialects of OpenAI and Anthropic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from . import models, smollm2
from .native import Loading, Native
from .provider import CONTEXT_TOKENS, PARALLEL


@contextmanager
def serve(
    model: str = smollm2.NAME,
    *,
    api_key: str | None = None,
    context_tokens: int = CONTEXT_TOKENS,
    parallel: int = PARALLEL,
    threads: int | None = None,
    chat_template: str | None = None,
) -> Iterator[str]:
    """Listen on a free port of 127.0.0.1, and yield the address, as in `http://127.0.0.1:49152`.

    Below it are `/v1/chat/completions`, `/v1/responses`, `/v1/messages` (Anthropic's) and `/v1/models`. With `api_key`,
    a client must send it, as `Authorization: Bearer` or `x-api-key`; without one, everybody on this machine may ask.
    The other parameters are as for `LlamaCppProvider`. Raises `ModelNotFoundError`.
    """
    loading = Loading(
        model=models.find(model),
        context_tokens=context_tokens,
        parallel=parallel,
        threads=threads,
        chat_template=chat_template,
    )
    native = Native(loading, host="127.0.0.1", key=api_key)
    try:
        yield native.address
    finally:
        native.close()
