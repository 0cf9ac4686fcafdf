"""What Ollama says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .replies import ANYBODYS, Reply, Spoken


def _ollama_piece(text: str, **more: Any) -> str:
    return json.dumps({"model": "m", "message": {"role": "assistant", "content": text}, "done": False, **more}) + "\n"


_OLLAMA_COUNTS = {"prompt_eval_count": 3, "eval_count": 4}
_OLLAMA_END = _ollama_piece("", done=True, done_reason="stop", **_OLLAMA_COUNTS)

_STREAMS: Mapping[str, Reply] = {
    "half a stream": {"chunks": [_ollama_piece("He")], "cut": True},
    "a stream without an end": {"chunks": [_ollama_piece("He")]},
    "an error in a stream": {"chunks": [_ollama_piece("He") + '{"error": "Oops"}\n']},
    "nonsense in a stream": {"chunks": [_ollama_piece("He") + '{"\n']},
    "a stream": {"chunks": [_ollama_piece("He"), _ollama_piece("llo"), _OLLAMA_END]},
    "a stream of thoughts": {
        "chunks": [
            _ollama_piece("", message={"content": "", "thinking": "H"}),
            _ollama_piece("", message={"content": "", "thinking": "m."}),
            _ollama_piece("Hello"),
            _OLLAMA_END,
        ]
    },
    "a stream of tags": {"chunks": [*map(_ollama_piece, ("<think>", "Hm.", "</think>", "Hello")), _OLLAMA_END]},
    "a stream of calls": {
        "chunks": [
            _ollama_piece("", message={"tool_calls": [{"function": {"name": "a", "arguments": {"b": 1}}}]}),
            _ollama_piece("", message={"tool_calls": [{"function": {"name": "a", "arguments": {}}}]}),
            _OLLAMA_END,
        ]
    },
}

OLLAMA = Spoken(
    answer={
        "model": "some-model",
        "message": {"role": "assistant", "content": "Hello"},
        "done": True,
        "done_reason": "stop",
        **_OLLAMA_COUNTS,
    },
    failures={
        **ANYBODYS,
        "no such model": {"status": 404, "json": {"error": "model 'm' not found, try pulling it first"}},
        "an odd request": {"status": 400, "json": {"error": "m does not support tools"}},
        "a broken model": {"status": 500, "json": {"error": "llama runner process has terminated"}},
        "an error in a good answer": {"json": {"error": "Oops"}},
        "nothing said": {"json": {"model": "m", "message": {"role": "assistant"}, "done": True, **_OLLAMA_COUNTS}},
        "no reason, and no counts": {"json": {"model": "m", "message": {"content": "Hello"}, "done": True}},
        "thoughts": {
            "json": {"model": "m", "message": {"content": "Hello", "thinking": "Hm."}, "done": True, **_OLLAMA_COUNTS}
        },
        "thoughts between tags": {
            "json": {"model": "m", "message": {"content": "<think>Hm.</think>Hello"}, "done": True, **_OLLAMA_COUNTS}
        },
        "calls": {
            "json": {
                "model": "m",
                "message": {"content": "", "tool_calls": [{"function": {"name": "a", "arguments": {"b": 1}}}] * 2},
                "done": True,
                "done_reason": "stop",
                **_OLLAMA_COUNTS,
            }
        },
        "half an answer": {"json": {"message": {"content": "Hello"}}, "cut": True},
        **{about: {"headers": {"content-type": "application/x-ndjson"}, **reply} for about, reply in _STREAMS.items()},
    },
)
