"""Aleph Alpha's models, as the provider `aleph_alpha`."""

from __future__ import annotations

from .provider import AlephAlphaProvider

__all__ = ["AlephAlphaProvider"]
