"""Where health is kept: in this process, in a file, or in a Redis that many machines share."""

from .base import Change, HealthStore
from .memory import MemoryStore

__all__ = ["Change", "HealthStore", "MemoryStore"]
