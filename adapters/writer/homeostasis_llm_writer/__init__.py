"""Writer's Palmyra models, as the provider `writer`."""

from __future__ import annotations

from .provider import WriterProvider

__all__ = ["WriterProvider"]
