"""Everybody who can be asked, by name: ours and our peers, behind one small protocol."""

from __future__ import annotations

from .base import Client, Message
from .registry import CHOOSING, CLIENTS, HOW_TO_INSTALL, OURS, PEERS, imported, is_installed, make

__all__ = [
    "CHOOSING",
    "CLIENTS",
    "HOW_TO_INSTALL",
    "OURS",
    "PEERS",
    "Client",
    "Message",
    "imported",
    "is_installed",
    "make",
]
