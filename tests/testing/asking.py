"""Ask the fault server: as httpx does, as our providers do, and over a bare socket."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import httpx

from homeostasis_llm import LLMMessage, LLMProviderInterface, LLMRequest, ProviderFactory
from homeostasis_llm.testing import FaultServer

KEY = "sk-test-not-a-real-key-0123456789"

PATHS = {"openai": "/chat/completions", "anthropic": "/v1/messages"}


def asked(name: str = "openai", **fields: Any) -> dict[str, Any]:
    """The body of a request in a dialect."""
    body = {"model": "some-model", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return body if name == "openai" else {"max_tokens": 100, **body}


def post(server: FaultServer, name: str = "openai", **fields: Any) -> httpx.Response:
    """One request, on a connection of its own."""
    return httpx.post(f"{server.url}{PATHS[name]}", json=asked(name, **fields), timeout=30, trust_env=False)


def provider(server: FaultServer, name: str = "openai") -> LLMProviderInterface:
    """One of ours, with the server for its provider."""
    return ProviderFactory.create_provider(name, KEY, base_url=server.url)


def request(**fields: Any) -> LLMRequest:
    """A request of ours."""
    return LLMRequest(messages=[LLMMessage(role="user", content="Hi")], model="some-model", **fields)


class Heard(NamedTuple):
    """What came over a bare socket, and how it ended."""

    data: bytes
    ended: Literal["in order", "reset", "silence"]

    @property
    def body(self) -> bytes:
        """What stood behind the headers."""
        return self.data.partition(b"\r\n\r\n")[2]


def connect(server: FaultServer) -> socket.socket:
    """A connection. Its reads fail after seconds, so that a mistake hangs nobody."""
    found = socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0))
    found.settimeout(20)
    return found


def written(name: str = "openai", **fields: Any) -> bytes:
    """A request as its bytes."""
    body = json.dumps(asked(name, **fields)).encode()
    return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (PATHS[name].encode(), len(body), body)


def hear(server: FaultServer, name: str = "openai", *, patience: float = 20.0, **fields: Any) -> Heard:
    """Ask, and read until the end; `patience` is how many seconds of silence are an end."""
    data = b""
    with connect(server) as found:
        found.settimeout(patience)
        found.sendall(written(name, **fields))
        try:
            while piece := found.recv(65536):
                data += piece
        except ConnectionResetError:
            return Heard(data, "reset")
        except TimeoutError:
            return Heard(data, "silence")
    return Heard(data, "in order")


def hang_up_with_a_reset(found: socket.socket) -> None:
    """As a client that was killed."""
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    found.close()


def events(body: bytes) -> list[dict[str, Any]]:
    """The objects that a stream's events carry."""
    lines = [line.removeprefix(b"data:").strip() for line in body.split(b"\n") if line.startswith(b"data:")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def text_of(body: bytes) -> str:
    """The text that a stream brings, in either dialect."""
    told = ""
    for event in events(body):
        if "choices" in event:
            told += event["choices"][0]["delta"].get("content") or "" if event["choices"] else ""
        else:
            told += event.get("delta", {}).get("text", "")
    return told
