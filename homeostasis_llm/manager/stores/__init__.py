"""Where health is kept: in this process, in a file, or in a Redis that many machines share."""

from .base import Change, HealthStore
from .file import FileStore
from .memory import MemoryStore
from .redis import RedisStore

__all__ = ["Change", "FileStore", "HealthStore", "MemoryStore", "RedisStore"]
