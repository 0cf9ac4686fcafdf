"""List the providers that the installed litellm knows, by reading its files: importing it takes seconds."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .catalog import plain_name


@cache
def litellm_names() -> frozenset[str]:
    """Every service that litellm knows, chat or not, as litellm spells it.

    Empty where litellm's files are not as we know them: then only litellm itself can tell.
    """
    try:
        return frozenset(_enumerated()) | openai_like().keys()
    except (OSError, ValueError, SyntaxError):
        return frozenset()


@cache
def litellm_chat_names() -> frozenset[str]:
    """Those of `litellm_names` that chat, as far as litellm's own tables tell."""
    names = litellm_names()
    if not names:
        return names
    try:
        services = json.loads(_file("provider_endpoints_support_backup.json"))["providers"]
        models = json.loads(_file("model_prices_and_context_window_backup.json")).values()
        chatting = {plain_name(name) for name, told in services.items() if told["endpoints"].get("chat_completions")}
        chatting |= {plain_name(str(model.get("litellm_provider"))) for model in models if model.get("mode") == "chat"}
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return frozenset()
    return frozenset(name for name in names if plain_name(name) in chatting) | openai_like().keys()


@cache
def openai_like() -> Mapping[str, Mapping[str, Any]]:
    """litellm's table of providers that speak OpenAI's language. Raises `OSError` or `ValueError` without it."""
    table: Mapping[str, Mapping[str, Any]] = json.loads(_file("llms/openai_like/providers.json"))
    return table


def _enumerated() -> Iterable[str]:
    tree = ast.parse(_file("types/utils.py"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "LlmProviders":
            return [str(ast.literal_eval(entry.value)) for entry in node.body if isinstance(entry, ast.Assign)]
    raise ValueError("there is no LlmProviders in litellm/types/utils.py")


def _file(path: str) -> str:
    # Of a top-level package, find_spec looks for the place and imports nothing.
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        raise OSError("litellm is not installed")
    return (Path(spec.origin).parent / path).read_text(encoding="utf-8")
