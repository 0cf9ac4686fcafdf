"""Share the loaded models of this process: each file once for each way of loading it, for everybody who asks."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakSet

from .native import Chunk, Loading, Native

# Bytes; the systems' limits are 104 and 108.
_LONGEST_SOCKET_NAME = 100


class Engine:
    """One loaded model, and what is known of it. Any number of threads may ask it at once."""

    def __init__(self, loading: Loading) -> None:
        """Load the model. Raises `ModelNotFoundError`."""
        self.name, self.tuning = loading.model.name, loading.model.tuning
        # Nobody is told the key, and nobody finds the socket, for its name is gone once this is done.
        key = secrets.token_urlsafe(32)
        with _private_host() as host:
            self._native = Native(loading, host=host, key=key, http_threads=1)
            properties = _properties(self._native.address, key)
        defaults, template = properties["default_generation_settings"], properties["chat_template_caps"]
        self.context_tokens = int(defaults["n_ctx"])
        """What prompt and answer may have together."""
        self.parameters = frozenset(defaults["params"])
        """What a request may set, by llama.cpp's names."""
        self.knows_tools = bool(template["supports_tools"])
        """Whether the model's template has a place for tools."""
        self.knows_effort = bool(template.get("supports_reasoning_effort"))

    def ask(self, body: dict[str, Any], on_chunk: Callable[[Chunk], bool]) -> None:
        """See `Native.ask`."""
        self._native.ask(body, on_chunk)


_engines: dict[Loading, Engine] = {}
_users: dict[Loading, WeakSet[object]] = {}
_lock = Lock()


def engine_for(loading: Loading, user: object) -> Engine:
    """The model, loaded now if it is not yet, and kept until `release` finds no user of it.

    Raises `ModelNotFoundError`.
    """
    with _lock:
        if loading not in _engines:
            _engines[loading] = Engine(loading)
        _users.setdefault(loading, WeakSet()).add(user)
        return _engines[loading]


def release(user: object) -> None:
    """Free the models that only `user` used, once the answers under way are finished."""
    with _lock:
        for loading, users in list(_users.items()):
            if user in users:
                users.discard(user)
                if not users:
                    del _users[loading], _engines[loading]


@contextmanager
def _private_host() -> Iterator[str]:
    """Where to listen so that nobody else can connect: a Unix socket in a directory of our own, or else loopback."""
    if hasattr(socket, "AF_UNIX"):
        with tempfile.TemporaryDirectory(prefix="llama-") as folder:
            name = str(Path(folder) / "only.sock")
            if len(os.fsencode(name)) <= _LONGEST_SOCKET_NAME:
                yield name
                return
    yield "127.0.0.1"


def _properties(address: str, key: str) -> dict[str, Any]:
    """What the server at `address` tells of its model."""
    kind, _, place = address.partition("://")
    connection = _UnixConnection(place) if kind == "unix" else http.client.HTTPConnection(place)
    try:
        connection.request("GET", "/props", headers={"Authorization": f"Bearer {key}"})
        told: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return told


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, name: str) -> None:
        super().__init__("localhost")
        self._name = name

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._name)


def _forget() -> None:
    """In a forked child: the threads behind the models were not inherited; they are loaded again when needed."""
    global _lock  # noqa: PLW0603  # another thread of the parent may have held it
    _lock = Lock()
    _engines.clear()
    _users.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
