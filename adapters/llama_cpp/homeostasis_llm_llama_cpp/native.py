"""Open llama.cpp with a model, and see that it is closed: before Python ends, and never in a forked child.

The only module that imports xllamacpp, and that when a model is loaded: its library has 100 MB.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import WeakSet

from homeostasis_llm import ModelNotFoundError

from . import calls, llama_log
from .models import Model

Chunk = dict[str, Any]
"""A piece of an answer in the chat-completions form."""

# Tokens of a prompt that are read at a stretch. Between two stretches a call can be stopped.
_STRETCH = 512

_loading = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """Which model to load, and how."""

    model: Model
    context_tokens: int
    """What prompt and answer of one request may have together; less where the model was made for less."""
    parallel: int
    """How many requests are answered at a time; each takes memory for a whole context."""
    threads: int | None
    chat_template: str | None


class RefusedError(Exception):
    """llama.cpp, or the template of the model, cannot read the request."""


class Native:
    """llama.cpp with one model. It also listens for HTTP at `address`, which xllamacpp cannot be kept from."""

    def __init__(self, loading: Loading, *, host: str, key: str | None, http_threads: int | None = None) -> None:
        """Load the model. Takes a second or several, in which Python does nothing else. Raises `ModelNotFoundError`.

        `host` is an address, or the name of a Unix socket ending in `.sock`; `key` is what HTTP clients must send.
        """
        self._server = _open(loading, host, key, http_threads)
        self.address: str = self._server.listening_address
        _alive.add(self)

    def ask(self, body: dict[str, Any], on_chunk: Callable[[Chunk], bool]) -> None:
        """Have `body` answered, a chat-completions request. `on_chunk` returns True to hear no more.

        It is also called while the prompt is read, with chunks that say no more than how far that is. An error is a
        chunk too. Raises `RefusedError`.
        """
        raised: list[BaseException] = []

        def guarded(chunk: Chunk) -> bool:
            try:
                return on_chunk(chunk)
            except BaseException as error:  # noqa: BLE001  # xllamacpp would swallow it; it is raised again below
                raised.append(error)
                return True

        asked = {**body, "stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
        try:
            self._server.handle_chat_completions(asked, guarded)
        except (ValueError, RuntimeError) as error:
            raise RefusedError(str(error)) from None
        if raised:
            raise raised[0]

    def close(self) -> None:
        """Free the memory, once the answers under way are finished."""
        self._server = None

    def outlive_everything(self) -> None:
        """Never be freed: freeing waits for threads, which in a forked child do not exist."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._server))


_alive: WeakSet[Native] = WeakSet()


def _open(loading: Loading, host: str, key: str | None, http_threads: int | None) -> Any:
    import xllamacpp

    tuning = loading.model.tuning
    params = xllamacpp.CommonParams()
    params.model.path = str(loading.model.path)
    params.model_alias = {loading.model.name}
    params.hostnames = [host]
    if key is not None:
        params.api_keys = [key]
    if http_threads is not None:
        params.n_threads_http = http_threads
    # By default any web site may read answers, through the browser of whoever runs a server without key.
    params.cors_origins = "http://localhost"
    params.ui = False
    params.endpoint_slots = False
    # llama.cpp divides its context among the places. It can have them share it, which saves memory; but then what one
    # request is answered depends on who else asks (in 9 of 20 trials), and a full pool is an error for all of them.
    params.n_ctx = loading.context_tokens * loading.parallel
    params.n_parallel = loading.parallel
    params.n_batch = _STRETCH
    # By default up to 8 GB for conversations that may go on. Each place remembers its last one in any case.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.warmup = False
    threads = tuning.threads if loading.threads is None else loading.threads
    if threads is not None:
        params.cpuparams.n_threads = threads
    if loading.threads is not None:
        params.cpuparams_batch.n_threads = loading.threads
    template = tuning.chat_template if loading.chat_template is None else loading.chat_template
    if template is not None:
        params.chat_template = template
    if tuning.temperature is not None:
        params.sampling.temp = tuning.temperature
    if tuning.frequency_penalty is not None:
        params.sampling.penalty_freq = tuning.frequency_penalty
    if tuning.max_tokens is not None:
        params.n_predict = tuning.max_tokens
    if tuning.cache_prompt is not None:
        params.cache_prompt = tuning.cache_prompt
    # One at a time: the log and its verbosity are the process's.
    with _loading:
        params.verbosity = llama_log.verbosity()
        errors: list[str] = []
        try:
            with llama_log.captured(errors):
                return xllamacpp.Server(params)
        except RuntimeError:  # "Failed to init server, please check the input params."
            reason = re.sub(r"^\w+: ", "", errors[0]) if errors else "llama.cpp gives no reason"
    raise ModelNotFoundError(f"cannot load {loading.model.path}: {reason}", model=loading.model.name)


def _close_all() -> None:
    """Before Python ends. Threads of llama.cpp that outlived it would find nothing of what they use."""
    if calls.stop_all():
        for native in list(_alive):
            native.close()


def _before_fork() -> None:
    # A child that ends waits for the threads that llama.cpp has for the process, which it did not inherit.
    if _alive and (library := llama_log.functions()) is not None:
        library.stop_janitor()


def _after_fork_in_parent() -> None:
    if _alive and (library := llama_log.functions()) is not None:
        library.start_janitor()


def _after_fork_in_child() -> None:
    global _loading  # noqa: PLW0603  # another thread of the parent may have held it
    _loading = Lock()
    for native in list(_alive):
        native.outlive_everything()
    _alive.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
