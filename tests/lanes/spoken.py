"""What a server says in each dialect: an answer, and what is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Reply = Mapping[str, Any]
"""As `Loopback` takes it."""


class Spoken(NamedTuple):
    """One dialect's."""

    answer: Any
    """To whatever is asked, also as a stream: what a lane makes of it is another question."""
    failures: Mapping[str, Reply]
    """What may come instead of an answer, by a name for it; each is read as a whole answer and as a stream."""


def spoken_by(litellm_name: str) -> Spoken:
    """What a provider's server says; `litellm_name` is litellm's for it."""
    return _OTHERS.get(litellm_name, OPENAI)


ANYBODYS: Mapping[str, Reply] = {
    "a broken server": {"status": 500, "json": {"error": {"message": "Oops"}}},
    "a proxy's page": {"status": 502, "body": "<html>Bad Gateway</html>", "headers": {"content-type": "text/html"}},
    "nothing": {"status": 503, "body": ""},
    "a redirect": {"status": 302, "headers": {"location": "https://elsewhere.example"}, "body": ""},
    "a page instead of an answer": {"body": "<html>Log in</html>", "headers": {"content-type": "text/html"}},
    "an empty answer": {"body": "", "headers": {"content-type": "application/json"}},
    "another object": {"json": {"detail": "no"}},
    "no connection": {"drop": True},
}
"""Failures that look alike in all dialects."""

_OPENAI_BEGUN = """data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",\
"choices":[{"index":0,"delta":{"content":"He"}}]}

"""

OPENAI = Spoken(
    answer={
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "some-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    },
    failures={
        **ANYBODYS,
        "a wrong key": {"status": 401, "json": {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}},
        "a full window": {
            "status": 400,
            "json": {
                "error": {
                    "message": "This model's maximum context length is 10 tokens.",
                    "code": "context_length_exceeded",
                }
            },
        },
        "no such model": {
            "status": 404,
            "json": {"error": {"message": "The model does not exist", "code": "model_not_found"}},
        },
        "a rate limit": {"status": 429, "headers": {"retry-after": "7"}, "json": {"error": {"message": "Slow down"}}},
        "an empty account": {"status": 429, "json": {"error": {"message": "No credit", "code": "insufficient_quota"}}},
        "an error in a good answer": {"json": {"error": {"message": "Oops", "code": 502}}},
        "no choices": {"json": {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}},
        "half an answer": {"json": {"choices": [{"message": {"content": "Hello"}}]}, "cut": True},
        "half a stream": {"chunks": [_OPENAI_BEGUN], "cut": True},
        "an error in a stream": {
            "chunks": [_OPENAI_BEGUN + 'data: {"error":{"message":"Overloaded","code":503}}\n\n'],
        },
        "nonsense in a stream": {"chunks": [_OPENAI_BEGUN + 'data: {"\n\n']},
    },
)

_OTHERS: Mapping[str, Spoken] = {}
