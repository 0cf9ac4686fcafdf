"""Answer with a GGUF model inside this process, through llama.cpp; importing this loads neither."""

from __future__ import annotations

from .provider import LlamaCppProvider
from .serving import serve

__all__ = ["LlamaCppProvider", "serve"]
