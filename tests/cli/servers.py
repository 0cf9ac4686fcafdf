"""Answers of a provider to a key, and whether any of a key was printed."""

from __future__ import annotations

from tests.loopback import Loopback

KEY = "made-up-key-0123456789-abcdef"
"""Long enough for its end to be shown where that is asked for."""

_PIECE = 7
"""Characters of a key that may stand in no output; its end alone is shown where that is asked for."""

NO_KEY = {"error": {"message": "You didn't provide an API key.", "code": "invalid_api_key"}}


def accept(server: Loopback, times: int = 1) -> None:
    """Answer as a provider that accepts the key: a gateway is then asked whether it accepts none, too."""
    for _ in range(times):
        server.reply(json={"object": "list", "data": [{"id": "model-1", "object": "model"}]})
        server.reply(status=401, json=NO_KEY)


def refuse(server: Loopback, key: str = KEY) -> None:
    """Answer as a provider that refuses the key, and repeats it in its error."""
    server.always(
        status=401, json={"error": {"message": f"Incorrect API key provided: {key}.", "code": "invalid_api_key"}}
    )


def assert_not_shown(output: str, key: str = KEY) -> None:
    """No piece of the key is in what was printed."""
    shown = [
        key[begin : begin + _PIECE] for begin in range(len(key) - _PIECE + 1) if key[begin : begin + _PIECE] in output
    ]
    assert shown == []
