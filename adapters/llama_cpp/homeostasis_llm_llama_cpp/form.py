"""Hold an answer to a JSON schema: by a grammar while it is written, and by a check when it is complete."""

from __future__ import annotations

import json
from typing import Any

from homeostasis_llm import InvalidRequestError, InvalidResponseError, JSONSchema, LLMRequest

Schema = dict[str, Any]

# What JSON can begin with.
_BEGINNINGS = '{["-0123456789tfn'


def schema_of(request: LLMRequest) -> Schema | None:
    """The form that the text of the answer must have, None for any."""
    match request.response_format:
        case JSONSchema(schema=schema):
            return schema
        case "json":
            return {"type": "object"}
    return None


def grammar(schema: Schema) -> str:
    """What holds an answer to `schema`: a grammar of llguidance, which is more exact than llama.cpp's own.

    What llguidance cannot enforce is left out, instead of the whole schema; see `Form`. The white space is fixed, or a
    small model fills its answer with it.
    """
    if schema == {"type": "object"}:
        # A small model is quickly done with that: {}.
        schema = {"type": "object", "minProperties": 1}
    spaces = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return f"%llguidance {{}}\nstart: %json {json.dumps({**schema, 'x-guidance': {'lenient': True, **spaces}})}"


class Form:
    """Watch that an answer fits its schema, which llama.cpp does not enforce in every detail."""

    def __init__(self, schema: Schema, owner: str) -> None:
        """`owner` is the field of the request that has the schema."""
        self._schema, self._owner = schema, owner
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        """Raise `InvalidRequestError` if `text` shows that llama.cpp could do nothing with the schema."""
        # It then lets the model write what it likes, and says so nowhere.
        if not self._texts and text[:1] not in _BEGINNINGS:
            raise InvalidRequestError(f"{self._owner}: llama.cpp cannot hold a model to this schema")
        self._texts.append(text)

    def finish(self) -> None:
        """Raise `InvalidResponseError` if the complete answer does not fit."""
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match
        from referencing import Registry

        try:
            found = json.loads("".join(self._texts))
        except ValueError as problem:
            raise InvalidResponseError(f"the answer is no JSON: {problem}") from None
        # With a registry of its own, it fetches no schema from the network.
        check = Draft202012Validator(self._schema, registry=Registry())
        if (error := best_match(check.iter_errors(found))) is not None:
            raise InvalidResponseError(
                f"the answer does not fit {self._owner}, which llama.cpp cannot enforce in every detail: "
                f"{error.message} (at {error.json_path})"
            )
